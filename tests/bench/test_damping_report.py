"""What a sweep found, as sentences, figures, Markdown and JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import damping_report
from bench.damping import Swept
from bench.record import RunRecord
from bench.sweeps.experiment import Arm, Cell, Experiment
from bench.sweeps.grid import Axis
from bench.sweeps.outcome import Outcome
from bench.sweeps.record import SweepRecord
from tests.bench.damping_cases import LOSS, trial, valley
from tests.bench.records import made_curvature, made_record

SGD = Swept(
    label="sgd", optimizer="sgd", axes={"lr": (0.1, 1.0)}, measure=LOSS,
    trials=[trial({"lr": 0.1}, 0.05, 0.051, 0.049), trial({"lr": 1.0}, 0.2, 0.21, 0.19)],
)  # fmt: skip


def outcome(*swept: Swept, curved: Sequence[str] = ("diag_ggn_mc",), **fields: Any) -> Outcome:
    """A sweep with a record per run of these."""
    full: list[tuple[Cell, RunRecord]] = [
        (
            Cell(label=one.label, settings=cell.settings, seed=seed, iterations=201),
            made_record(
                label=one.label, seed=seed, hyperparameters=dict(cell.settings),
                split="validation", session="s",
                curvature=(
                    [row for i in (0, 3) for row in made_curvature(i)]
                    if one.label in curved else []
                ),
                **fields,
            ),
        )
        for one in swept
        for cell in one.trials
        for seed in cell.scores
    ]  # fmt: skip
    experiment = Experiment(optimizers=tuple(one.label for one in swept))
    record = SweepRecord(
        experiment=experiment,
        command="optbench sweep",
        arms=[
            Arm(label=one.label, optimizer=one.optimizer,
                axes={name: Axis(values) for name, values in one.axes.items()})
            for one in swept
        ],
    )  # fmt: skip
    return Outcome(record=record, swept=swept, full=full)


def test_a_label_with_curvature_is_compared_with_those_without() -> None:
    curved, plain = damping_report.advise(outcome(valley(), SGD))
    assert [rival.rival for rival in curved.rivals] == ["sgd"]
    assert plain.rivals == []
    said = " ".join(curved.sentences)
    assert "diag_ggn_mc as recommended is worse than sgd as recommended" in said
    assert "sgd was swept with 2 settings, diag_ggn_mc with 21" in said
    assert "the effective curvature share is 0.25 plain and 0.5 weighted" in said


def test_without_rivals_it_says_that_nothing_is_known_of_them() -> None:
    found = outcome(valley())
    (note,) = damping_report.notes(found, damping_report.advise(found))
    assert "sweep SGD and Adam beside it" in note
    assert "-o diag_ggn_mc,sgd,adam" in note


def test_where_all_are_alike_the_first_is_compared() -> None:
    first, second = damping_report.advise(outcome(SGD, valley(label="mine"), curved=()))
    assert [rival.rival for rival in first.rivals] == ["mine"]
    assert not second.rivals


def test_shared_times_are_not_called_timings() -> None:
    found = outcome(SGD, curved=(), shared=True)
    assert damping_report.notes(found, damping_report.advise(found)) == [damping_report.SHARED_NOTE]


def test_the_report_has_every_part(tmp_path: Path) -> None:
    found = outcome(valley(), SGD)
    path = damping_report.write(tmp_path, found, damping_report.advise(found))
    text = path.read_text(encoding="utf-8")
    assert {item.name for item in tmp_path.glob("*.png")} == {
        "map-0.png", "map-1.png", "sensitivity-0.png", "sensitivity-1.png", "spectrum-0.png",
        "comparison.png",
    }  # fmt: skip
    for name in tmp_path.glob("*.png"):
        assert f"]({name.name})" in text
    assert "# Sweep of diag_ggn_mc, sgd on mnist_cnn" in text
    assert "- Command: `optbench sweep`" in text


@pytest.mark.parametrize(
    "swept",
    [
        valley(seeds=1),
        Swept(label="lost", optimizer="sgd", axes={"lr": (1,)}, measure=LOSS,
              trials=[trial({"lr": 1}, of=2)]),
        Swept(label="words", optimizer="sgd", axes={"nesterov": (True, False)}, measure=LOSS,
              trials=[trial({"nesterov": True}, 1.0, 1.1), trial({"nesterov": False}, 2.0, 2.1)]),
        Swept(label="none", optimizer="sgd", axes={}, measure=LOSS, trials=[trial({}, 1.0, 1.1)]),
    ],
    ids=["one seed", "nothing usable", "words", "one setting"],
)  # fmt: skip
def test_odd_sweeps_are_reported(tmp_path: Path, swept: Swept) -> None:
    found = outcome(swept, SGD)
    advice = damping_report.advise(found)
    damping_report.write(tmp_path, found, advice)
    text = json.dumps([one.to_json() for one in advice], allow_nan=False)
    assert swept.label in text


def test_the_same_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    found = outcome(valley(), SGD)
    for folder in ("one", "two"):
        damping_report.write(tmp_path / folder, found, damping_report.advise(found))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
