"""What a calibration concludes from trials whose answer is known."""

import pytest

from bench.regress.calibration import judgements as judging
from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings
from tests.bench.regress.calibration.trials import made_settings, made_trial


@pytest.fixture
def settings() -> Settings:
    return made_settings()


def test_delays_beyond_the_noise_are_found_in_their_phase_and_none_is_not(
    settings: Settings,
) -> None:
    trials = [made_trial(number, settings, 0.004) for number in range(12)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    none, two, five, ten = judging.rows(judgements)
    assert (none["delay"], none["comparisons"], none["alarms"]) == (0.0, 12, 0)
    assert none["rule_total"] == none["rule_any"] == 0
    assert (five["comparisons"], five["alarms"], five["right_phase"]) == (12, 12, 12)
    assert (ten["comparisons"], ten["alarms"], ten["rule_total"]) == (12, 12, 12)
    assert two["comparisons"] == 12
    assert two["rule_total"] == 0  # 2 % are below its 5 %
    assert abs(five["median_error"]) < 0.005
    assert five["by_phase"] == {phase: [4, 4] for phase in calibration.PHASES}
    assert five["elsewhere"] == none["elsewhere"] == 0
    assert five["total_held"] == none["total_held"] == 12
    assert none["unchanged"] > 12  # of 48 lines, in noise far below the threshold


def test_the_rule_is_pytest_benchmarks_own(settings: Settings) -> None:
    """Its medians, over the same iterations: 5 % more than the base's, or not."""
    trial = made_trial(0, settings, 0.0)
    found = {j.delay: j for j in judging.judge(trial, settings)}
    assert not found[0.02].rule_total
    assert found[0.05].rule_any  # the phase itself grew by far more
    trial = made_trial(1, settings, 0.0)
    assert {j.delay: j.rule_total for j in judging.judge(trial, settings)}[0.10]


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [
        (0, 100, "0.0 % (0.0–3.6)"),
        (100, 100, "100.0 % (96.4–100.0)"),
        (5, 10, "50.0 % (18.7–81.3)"),
    ],
)
def test_shares_have_clopper_pearson_intervals(count: int, of: int, expected: str) -> None:
    """Against the tables: 0 of 100 excludes more than 1 - 0.025^(1/100) = 3.6 %."""
    assert judging.share(count, of) == expected


def test_tables_have_a_row_for_each_change(settings: Settings) -> None:
    trials = [made_trial(number, settings, 0.01) for number in range(4)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    tables = judging.tables(judging.rows(judgements), "a title")
    assert next(iter(tables)) == "a title"
    for caption, (header, body) in tables.items():
        changes = ["none (A/A')", "+2 %", "+5 %", "+10 %"]
        assert [row[0] for row in body] == changes[1 if "phase that" in caption else 0 :]
        assert all(len(row) == len(header) for row in body)
