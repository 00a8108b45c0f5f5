"""The catalogue of quantities: what runs tell, and that one row of it is all that it takes."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.comparison import export as compared
from bench.comparison import groups, quantities, tables
from bench.comparison.analysis import analyse
from bench.comparison.quantities import QUANTITIES, Quantity
from bench.comparison.summary import summarise
from bench.report import contents
from bench.report.sections.main_table import table
from bench.runs import export as exporting
from bench.runs import store, views
from bench.runs.record import PHASE_COLUMNS, RunRecord
from bench.support.numbers import significant
from tests.bench.records import made_record


def yardstick(minutes: float) -> RunRecord:
    halves = (0.0, 0.002, 0.003, 0.0)
    return made_record(role="plain_gradient", phase_s=halves, losses=[1.0] * 9, minutes=minutes)


def test_keys_are_unique_and_every_quantity_is_explained() -> None:
    keys = [quantity.key for quantity in QUANTITIES]
    assert len(set(keys)) == len(keys)
    for quantity in QUANTITIES:
        assert quantity.help.endswith(".")
        assert quantity.title


def test_phases_keep_the_names_of_their_columns() -> None:
    """From the clock to the page: ``backward_s`` is the column, the key, and nothing else."""
    known = {quantity.key: quantity for quantity in QUANTITIES}
    for column in PHASE_COLUMNS:
        assert known[column].unit == "s"
        assert known[column].heading == f"{column.removesuffix('_s')} ms"


def test_what_a_run_tells() -> None:
    """Three iterations of 10 ms, of which forward and backward are 5 ms: those of the yardstick."""
    found = quantities.values(made_record(losses=[3.0, 2.0, 1.0]), 0.005)
    assert found == {
        "train_loss": 2.0,
        "test_accuracy": 0.9,
        "test_loss": 0.4,
        "iterations": 3.0,
        "clocked_s": pytest.approx(0.03),
        "data_s": pytest.approx(0.001),
        "forward_s": pytest.approx(0.002),
        "backward_s": pytest.approx(0.003),
        "step_s": pytest.approx(0.004),
        "iteration_s": pytest.approx(0.01),
        "plain_gradients": pytest.approx(2.0),
        "samples_per_s": pytest.approx(12_800),
    }


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (made_record(status="diverged", diverged_at=2), "timed"),
        (made_record(shared=True), "completed"),
        (made_record(status="interrupted"), ""),
        (made_record(status="failed", losses=[]), ""),
    ],
    ids=["diverged", "shared", "interrupted", "failed"],
)
def test_who_tells_what(record: RunRecord, told: str) -> None:
    known = quantities.of_record(record)
    found = quantities.values(record, 0.005)
    assert {known[key].of for key in found} == ({told} if told else set())
    if record.shared:
        assert "clocked_s" not in found


def test_without_a_yardstick_there_is_no_cost() -> None:
    assert "plain_gradients" not in quantities.values(made_record(), math.nan)


def test_of_times_too_short_for_the_clock_nothing_is_told_that_divides_by_them() -> None:
    none = quantities.values(made_record(phase_s=(0.0, 0.0, 0.0, 0.0)), 0.005)
    assert (none["iteration_s"], none["plain_gradients"]) == (0.0, 0.0)
    assert "samples_per_s" not in none
    assert "plain_gradients" not in quantities.values(made_record(), 0.0)


@pytest.mark.parametrize(("better", "worst"), [("max", -math.inf), ("min", math.inf)])
def test_an_evaluation_that_is_nan_is_infinitely_bad(better: str, worst: float) -> None:
    evaluations = [{"iteration": 3.0, "seconds": 0.03, "score": math.nan}]
    record = made_record(metrics={"score": better}, evaluations=evaluations)
    assert quantities.values(record, math.nan)["test_score"] == worst


@pytest.mark.parametrize("name", ["iterations", "train_loss", "target", "loss", "clocked_s"])
def test_a_metric_is_never_taken_for_a_quantity(name: str) -> None:
    """It had the same place as the quantity of its name once."""
    evaluations = [{"iteration": 3.0, "seconds": 0.03, name: 7.0}]
    record = made_record(metrics={name: "min"}, evaluations=evaluations)
    own = quantities.values(record, math.nan)
    assert own[f"test_{name}"] == 7.0
    plain = quantities.values(made_record(), math.nan)
    for quantity in QUANTITIES:
        assert own.get(quantity.key) == plain.get(quantity.key)


def test_the_loss_is_the_last_of_the_metrics() -> None:
    known = quantities.of_problem({"loss": "min", "accuracy": "max"}, "validation")
    assert list(known)[:4] == ["train_loss", "validation_accuracy", "validation_loss", "iterations"]


ADDED = Quantity(
    key="first_loss",
    title="first loss",
    unit="nats",
    better="min",
    format=significant,
    help="The first mini-batch loss of a run.",
    table="convergence",
    read=lambda record, _: float(record.values["loss"][0]),
)


def test_one_row_of_the_catalogue_is_all_that_a_new_quantity_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then terminal, page, ranking, ``--json``, export, SQL and the list of quantities have it."""
    monkeypatch.setattr(quantities, "QUANTITIES", (*QUANTITIES, ADDED))
    runs = [made_record(run_id=str(s), seed=s, losses=[2.0 + s, 1.0]) for s in range(3)]
    rows = summarise(runs, [], {})

    header, (cells,) = tables.convergence(rows)
    assert cells[header.index("first loss")] == "3.00 (2.00–4.00)"
    assert any("First loss: the first mini-batch loss of a run." in n for n in tables.notes(rows))
    assert json.loads(json.dumps(rows[0].to_json()))["spreads"]["first_loss"]["median"] == 3.0

    one = analyse(groups.of_comparison(runs, [], {}))
    assert one.rankings["first_loss"].leader == "sgd"
    made = table([one], [])
    at = [column.name for column in made.columns].index("first loss")
    assert made.columns[at].help == ADDED.help
    assert made.rows[0].cells[at].text == "3.00"
    behind = contents.of_comparison(one, "optbench run").sections[0].blocks[-1]
    assert "first loss" in str(behind)

    for record in runs:
        store.save(record, tmp_path)
    exported = compared.tables(exporting.sources([tmp_path]), [])["summary"]
    path, _ = exporting.write("summary", exported, tmp_path, "csv")
    frame = pd.read_csv(path)
    (found,) = frame[frame["quantity"] == "first_loss"].to_dict("records")
    assert (found["median"], found["unit"]) == (3.0, "nats")

    sql = "select sum(value), any_value(unit) from quantities where quantity = 'first_loss'"
    assert views.query(tmp_path, sql, {"quantities": quantities.view})[1] == [(9.0, "nats")]
    listed = CliRunner().invoke(app, ["list", "quantities"]).stdout
    assert "first_loss" in listed
    assert "nats" in listed


