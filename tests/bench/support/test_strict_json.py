"""JSON for anybody: no NaN, no infinities, and nothing else is changed."""

import json
import math
from typing import Any

import pytest

from bench.support import strict_json

VALUE: dict[Any, Any] = {
    "loss": [1.5, math.nan, (math.inf, -math.inf)],
    3: {"inner": math.nan, "count": 2, "fine": True, "none": None, "text": "nan"},
}


def test_what_is_not_finite_becomes_null() -> None:
    assert strict_json.with_nulls(VALUE) == {
        "loss": [1.5, None, [None, None]],
        "3": {"inner": None, "count": 2, "fine": True, "none": None, "text": "nan"},
    }


def test_what_is_not_finite_becomes_a_string_that_is_read_back() -> None:
    found = strict_json.with_strings(VALUE)
    assert found["loss"] == [1.5, "nan", ["inf", "-inf"]]
    assert [strict_json.number(text) for text in found["loss"][2]] == [math.inf, -math.inf]
    assert math.isnan(strict_json.number(found["3"]["inner"]))
    assert strict_json.number(2) == 2.0


@pytest.mark.parametrize("value", [True, None, "1", "Infinity", [1], b"nan"], ids=repr)
def test_what_is_no_number_is_told(value: Any) -> None:
    with pytest.raises(ValueError, match=r"is no number"):
        strict_json.number(value)


@pytest.mark.parametrize("plain", [strict_json.with_nulls, strict_json.with_strings])
def test_the_result_is_strict(plain: Any) -> None:
    assert json.loads(json.dumps(plain(VALUE), allow_nan=False)) == plain(VALUE)
    assert plain(plain(VALUE)) == plain(VALUE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        ((0, 1), [0.0, 1.0], True),
        ({"a": (1,)}, {"a": [1.0]}, True),
        (-0.0, 0, True),
        (True, 1, False),
        (2**53 + 1, float(2**53), False),
        ("1", 1, False),
    ],
)
def test_numbers_are_equal_by_value(one: Any, other: Any, same: bool) -> None:
    assert (
        json.dumps(strict_json.by_value(one)) == json.dumps(strict_json.by_value(other))
    ) == same
