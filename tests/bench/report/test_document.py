"""A report is plain data: it cannot be changed, and two of the same parts are equal."""

import dataclasses
import inspect

import pytest

from bench.report import document
from bench.report.document import Cell, Report, Row, Table

PARTS = [
    kind for _, kind in inspect.getmembers(document, inspect.isclass)
    if dataclasses.is_dataclass(kind)
]  # fmt: skip


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_parts_are_frozen_and_told_by_keyword(kind: type) -> None:
    fields = dataclasses.fields(kind)
    assert all(field.kw_only for field in fields)
    made = kind(**{field.name: f"{field.name}" for field in fields})
    with pytest.raises(dataclasses.FrozenInstanceError, match=fields[0].name):
        setattr(made, fields[0].name, "other")


def test_every_attribute_is_explained() -> None:
    """But in parts of one sentence, whose attributes are what it says."""
    for kind in PARTS:
        told = (kind.__doc__ or "").partition("Attributes:")[2]
        if told:
            for field in dataclasses.fields(kind):
                assert f"\n        {field.name}: " in told, f"{kind.__name__}.{field.name}"


def test_reports_of_the_same_parts_are_equal() -> None:
    table = Table(caption="c", columns=[], rows=[Row(cells=[Cell(text="1", value=1.0)])])
    report = Report(title="t", answer=["a"], table=table)
    assert report == Report(title="t", answer=["a"], table=dataclasses.replace(table))
    assert report != dataclasses.replace(report, table=dataclasses.replace(table, notes=["n"]))
