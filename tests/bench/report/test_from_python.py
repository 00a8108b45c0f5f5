"""A notebook asks a results folder, or records, for the table, the ranking and the page."""

from pathlib import Path
from typing import Any

import pytest

import bench
from bench.errors import UsageError
from bench.runs.record import RunRecord
from bench.sweeps.experiment import Experiment
from bench.sweeps.file import SweepRecord
from tests.bench.records import made_record


def records(**fields: Any) -> list[RunRecord]:
    """Adam is better than SGD, by more than seeds differ."""
    return [
        made_record(
            label=label,
            seed=seed,
            losses=[loss * (1 + 0.01 * seed)],
            run_id=f"{len(fields)}{label}{seed}",
            **fields,
        )
        for label, loss in (("sgd", 3.0), ("adam", 1.0))
        for seed in (0, 1, 2)
    ]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for record in records():
        bench.save(record, tmp_path)
    return tmp_path


def test_the_table_is_the_same_of_a_folder_and_of_its_records(results: Path) -> None:
    found = bench.summary(results)
    assert set(found.index) == {"adam", "sgd"}
    assert found.equals(bench.summary(str(results)))
    assert found.equals(bench.summary(bench.load(results)))


def test_runs_of_sweeps_are_no_comparison(results: Path) -> None:
    sweep = SweepRecord(experiment=Experiment(problem="quadratic"))
    sweep.save(results)
    bench.save(made_record(session=sweep.experiment.name, label="swept", run_id="1"), results)
    assert "swept" not in bench.summary(results).index
    assert "swept" in bench.summary(bench.load(results)).index


def test_a_ranking_says_what_is_best_by_any_quantity(results: Path) -> None:
    by_loss = bench.ranking(results, "train_loss")
    assert (by_loss.best, by_loss.worse) == ("adam", ("sgd",))
    by_accuracy = bench.ranking(results)  # which all of them have the same
    assert {by_accuracy.best, *by_accuracy.tied} == {"adam", "sgd"}


@pytest.mark.parametrize(
    ("quantity", "message"),
    [
        ("train_los", "Unknown quantity 'train_los'. Did you mean 'train_loss'?"),
        ("iterations", "Unknown quantity 'iterations'"),  # neither way is better
    ],
)
def test_an_unknown_quantity_is_told(results: Path, quantity: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench.ranking(results, quantity)


def test_one_of_several_comparisons_is_named_by_how_its_name_begins(results: Path) -> None:
    for record in records(iterations=7, dtype="float64"):
        bench.save(record, results)
    assert len(bench.summary(results)) == 4
    with pytest.raises(
        UsageError, match=r"here are 2: name one with comparison=.*'mnist_logreg, 1 iterations, fl"
    ):
        bench.ranking(results)
    assert bench.ranking(results, "train_loss", comparison="mnist_logreg, 7 iterations").best
    (name,) = bench.summary(results, comparison="mnist_logreg, 1 iterations")["comparison"].unique()
    assert name == "mnist_logreg, 1 iterations, float32"
    assert len(bench.summary(results, comparison="mnist_logreg")) == 4
    with pytest.raises(UsageError, match=r"Unknown comparison 'mnist'\. Known: mnist_logreg, 1 it"):
        bench.summary(results, comparison="mnist")


def test_nothing_to_rank_is_told(tmp_path: Path) -> None:
    assert len(bench.summary([])) == 0
    with pytest.raises(UsageError, match=r"here are 0: .*Known: none"):
        bench.ranking([])
    with pytest.raises(UsageError, match="does not exist"):
        bench.summary(tmp_path / "elsewhere")


def test_the_page_is_written_beside_the_runs_or_elsewhere(results: Path, tmp_path: Path) -> None:
    assert bench.write_report(results) == results / "report" / "report.html"
    page = bench.write_report([results], tmp_path / "page")
    assert page == tmp_path / "page" / "report.html"
    assert f"optbench report {results}" in page.read_text()
    assert "adam" in page.with_suffix(".md").read_text()
