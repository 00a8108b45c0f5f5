"""Numbers as people read them, in the terminal and in reports alike."""

import math
from collections.abc import Callable, Mapping

from bench.statistics.intervals import Spread
from bench.support.text import in_words

MISSING = "–"  # what was not measured
Show = Callable[[float], str]
_MIB = " MiB"


def significant(value: float) -> str:
    """Three significant digits; ``∞`` for a miss, a dash for NaN."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    return f"{value:#.3g}".rstrip(".")


def whole(value: float) -> str:
    """A count; ``∞`` for a miss, a dash for NaN."""
    return f"{value:.0f}" if math.isfinite(value) else significant(value)


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds with three significant digits; a dash for NaN."""
    return significant(1e3 * seconds)


def duration(seconds: float) -> str:
    """Seconds with their unit, such as ``1.24 s`` or ``15.5 ms``."""
    return f"{significant(seconds)} s" if seconds >= 1 else f"{milliseconds(seconds)} ms"


def mebibytes(count: float) -> str:
    """Bytes as MiB."""
    return f"{count / 2**20:.0f}{_MIB}"


def times(cost: float) -> str:
    """A multiple, such as ``1.99×``; a dash for NaN."""
    return MISSING if math.isnan(cost) else f"{cost:.2f}×"


def median(value: Spread | None, show: Show) -> str:
    """A median without its interval; a dash for nothing."""
    return MISSING if value is None else show(value.median)


def spread(value: Spread | None, show: Show = significant) -> str:
    """A median with its interval, such as ``0.187 (0.172–0.201)``; without one of a single run."""
    told = interval(value, show) if value else ""
    return median(value, show) + (f" ({told})" if told else "")


def interval(value: Spread, show: Show) -> str:
    """The ends of an interval, without the unit that stands behind the median: ``1.98–2.04``.

    Nothing of a single run, nor of whole MiB that are all the same.
    """
    told = [show(end) for end in (value.low, value.median, value.high)]
    if value.count == 1 or (told[1].endswith(_MIB) and len(set(told)) == 1):
        return ""
    low, _, high = (text.removesuffix("×").removesuffix(_MIB) for text in told)
    return f"{low}–{high}"


def change(first: float, last: float) -> str:
    """Two significant digits of each, such as ``0.00012 → 0.0031``; one number if they agree."""
    shown = [MISSING if math.isnan(value) else f"{value:.2g}" for value in (first, last)]
    return " → ".join(dict.fromkeys(shown))


def statuses(counts: Mapping[str, int]) -> str:
    """Such as ``3 completed`` or ``2 completed, 1 diverged``."""
    return ", ".join(f"{count} {in_words(status)}" for status, count in sorted(counts.items()))
