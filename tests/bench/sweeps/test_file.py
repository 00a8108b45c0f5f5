"""The file of a sweep: what is written is read, found by name, and told where it is damaged."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.recommend.swept import Dropped
from bench.sweeps import file as records
from bench.sweeps.experiment import Arm, Cell
from bench.sweeps.file import SweepRecord
from bench.sweeps.grid import Axis
from optimizers import UsageError
from tests.bench.sweeps.inline import EXPERIMENT, swept


def test_the_file_of_a_sweep_tells_all_about_it(tmp_path: Path) -> None:
    outcome, _, _ = swept(tmp_path, yaml="grid: x", command="optbench sweep x.yaml")
    again = records.read(tmp_path / "sweeps" / f"{EXPERIMENT.name}.json")
    assert again == outcome.record
    assert (again.yaml, again.command) == ("grid: x", "optbench sweep x.yaml")


def test_groups_come_back_as_they_were(tmp_path: Path) -> None:
    groups = ("ndim<3: lr=0.5; momentum=0.5",)
    outcome, _, _ = swept(tmp_path, replace(EXPERIMENT, groups=groups))
    (path,) = (tmp_path / "sweeps").glob("*.json")
    assert records.read(path) == outcome.record
    (arm,) = outcome.record.arms
    assert arm.groups == (("ndim<3", {"lr": 0.5, "momentum": 0.5}),)


def test_ways_to_step_come_back_and_older_files_have_none(tmp_path: Path) -> None:
    outcome, _, _ = swept(tmp_path, replace(EXPERIMENT, steps=("plain",)))
    (path,) = (tmp_path / "sweeps").glob("*.json")
    assert records.read(path) == outcome.record
    assert [arm.step for arm in outcome.record.arms] == ["plain"]
    document = json.loads(path.read_text())
    del document["experiment"]["steps"], document["arms"][0]["step"]
    path.write_text(json.dumps(document))
    assert records.read(path).experiment == EXPERIMENT


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:100], "is not a readable sweep"),
        (lambda text: "[]", "is not a readable sweep"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 9'), "version 9"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, damage: Any, message: str) -> None:
    swept(tmp_path)
    path = records.find(tmp_path, None)
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=message):
        records.read(path)


def test_sweeps_are_found_by_name_file_or_age(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no sweep in"):
        records.find(tmp_path, None)
    swept(tmp_path)
    path = tmp_path / "sweeps" / f"{EXPERIMENT.name}.json"
    assert records.find(tmp_path, None) == records.find(tmp_path, EXPERIMENT.name) == path
    assert records.find(tmp_path, str(path)) == path
    with pytest.raises(UsageError, match=f"Unknown sweep 'x'.*Known: {EXPERIMENT.name}"):
        records.find(tmp_path, "x")


def test_json_of_a_sweep_is_strict(tmp_path: Path) -> None:
    swept(tmp_path)
    text = records.find(tmp_path, None).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def made(*run_ids: str) -> SweepRecord:
    """A sweep with such runs, that has pairs and what halving dropped without a score."""
    pair = {"betas": (0.9, 0.99), "lr": 1}
    return SweepRecord(
        experiment=EXPERIMENT,
        arms=[Arm(label="a", optimizer="adam", fixed=pair, axes={"betas": Axis(((0.9, 0.99),))})],
        cells=[
            (Cell(label="a", settings=pair, seed=seed, iterations=18), run_id)
            for seed, run_id in enumerate(run_ids)
        ],
        dropped={"a": [Dropped(settings=pair, iterations=2, score=float("inf"))]},
    )


def test_pairs_and_what_has_no_finite_score_come_back(tmp_path: Path) -> None:
    record = made("one", "two")
    record.save(tmp_path)
    assert records.read(records.path_of(tmp_path, EXPERIMENT)) == record
    assert records.existing(tmp_path, EXPERIMENT) == record


def test_a_sweep_is_within_one_that_has_all_of_its_runs() -> None:
    assert made("one").within(made("two", "one"))
    assert made().within(made())
    assert not made("one", "two").within(made("two"))
    assert not made().within(None)


def test_a_damaged_file_from_before_is_none(tmp_path: Path) -> None:
    assert records.existing(tmp_path, EXPERIMENT) is None
    path = records.path_of(tmp_path, EXPERIMENT)
    path.parent.mkdir()
    path.write_text("{")
    assert records.existing(tmp_path, EXPERIMENT) is None
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        records.read(tmp_path / "nothing.json")


def test_names_are_those_of_all_folders(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        made().save(tmp_path / folder)
    (tmp_path / "three").mkdir()
    folders = [tmp_path / name for name in ("one", "two", "three")]
    assert records.names(folders) == [EXPERIMENT.name] * 2


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "sweeps").touch()
    with pytest.raises(UsageError, match=r"Sweep file '.*' cannot be written: File exists"):
        made().save(tmp_path)
