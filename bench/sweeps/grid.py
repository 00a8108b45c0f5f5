"""The grid language: ``damping=1e-4:1e2:log7``, ``momentum=0:0.9:lin4``, ``lr=0.01,0.1,1``."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.errors import UsageError
from bench.runs.settings import AskFacts, Entry, Facts, facts_here, parse_value, takers

Scale = Literal["log", "lin", "list"]
_RULE = "write KEY=LOW:HIGH:logN, KEY=LOW:HIGH:linN, or KEY=VALUE,VALUE,..."
_RANGE = re.compile(r"(?P<low>[^:]*):(?P<high>[^:]*):(?P<scale>log|lin)(?P<count>\d+)")
_DIGITS = 6


@dataclass(frozen=True)
class Axis:
    """The values that one hyperparameter is swept over.

    Attributes:
        values: The values, each once.
        scale: How they were written: equal ratios, equal steps, or one by one.
    """

    values: tuple[Any, ...]
    scale: Scale = "list"

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the greatest value, if these are different numbers."""
        numbers = [
            value
            for value in self.values
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        ]
        if len(numbers) < len(self.values) or len(numbers) < 2:
            return None
        return min(numbers), max(numbers)

    @property
    def logarithmic(self) -> bool:
        """Whether ratios matter: said so, or a list of positive numbers over a decade and more."""
        if self.scale != "list" or self.bounds is None:
            return self.scale == "log"
        low, high = self.bounds
        return low > 0 and high >= 10 * low


def parse_axis(text: str) -> tuple[str, Axis]:
    """Read one ``[LABEL.]KEY=VALUES``.

    ``LOW:HIGH:logN`` are N values with equal ratios, ``LOW:HIGH:linN`` with equal steps, both
    ends included; values are rounded to six digits. A list has commas, or semicolons where its
    values have commas themselves, as in ``betas=0.9,0.99;0.9,0.999`` (a single one ends with one).

    Returns:
        The key, and the axis.

    Raises:
        UsageError: It cannot be read, is empty, or names a value twice.
    """
    key, separator, written = (part.strip() for part in text.partition("="))
    if not separator or not key:
        raise UsageError(f"Grid '{text}' is not valid: {_RULE}.")
    if ":" in written:
        return key, _range(text, written)
    mark = ";" if ";" in written else ","
    parts = [part.strip() for part in written.removesuffix(";").split(mark)]
    if not all(parts):
        raise UsageError(f"Grid '{text}' is not valid: it lacks a value; {_RULE}.")
    values = tuple(parse_value(part) for part in parts)
    for value in values:
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"Grid '{text}' is not valid: {value} is no finite number.")
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise UsageError(f"Grid '{text}' is not valid: it has the value {twice[0]} twice.")
    return key, Axis(values)


def _range(text: str, written: str) -> Axis:
    match = _RANGE.fullmatch(written.replace(" ", ""))
    if match is None:
        raise UsageError(f"Grid '{text}' is not valid: {_RULE}.")
    low, high = _number(text, match["low"]), _number(text, match["high"])
    count = int(match["count"])
    if not low < high:
        raise UsageError(f"Grid '{text}' is not valid: {low:g} is to be less than {high:g}.")
    if count < 2:
        raise UsageError(f"Grid '{text}' is not valid: a range has at least two values.")
    if match["scale"] == "log":
        if low <= 0:
            raise UsageError(
                f"Grid '{text}' is not valid: a logarithmic range begins above 0, as in "
                "1e-4:1e2:log7; list 0 by hand, as in 0,0.01,0.1."
            )
        found = np.geomspace(low, high, count)
    else:
        found = np.linspace(low, high, count)
    values = [float(f"{value:.{_DIGITS}g}") for value in found]
    if len(set(values)) < count:
        raise UsageError(f"Grid '{text}' is not valid: {count} values are too many to tell apart.")
    whole = all(re.fullmatch(r"[+-]?\d+", match[end]) for end in ("low", "high"))
    if whole and all(value == int(value) for value in values):
        return Axis(tuple(int(value) for value in values), _scale(match["scale"]))
    return Axis(tuple(values), _scale(match["scale"]))


def _scale(name: str) -> Scale:
    return "log" if name == "log" else "lin"


def _number(text: str, part: str) -> float:
    try:
        number = float(part)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"Grid '{text}' is not valid: '{part}' is no number; {_RULE}.")
    return number


def axes_by_label(
    texts: Sequence[str], entries: Sequence[Entry], facts: AskFacts = facts_here
) -> Mapping[str, dict[str, Axis]]:
    """The axes of each label; without a label in the key, every optimizer that has the key.

    An axis with a label wins over one without. Where no axis applies, the optimizer's registered
    search space is used, and where it has none, its settings as they are.

    Raises:
        UsageError: A grid that cannot be read, a label that was not selected, a key that no
            selected optimizer has, or the same axis twice.
    """
    general: dict[str, dict[str, Axis]] = {entry.label: {} for entry in entries}
    own: dict[str, dict[str, Axis]] = {entry.label: {} for entry in entries}
    for text in texts:
        key, axis = parse_axis(text)
        labelled = "." in key
        for label, name in takers(key, entries, facts):
            target = (own if labelled else general)[label]
            if name in target:
                raise UsageError(f"The grid has two axes '{key}': give one of them.")
            target[name] = axis
    return {
        entry.label: general[entry.label] | own[entry.label] or _registered(facts(entry.optimizer))
        for entry in entries
    }


def _registered(facts: Facts) -> dict[str, Axis]:
    return {name: Axis(tuple(values)) for name, values in facts.search_space.items()}
