"""Calibration: what is stored, resumed, and concluded."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import DamagedRecordWarning, UsageError
from bench.regress.calibration import judgements as judging
from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings, Trial
from bench.regress.launch import Side
from bench.report.document import Table
from bench.report.figures import calibration as figure
from bench.report.sections import throughput

FIELDS: dict[str, Any] = {
    "problem": "quadratic", "optimizer": "sgd", "budget_s": 0.1, "delays": (1.0, 0.5, 2.0),
    "tuned": False, "machine": {"cpu": "a"}, "versions": {"torch": "2"},
}  # fmt: skip
BENCHMARK = {"problem": "quadratic", "optimizer": "sgd", "eval_every": 0, "device": "cpu"}


def here() -> Side:
    return Side(name="here", python=sys.executable, paths=(Path.cwd(),), folder=Path.cwd())


def made_trial(number: int, settings: Settings, noise: float, launches: int = 8) -> Trial:
    """A trial in simulated noise: the delay is exactly what the settings say."""
    generator = np.random.default_rng(number)
    delays, phase = settings.arms(number), settings.phase(number)
    base = np.array([0.1, 8.0, 9.0, 0.6]) * 1e-3
    blocks = np.tile(base, (launches, 4, len(delays), 5, 1))
    for arm, delay in enumerate(delays):
        blocks[:, :, arm, :, 1 + calibration.PHASES.index(phase)] += delay * base.sum()
    blocks *= np.exp(generator.normal(0, noise, (launches, 1, len(delays), 1, 4)))
    ends = tuple(float(end) for end in np.linspace(5, 40, launches))
    return Trial(
        number=number, phase=phase, delays=tuple(delays), elapsed_s=ends, commit="a1", blocks=blocks
    )


@pytest.fixture
def settings() -> Settings:
    fields = FIELDS | {"delays": (0.05, 0.02, 0.10), "budget_s": 40}
    return Settings(**fields, iteration_s=0.0177, data="made up", threads=2)


def test_each_trial_has_the_main_delay_and_the_others_in_turn_in_each_phase(
    settings: Settings,
) -> None:
    assert [settings.arms(number)[2:] for number in range(3)] == [
        [0.05, 0.02], [0.05, 0.10], [0.05, 0.02],
    ]  # fmt: skip
    met = {(settings.arms(n)[3], settings.phase(n)) for n in range(6)}
    assert met == {(d, p) for d in (0.02, 0.10) for p in ("forward", "backward", "step")}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """One trial that was really measured, with delays as long as an iteration."""
    folder = tmp_path_factory.mktemp("calibration")
    settings = calibration.open_folder(folder, here(), FIELDS, BENCHMARK)
    calibration.measure(settings, 0, here(), BENCHMARK, folder, lambda *_: None)
    return folder, settings


def test_a_measured_trial_has_its_delay_in_its_phase(measured: tuple[Path, Settings]) -> None:
    folder, settings = measured
    (trial,) = calibration.load(folder)
    assert trial.blocks.shape[2] == len(trial.delays) == 4
    medians = np.median(trial.blocks, axis=(0, 1, 3))
    forward = 1 + calibration.PHASES.index(trial.phase)
    assert medians[2, forward] - medians[0, forward] >= 0.8 * settings.iteration_s
    assert trial.elapsed_s[-1] > 0


def test_only_what_is_missing_is_measured_again(measured: tuple[Path, Settings]) -> None:
    folder, settings = measured
    assert calibration.missing(folder, 3) == [1, 2]
    assert calibration.open_folder(folder, here(), FIELDS, BENCHMARK) == settings


def test_a_folder_with_other_settings_is_refused(measured: tuple[Path, Settings]) -> None:
    with pytest.raises(UsageError, match=r"another optimizer, another machine \(optimizer: sgd"):
        calibration.open_folder(
            measured[0], here(), FIELDS | {"optimizer": "adam", "machine": {}}, BENCHMARK
        )


def test_a_damaged_trial_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "0003.npz").write_bytes(b"PK\x03\x04half")
    with pytest.raises(UsageError, match=r"0003.npz' is damaged .* remove it"):
        list(calibration.load(tmp_path))


def test_an_optimizer_whose_phases_cannot_be_delayed_is_refused(tmp_path: Path) -> None:
    benchmark = BENCHMARK | {"optimizer": "torch.optim:LBFGS"}
    fields = FIELDS | {"optimizer": "torch.optim:LBFGS"}
    with pytest.raises(UsageError, match="runs forward and backward itself"):
        calibration.open_folder(tmp_path / "new", here(), fields, benchmark)
    assert not (tmp_path / "new").exists()


def test_a_folder_without_calibration_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no calibration"):
        calibration.read_settings(tmp_path)


def test_what_is_stored_is_what_was_measured(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    trial = made_trial(4, settings, 0.01)
    calibration._store(trial, tmp_path)
    (found,) = calibration.load(tmp_path)
    np.testing.assert_allclose(found.blocks, trial.blocks, atol=1e-7)
    assert (found.number, found.phase, found.delays) == (4, trial.phase, trial.delays)
    assert found.commit == "a1"


def test_delays_beyond_the_noise_are_found_in_their_phase_and_none_is_not(
    settings: Settings,
) -> None:
    trials = [made_trial(number, settings, 0.004) for number in range(12)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    none, two, five, ten = judging.rows(judgements)
    assert (none["delay"], none["comparisons"], none["alarms"]) == (0.0, 12, 0)
    assert none["rule_total"] == none["rule_any"] == 0
    assert (five["comparisons"], five["alarms"], five["right_phase"]) == (12, 12, 12)
    assert (ten["comparisons"], ten["alarms"], ten["rule_total"]) == (6, 6, 6)
    assert two["comparisons"] == 6
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


def test_tables_and_figure_are_written(settings: Settings, tmp_path: Path) -> None:
    trials = [made_trial(number, settings, 0.01) for number in range(4)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    figure.write(tmp_path, trials, judgements, "a title")
    assert (tmp_path / "calibration.png").stat().st_size > 10_000
    assert len((tmp_path / "judgements.csv").read_text().splitlines()) == 13
    tables = judging.tables(judging.rows(judgements), "a title")
    assert next(iter(tables)) == "a title"
    for caption, (header, body) in tables.items():
        changes = ["none (A/A')", "+2 %", "+5 %", "+10 %"]
        assert [row[0] for row in body] == changes[1 if "phase that" in caption else 0 :]
        assert all(len(row) == len(header) for row in body)


def test_power_by_time_is_the_procedures_own(settings: Settings) -> None:
    """At the full budget, the curve has the alarms of the table."""
    trials = [made_trial(number, settings, 0.02) for number in range(30)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    curve = figure.power_by_time(trials)
    for row in judging.rows(judgements):
        last = curve[curve["delay"] == row["delay"]].iloc[-1]
        slower = sum(j.slower for j in judgements if j.delay == row["delay"])
        assert last["share"] == slower / row["comparisons"]
    assert curve["share"].between(0.01, 0.99).any()


@pytest.fixture
def concluded(settings: Settings, tmp_path: Path) -> Path:
    """The folder of a calibration with one trial, as far as a report reads it."""
    trial = made_trial(0, settings, 0.01)
    judgements = judging.judge(trial, settings)
    (tmp_path / "settings.json").write_text(json.dumps(asdict(settings)))
    figure.write(tmp_path, [trial], judgements, "a title")
    return tmp_path


def test_a_report_says_what_was_calibrated(concluded: Path) -> None:
    section = throughput.calibration(concluded)
    assert section is not None
    (first, *_) = section.blocks
    assert isinstance(first, Table)
    assert first.caption == "sgd on quadratic, 1 trial, 40 s per comparison"


def test_a_report_leaves_out_a_calibration_without_settings(concluded: Path) -> None:
    (concluded / "settings.json").unlink()
    with pytest.warns(DamagedRecordWarning, match=r"Skipped: .* it has no settings\.json"):
        assert throughput.calibration(concluded) is None
