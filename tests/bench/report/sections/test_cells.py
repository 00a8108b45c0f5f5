"""Cells say a median with its interval, and whose runs are behind it."""

import math

import pytest

from bench.report.document import Cell
from bench.report.sections import cells
from bench.statistics.intervals import spread
from bench.statistics.ranking import Ranking
from bench.support.numbers import milliseconds, significant


def test_a_number_has_its_interval_and_the_seeds_behind_it() -> None:
    values = {"run a": 0.012, "run b": 0.010, "run c": 0.011}
    found = cells.number(
        spread(list(values.values())), milliseconds, values, {"run a": 4, "run b": 5, "run c": 7},
        mark="tied", runs="runs-0-0", quantity="step ms",
    )  # fmt: skip
    assert found == Cell(
        text="11.0",
        detail="10.0–12.0",
        value=0.011,
        mark="tied",
        tip="3 runs. seed 4: 12.0, seed 5: 10.0, seed 7: 11.0. The interval holds the median with "
        "75 %.",
        runs="runs-0-0",
        quantity="step ms",
    )


def test_one_run_has_no_interval() -> None:
    found = cells.number(spread([0.5]), significant, {"run": 0.5}, {"run": 0})
    assert found == Cell(text="0.500", value=0.5, tip="1 run. seed 0: 0.500.")


def test_measurements_that_are_of_no_run_are_counted_only() -> None:
    """Such as peak memory, which is measured in runs of its own."""
    found = cells.number(spread([1.0, 2.0]), significant, {}, {})
    assert found.tip == "2 runs. The interval holds the median with 50 %."


def test_what_was_not_measured_is_a_dash_that_comes_last() -> None:
    for found in (cells.number(None, significant, {}, {}), cells.single(None, significant)):
        assert found.text == "–"
        assert isinstance(found.value, float)
        assert math.isnan(found.value)
    assert cells.single(0.0, significant) == Cell(text="0", value=0.0)


@pytest.mark.parametrize(
    ("count", "told"), [(8, "0, 1, 2, 3, 4, 5, 6, 7"), (9, "0, 1, 2, 3, 4, 5, 6, 7, ...")]
)
def test_of_many_the_first_are_told(count: int, told: str) -> None:
    assert cells.first_few([f"{n}" for n in range(count)]) == told


def test_the_best_and_what_may_be_as_good_are_marked() -> None:
    ranking = Ranking(
        leader="a", best="a", tied=("b",), behind=("f",), worse=("c",), lost=("d",), seeds=3
    )
    marks = [cells.mark(ranking, label) for label in "abfcde"]
    assert marks == ["best", "tied", "behind", "", "", ""]
    assert cells.mark(None, "a") == ""


def test_a_table_of_text_has_numbers_in_all_columns_but_the_first() -> None:
    table = (["name", "n"], [["a", "1"], ["b", "2"]])
    found = cells.plain_table("Names", table, notes=["A note."])
    assert [(column.name, column.numeric) for column in found.columns] == [
        ("name", False), ("n", True),
    ]  # fmt: skip
    assert [[cell.text for cell in row.cells] for row in found.rows] == table[1]
    assert (found.caption, found.notes) == ("Names", ["A note."])
    assert not any(column.numeric for column in cells.plain_table("", table, numeric=False).columns)
