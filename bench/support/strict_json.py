"""Values as strict JSON, which has neither NaN nor infinities."""

import math
from collections.abc import Callable, Mapping
from typing import Any


def with_nulls(value: Any) -> Any:
    """Plain JSON for other programs: numbers that are not finite become null."""
    return _plain(value, lambda _: None)


def with_strings(value: Any) -> Any:
    """Plain JSON to be read back: :func:`number` takes the strings for NaN and infinities."""
    return _plain(value, str)


def number(value: Any) -> float:
    """A number that was written by :func:`with_strings`.

    Raises:
        ValueError: It is none.
    """
    if type(value) not in (int, float) and value not in ("nan", "inf", "-inf"):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _plain(value: Any, replace: Callable[[float], Any]) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, replace) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, replace) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return replace(value)
    return value


def by_value(value: Any) -> Any:
    """A value as JSON, the same for what is equal: numbers by value, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(name): by_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [by_value(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**53:
        value = float(value)
    return value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0
