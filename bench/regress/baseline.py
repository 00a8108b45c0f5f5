"""A stored file of the benchmark suite: read, and compared with the machine at hand."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.runs import conditions

_MACHINE = conditions.that_decide("baseline")
_MEDIAN = "relative_cost_median"
_NEEDED = ("phase", "optimizer", "problem", "batch_size", "device", "data", "relative_cost")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A pytest-benchmark file of this suite.

    Attributes:
        name: Of the file.
        machine: What ``machine_info`` says of the machine and its libraries.
        rounds: The fewest of any benchmark.
        commit: Of the code that it was made from, or ``None``.
        when: When it was made, UTC.
        by_mean: Whether relative costs are of means; in older files they are of medians.
        costs: Relative cost by benchmark.
        median_costs: That of medians.
        seconds: Median by benchmark.
        mean_seconds: Mean by benchmark.
        info: ``extra_info`` by benchmark.
    """

    name: str
    machine: Mapping[str, Any]
    rounds: int
    commit: str | None
    when: datetime
    by_mean: bool
    costs: Mapping[str, float]
    median_costs: Mapping[str, float]
    seconds: Mapping[str, float]
    mean_seconds: Mapping[str, float]
    info: Mapping[str, Mapping[str, Any]]


def read(path: Path) -> Stored:
    """Read a file that ``--benchmark-json`` or ``--benchmark-autosave`` made of this suite.

    Raises:
        UsageError: It is not there, is truncated, or is something else.
    """
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"Baseline '{path}' does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Baseline '{path}' cannot be read: {error}.") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"Baseline '{path}' is no complete JSON file ({error}): it was cut short, or is "
            "something else."
        ) from None
    try:
        if not isinstance(document, dict):
            raise KeyError("benchmarks")
        benchmarks = {item["name"]: item for item in document["benchmarks"]}
        machine = document["machine_info"]["optbench"]
        _require_described(machine)
        info = {name: item["extra_info"] for name, item in benchmarks.items()}
        lacking = [key for extra in info.values() for key in _NEEDED if key not in extra]
        if lacking or not benchmarks:
            raise KeyError(lacking[0] if lacking else "benchmarks")
        return Stored(
            name=str(path),
            machine=machine,
            rounds=min(int(item["stats"]["rounds"]) for item in benchmarks.values()),
            commit=_commit(document.get("commit_info", {})),
            when=datetime.fromisoformat(document["datetime"]),
            by_mean=all(_MEDIAN in extra for extra in info.values()),
            costs={name: _positive(extra["relative_cost"]) for name, extra in info.items()},
            median_costs={
                name: _positive(extra.get(_MEDIAN, extra["relative_cost"]))
                for name, extra in info.items()
            },
            seconds={name: _positive(b["stats"]["median"]) for name, b in benchmarks.items()},
            mean_seconds={name: _positive(b["stats"]["mean"]) for name, b in benchmarks.items()},
            info=info,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"Baseline '{path}' is not of optbench's suite (it lacks {error}): make one with "
            "pytest bench/ --benchmark-only --benchmark-json FILE."
        ) from None


def costs(files: Iterable[Stored]) -> list[Mapping[str, float]]:
    """Relative costs of several files, all of means if all files have them, else all of medians."""
    files = list(files)
    by_mean = all(file.by_mean for file in files)
    return [file.costs if by_mean else file.median_costs for file in files]


def _require_described(machine: Any) -> None:
    """Check what comparisons and histories read of a machine.

    Raises:
        KeyError: It is not there.
    """
    if not isinstance(machine, dict):
        raise KeyError("optbench in machine_info")
    for name in (*(condition.key for condition in _MACHINE), "fingerprint", "versions"):
        if name not in machine:
            raise KeyError(f"{name} in machine_info")
    for name, inner in (("versions", None), ("allocator", "tuned")):
        if not isinstance(machine[name], dict) or inner not in (None, *machine[name]):
            raise KeyError(f"{name} in machine_info")


def _positive(value: Any) -> float:
    """A cost or a time.

    Raises:
        ValueError: It is neither.
    """
    if not 0 < (number := float(value)) < math.inf:
        raise ValueError(f"positive costs and times: it has {value}")
    return number


def _commit(info: Mapping[str, Any]) -> str | None:
    name = info.get("id")
    if not name or name in ("unknown", "unversioned"):
        return None
    return f"{name}-dirty" if info.get("dirty") else str(name)


def differences(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """Fields of the machine and its libraries that differ, with both values.

    Args:
        base: ``machine_info["optbench"]`` of a file; see ``bench.machine.environment.comparable``.
        head: Of another, or of the machine at hand.
    """
    found = [
        f"{condition.key} ({condition.of(base)}, now {condition.of(head)})"
        for condition in _MACHINE
        if condition.of(base) != condition.of(head)
    ]
    before, now = base.get("versions", {}), head.get("versions", {})
    found += [
        f"{name} ({before.get(name)}, now {now.get(name)})"
        for name in dict.fromkeys((*before, *now))
        if name != "optbench" and before.get(name) != now.get(name)
    ]
    return found
