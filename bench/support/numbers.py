"""Numbers as people read them."""

from collections.abc import Mapping

from bench.statistics.intervals import Spread


def change(first: float, last: float) -> str:
    """Two significant digits of each, such as ``0.00012 → 0.0031``; one number if they agree."""
    shown = ["–" if value != value else f"{value:.2g}" for value in (first, last)]
    return " → ".join(dict.fromkeys(shown))


def spread(value: Spread | None, digits: int | None = None, unit: str = "") -> str:
    """Median with interval, such as ``0.187 (0.172–0.201)``; without one of a single run."""
    if value is None:
        return "–"

    def show(number: float) -> str:
        return f"{number:.{digits}f}" if digits is not None else f"{number:#.3g}".rstrip(".")

    if value.count == 1:
        return show(value.median) + unit
    return f"{show(value.median)}{unit} ({show(value.low)}–{show(value.high)})"


def milliseconds(seconds: float) -> str:
    """Three significant digits in ms; a dash for NaN."""
    return "–" if seconds != seconds else f"{1e3 * seconds:#.3g}".rstrip(".")


def memory(count: Spread | None) -> str:
    """A median of bytes as MiB."""
    return "–" if count is None else f"{count.median / 2**20:.0f} MiB"


def statuses(counts: Mapping[str, int]) -> str:
    """Such as ``3 completed`` or ``2 completed, 1 diverged``."""
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
