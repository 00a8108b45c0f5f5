"""Looks of optimizers, and the keys of figures."""

import numpy as np
import pytest

from bench.comparison import groups
from bench.comparison.analysis import analyse
from bench.report.figures import axes
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record
from tests.bench.report.figures.seen import first, losses


def test_forty_optimizers_look_different() -> None:
    records = [made_record(label=f"{n}", run_id=f"{n}", problem=f"{n // 10}") for n in range(40)]
    found = axes.series([analyse(group) for group in groups.split(records)])
    assert len({(one.colour, one.marker, one.dash) for one in found}) == 40


def test_labels_that_begin_with_an_underscore_are_in_the_key() -> None:
    records = [made_record(label=label, run_id=label) for label in ("_a", "b")]
    (key,) = first(losses(analysed(records))).legends
    assert {text.get_text() for text in key.texts} == {"_a", "b"}


def test_a_group_is_drawn_in_its_own_order_with_the_colours_of_the_report() -> None:
    """The first twelve of them; what another group has first does not matter."""
    here = analysed([made_record(label=f"{n:02}", run_id=f"{n}") for n in range(20)])
    known = axes.series([analysed([made_record(label="05", problem="other")]), here])
    drawn = axes.items(here, known)
    assert [item.label for _, item in drawn] == here.labels[:12]
    assert all(known[number] is item for number, item in drawn)
    assert known[0].label == "05"


def test_an_entry_of_the_key_belongs_to_its_optimizer() -> None:
    """So that both are hidden together."""
    records = [made_record(label=label, run_id=label) for label in ("a", "b")]
    (key,) = first(losses(analysed(records))).legends
    of_text = [text.get_gid() for text in key.texts]
    assert sorted(map(str, of_text)) == ["series:0:line", "series:1:line"]
    assert [handle.get_gid() for handle in key.legend_handles if handle] == of_text


@pytest.mark.parametrize(
    ("labels", "columns"),
    [
        (["sgd"], 1),
        (["sgd", "adam", "ggn", "momentum"], 2),
        (["a" * 20] * 5, 2),
        (["a" * 30] * 5, 1),
        (["sgd"] * 12, 3),
    ],
    ids=["one", "two rows", "long", "very long", "many"],
)
def test_as_many_columns_as_fit(labels: list[str], columns: int) -> None:
    assert axes._columns(labels) == columns


def test_a_logarithmic_axis_reaches_from_the_first_positive_position_to_the_last() -> None:
    _, plot = axes.empty(["sgd"])
    plot.plot([0, 1, 2], [1.0, 2.0, 3.0])
    axes.scales(plot, "log", "linear", [np.array([0.0, 2.0, 50.0]), np.array([0.0, 5.0, 700.0])])
    assert (plot.get_xscale(), plot.get_yscale()) == ("log", "linear")
    assert plot.get_xlim() == (2.0, 700.0)
