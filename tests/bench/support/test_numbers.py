"""Numbers as people read them."""

import math

import pytest

from bench.statistics.intervals import Spread
from bench.support import numbers

SPREAD = Spread(median=0.187, low=0.1721, high=0.2, count=5, coverage=0.94)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (100.0, "100"),
        (-1.5, "-1.50"),
        (0.0, "0"),
        (123456.0, "1.23e+05"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
    ],
)
def test_three_significant_digits(value: float, shown: str) -> None:
    assert numbers.significant(value) == shown


def test_units_are_those_that_people_read() -> None:
    assert numbers.milliseconds(0.0123456) == "12.3"
    assert (numbers.duration(1.2401), numbers.duration(0.0155)) == ("1.24 s", "15.5 ms")
    assert numbers.mebibytes(3 * 2**20) == "3 MiB"
    assert (numbers.times(1.987), numbers.times(math.nan)) == ("1.99×", "–")
    assert (numbers.whole(12800.4), numbers.whole(math.inf)) == ("12800", "∞")
    assert numbers.statuses({"diverged": 1, "completed": 2}) == "2 completed, 1 diverged"
    assert numbers.statuses({"not_applicable": 2}) == "2 not applicable"


def test_an_interval_is_of_several_runs() -> None:
    single = Spread(median=0.187, low=0.187, high=0.187, count=1, coverage=0.0)
    assert numbers.spread(SPREAD) == "0.187 (0.172–0.200)"
    assert numbers.spread(SPREAD, numbers.milliseconds) == "187 (172–200)"
    assert numbers.spread(single) == numbers.median(SPREAD, numbers.significant) == "0.187"
    assert numbers.spread(None) == numbers.median(None, numbers.whole) == numbers.MISSING


@pytest.mark.parametrize(
    ("first", "last", "cell"),
    [
        (0.00012, 0.0031, "0.00012 → 0.0031"),
        (1.0, 1.0, "1"),
        (0.12345, 0.12346, "0.12"),
        (float("nan"), float("nan"), "–"),
        (float("nan"), 0.5, "– → 0.5"),
    ],
)
def test_a_change_is_one_number_where_there_is_none(first: float, last: float, cell: str) -> None:
    assert numbers.change(first, last) == cell


@pytest.mark.parametrize(
    ("ends", "show", "told"),
    [
        ((1.0, 2.0), numbers.times, "1.00–2.00"),
        ((2**20, 3 * 2**20), numbers.mebibytes, "1–3"),
        ((1.9 * 2**20, 2.2 * 2**20), numbers.mebibytes, ""),
        ((1.0, 1.0), numbers.times, "1.00–1.00"),
    ],
    ids=["multiples", "MiB", "the same MiB", "the same multiple"],
)
def test_an_interval_has_no_unit_and_tells_something(
    ends: tuple[float, float], show: numbers.Show, told: str
) -> None:
    low, high = ends
    value = Spread(median=(low + high) / 2, low=low, high=high, count=3, coverage=0.75)
    assert numbers.interval(value, show) == told
    shown = show(value.median)
    assert numbers.spread(value, show) == (f"{shown} ({told})" if told else shown)