def test_the_view_holds_costs_against_the_yardsticks_of_the_session(tmp_path: Path) -> None:
    for record in (yardstick(0), made_record(run_id="a", minutes=1), yardstick(2)):
        store.save(record, tmp_path)
    sql = "select value from Quantities where quantity = 'plain_gradients'"
    ((cost,),) = views.query(tmp_path, sql, {"quantities": quantities.view})[1]
    assert cost == pytest.approx(2.0)


def test_the_view_is_empty_without_runs(tmp_path: Path) -> None:
    store.runs_folder(tmp_path).mkdir()
    sql = "select count(*) from quantities"
    assert views.query(tmp_path, sql, {"quantities": quantities.view})[1] == [(0,)]


@pytest.mark.parametrize(
    ("mib", "shown"),
    [
        ([0.7, 0.8, 0.9], "< 1 MiB"),
        ([0.0], "< 1 MiB"),
        ([0.8, 0.9, 3.0], "< 1 MiB (< 1–3)"),
        ([2.0, 2.1, 2.2], "2 MiB"),
        ([83.0, 84.0, 91.0], "84 MiB (83–91)"),
        ([84.0], "84 MiB"),
    ],
    ids=["below", "nothing", "partly below", "at the floor", "above", "one measurement"],
)
def test_peak_memory_is_a_median_with_its_range_where_it_can_be_told(
    mib: list[float], shown: str
) -> None:
    """In the terminal and in the report; exports and JSON have the bytes."""
    (row,) = summarise([made_record()], [], {"sgd": [int(2**20 * one) for one in mib]})
    assert tables.cost([row])[1][0][-1] == shown
    group = groups.of_comparison([made_record()], [], {"sgd": [int(2**20 * one) for one in mib]})
    found = table([analyse(group)], [])
    cell = found.rows[0].cells[-1]
    assert " ".join(filter(None, [cell.text, cell.detail and f"({cell.detail})"])) == shown
    assert row.spreads["peak_memory_bytes"].high == int(2**20 * max(mib))
    assert any(
        "below 1 MiB is below what can be told" in text
        for text in (*tables.notes([row]), *found.notes)
    )
