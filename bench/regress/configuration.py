"""``[tool.optbench.regress]`` of the ``pyproject.toml`` above the folder one works in."""

import itertools
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown
from bench.statistics.launches import QUANTITIES, THRESHOLD

BUDGET_S = 60.0
_TABLE = "tool.optbench.regress"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a project sets for its comparisons.

    Attributes:
        threshold: Smallest change that counts, as a share.
        budget_s: Seconds per benchmark.
        thresholds: Pattern of ``problem/label`` or ``problem/label/phase`` to its own threshold;
            the last that matches holds.
    """

    threshold: float = THRESHOLD
    budget_s: float = BUDGET_S
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def of(self, benchmark: str, quantity: str) -> float:
        """The threshold of one line of a comparison."""
        found = self.threshold
        for pattern, threshold in self.thresholds.items():
            if _matches(pattern, benchmark, quantity):
                found = threshold
        return found

    def idle(self, benchmarks: Iterable[str]) -> list[str]:
        """Patterns that no line of these benchmarks matches, such as those with a typing error."""
        lines = [*itertools.product(benchmarks, QUANTITIES)]
        return [
            pattern
            for pattern in self.thresholds
            if not any(_matches(pattern, *line) for line in lines)
        ]


def _matches(pattern: str, benchmark: str, quantity: str) -> bool:
    return fnmatchcase(benchmark, pattern) or fnmatchcase(f"{benchmark}/{quantity}", pattern)


def read(folder: Path) -> Configuration:
    """Read the nearest ``pyproject.toml``; thresholds in it are percentages.

    Raises:
        UsageError: It cannot be read, has an unknown key or a value of the wrong kind.
    """
    path = next(
        (up / "pyproject.toml" for up in (folder, *folder.parents)
         if (up / "pyproject.toml").is_file()),
        None,
    )  # fmt: skip
    if path is None:
        return Configuration()
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}.") from None
    table = document
    for name in _TABLE.split("."):
        table = table.get(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"'{path}': {name} of [{_TABLE}] is not a table.")
    known = ("threshold", "budget", "thresholds")
    for name in table:
        if name not in known:
            raise unknown(f"key in [{_TABLE}] of '{path}':", name, known)
    own = table.get("thresholds", {})
    if not isinstance(own, dict):
        raise UsageError(f"[{_TABLE}] thresholds is a table of patterns to percentages.")
    for pattern in own:
        phase = pattern.rpartition("/")[2]
        if pattern.count("/") > 1 and "*" not in phase and phase not in QUANTITIES:
            raise unknown(f"phase in [{_TABLE}] thresholds:", phase, QUANTITIES)
    defaults, where = Configuration(), f"[{_TABLE}] of '{path}': "
    return Configuration(
        threshold=share(f"{where}threshold", table.get("threshold", 100 * defaults.threshold)),
        budget_s=seconds(f"{where}budget", table.get("budget", defaults.budget_s)),
        thresholds={pattern: share(f"{where}{pattern}", value) for pattern, value in own.items()},
    )


def share(name: str, percent: Any) -> float:
    """Read a percentage.

    Raises:
        UsageError: It is not a finite number from 0 on.
    """
    number = isinstance(percent, (int, float)) and not isinstance(percent, bool)
    if not number or not 0 <= percent < math.inf:
        raise UsageError(f"{name}={percent} is not valid: it is a percentage >= 0.")
    return float(percent) / 100


def seconds(name: str, value: Any) -> float:
    """Read a time budget.

    Raises:
        UsageError: It is not a number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise UsageError(f"{name}={value} is not valid: it is a number of seconds > 0.")
    return float(value)
