"""What results folders hold, and the part of it that was asked for."""

import shutil
from pathlib import Path

import pytest

from bench import errors
from bench.errors import UsageError
from bench.report.material import gather, selected
from bench.runs import store
from tests.bench.recommend import cases
from tests.bench.recommend.cases import SGD, saved
from tests.bench.records import made_record
from tests.bench.report.cases import comparison, made


def test_problems_and_labels_are_selected() -> None:
    records = [*comparison(), *comparison(problem="quadratic")]
    report = made(records, problems=["quadratic"], labels=["two"])
    assert report.title == "quadratic: two"
    with pytest.raises(UsageError, match="Unknown label 'three'"):
        made(records, labels=["three"])
    with pytest.raises(UsageError, match="Unknown problem 'cnn'"):
        made(records, problems=["cnn"])


def test_folders_are_merged_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for record in comparison(problem=name):
            store.save(record, tmp_path / name)
            store.save(record, tmp_path / "both")
    (tmp_path / "a" / "sweeps").mkdir()
    (tmp_path / "a" / "sweeps" / "bad.json").write_text("{")
    with pytest.warns(errors.DamagedRecordWarning, match=r"bad\.json"):
        held = gather([tmp_path / "a", tmp_path / "b", tmp_path / "both"])
    assert len(held.records) == 8
    with pytest.raises(UsageError, match="does not exist"):
        gather([tmp_path / "nowhere"])


def test_a_label_that_the_report_made_can_be_named(tmp_path: Path) -> None:
    records = [made_record(settings={"lr": lr}, run_id=f"{lr}") for lr in (0.1, 0.2)]
    assert made(records, labels=["sgd (lr=0.1)"]).title == "mnist_logreg: sgd (lr=0.1)"
    assert len(made(records, labels=["sgd"]).series) == 2


def test_labels_with_commas_can_be_named() -> None:
    records = [
        made_record(settings={"lr": lr, "momentum": 0.9 * lr}, run_id=f"{lr}") for lr in (0.1, 0.2)
    ]
    label = made(records).series[0].label
    assert "," in label
    assert [one.label for one in made(records, labels=[label]).series] == [label]


def test_a_sweep_is_there_once_and_the_one_begun_last_comes_first(tmp_path: Path) -> None:
    early, late = (saved(tmp_path / "a", SGD, seeds=seeds) for seeds in ("3", "0,1,2"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    held = gather([tmp_path / "a", tmp_path / "b"])
    assert [sweep.experiment for sweep in held.sweeps] == [late.experiment, early.experiment]
    assert held.sweep_sessions == [late.experiment.name, early.experiment.name]
    assert len(held.records) == 6 + 6


def test_runs_of_a_sweep_are_judged_there_and_not_compared(tmp_path: Path) -> None:
    saved(tmp_path, SGD, cases.line({0.1: (0.2, 0.3, 0.4)}, label="adam"))
    store.save(made_record(label="alone"), tmp_path)
    held = gather([tmp_path])
    _, found, swept = selected(held)
    assert [record.label for group in found for record in group.training] == ["alone"]
    assert [[one.label for one in sweep.swept] for sweep in swept] == [["sgd", "adam"]]
    assert len(swept[0].full) == 6 + 3


def test_labels_and_problems_choose_among_sweeps_too(tmp_path: Path) -> None:
    saved(tmp_path, SGD, cases.line({0.1: (0.2, 0.3, 0.4)}, label="adam"))
    saved(tmp_path, cases.line({0.1: (0.2, 0.3, 0.4)}, label="ggn"), problem="mnist_mlp")
    held = gather([tmp_path])
    (sweep,) = selected(held, labels=["adam"])[2]
    assert [one.label for one in sweep.swept] == ["adam"]
    assert {cell.label for cell, _ in sweep.full} == {"adam"}
    (sweep,) = selected(held, problems=["mnist_mlp"])[2]
    assert [one.label for one in sweep.swept] == ["ggn"]


def test_a_damaged_file_of_the_suite_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "0001.json").write_text("{")
    with pytest.warns(errors.DamagedRecordWarning, match=r"0001\.json"):
        held = gather([tmp_path])
    assert (held.records, held.sweeps, held.baselines) == ([], [], [])
