"""The catalogue of conditions: under what a run took place, and what each of them decides.

To add one is to add a row to ``CONDITIONS``, with a default if older records lack it: refusals to
compare, the names of comparisons, run ids, what counts as stored already and what a stored
benchmark file is held against follow. What a user asks for is a field of ``RunSpec`` too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Decides = Literal["losses", "times", "memory", "comparison", "baseline"]
Part = Literal["config", "environment", "data", "metrics"]
_NEEDED = object()


class Described(Protocol):
    """What conditions are read from: a record, or one of a run that is about to begin."""

    @property
    def config(self) -> Mapping[str, Any]:
        """As in ``RunRecord``."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """As in ``RunRecord``."""

    @property
    def data(self) -> Mapping[str, Any]:
        """As in ``RunRecord``."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """As in ``RunRecord``."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition.

    Attributes:
        key: Its name, for people and programs.
        part: Which part of a record tells it.
        get: Reads it from that part.
        decides: What it decides. ``losses``: it is part of the run id, unless it is a field of
            ``RunSpec``, which all are. ``times``: a stored run under another is not taken for this
            one where times matter. ``memory``: likewise for peak memory. ``comparison``: runs that
            differ in it are not compared. ``baseline``: stored benchmark files that differ in it
            are not compared with the present code.
        phrase: How a comparison is named after it; nothing if it never is.
        default: What it is in records that lack it; such a value is not hashed.
    """

    key: str
    part: Part
    get: Callable[[Mapping[str, Any]], Any]
    decides: frozenset[Decides]
    phrase: Callable[[Any], str] | None = None
    default: Any = _NEEDED

    def read(self, run: Described) -> Any:
        """Its value for a run.

        Raises:
            KeyError: The record lacks it, and it has no default.
        """
        return self.of(getattr(run, self.part))

    def of(self, part: Mapping[str, Any]) -> Any:
        """Its value, from the part of a record that tells it; see :meth:`read`."""
        try:
            return self.get(part)
        except KeyError:
            if self.default is _NEEDED:
                raise
            return self.default


def _condition(
    key: str,
    part: Part,
    name: str,
    decides: str,
    phrase: Callable[[Any], str] | None = None,
    default: Any = _NEEDED,
) -> Condition:
    """A condition that is one value of a part of a record."""
    return Condition(
        key=key,
        part=part,
        get=lambda facts: facts[name],
        decides=frozenset(decides.split()),  # type: ignore[arg-type]
        phrase=phrase,
        default=default,
    )


CONDITIONS = (
    _condition("problem", "config", "problem", "comparison memory"),
    _condition("device", "config", "device", "comparison memory", lambda name: f"on {name}"),
    _condition(
        "batch size",
        "config",
        "batch_size",
        "comparison memory",
        lambda size: f"batch size {size}",
    ),
    _condition("dtype", "config", "dtype", "comparison memory", str),
    _condition("split", "config", "split", "comparison", lambda name: f"judged on {name}"),
    _condition("data", "data", "name", "losses comparison", str),
    _condition(
        "data checksum",
        "data",
        "checksum",
        "losses comparison",
        lambda checksum: f"data {str(checksum)[:8]}",
    ),
    Condition(
        key="machine",
        part="environment",
        get=lambda facts: (facts["fingerprint"], facts["cpu"]),
        decides=frozenset({"times", "memory", "comparison"}),
        phrase=lambda machine: f"{machine[1]} {machine[0][:6]}",
    ),
    _condition("cpu", "environment", "cpu", "baseline"),
    _condition("logical_cores", "environment", "logical_cores", "baseline"),
    _condition("memory_gib", "environment", "memory_gib", "baseline"),
    _condition("gpu", "environment", "gpu", "baseline"),
    _condition(
        "threads",
        "environment",
        "threads",
        "losses comparison baseline",
        lambda count: f"threads: {count}",
    ),
    Condition(
        key="torch",
        part="environment",
        get=lambda facts: facts["versions"]["torch"],
        decides=frozenset({"memory", "comparison"}),
        phrase=lambda version: f"torch {version}",
    ),
    _condition("versions", "environment", "versions", "losses"),
    Condition(
        key="metrics",
        part="metrics",
        get=", ".join,
        decides=frozenset({"comparison"}),
        phrase=lambda names: f"metrics {names}",
    ),
    Condition(
        key="allocator tuning",
        part="environment",
        get=lambda facts: facts["allocator"]["tuned"],
        decides=frozenset({"times", "comparison"}),
        phrase=lambda tuned: "tuned allocator" if tuned else "allocator untuned",
    ),
    _condition("allocator", "environment", "allocator", "baseline"),
    _condition("warm-up", "config", "warmup", "times", default=1),
)


BY_KEY = {condition.key: condition for condition in CONDITIONS}


def that_decide(what: Decides) -> list[Condition]:
    """The conditions that decide something, in the order in which they are told."""
    return [condition for condition in CONDITIONS if what in condition.decides]


def values(run: Described, what: Decides) -> dict[str, Any]:
    """What decides something of a run, by key.

    Raises:
        KeyError: The record lacks a condition that has no default.
    """
    return {condition.key: condition.read(run) for condition in that_decide(what)}


def hashed(run: Described) -> dict[str, Any]:
    """What decides a run's losses beside its ``RunSpec``, for its id.

    A condition at its default is left out, so that one that is new changes no old id.
    """
    found = ((condition, condition.read(run)) for condition in that_decide("losses"))
    return {condition.key: value for condition, value in found if value != condition.default}


def differing(runs: Iterable[Described]) -> dict[str, list[str]]:
    """The conditions of comparability in which runs differ, with the values that there are."""
    every = list(runs)
    found = {
        condition.key: sorted({_shown(condition, run) for run in every})
        for condition in that_decide("comparison")
    }
    return {key: shown for key, shown in found.items() if len(shown) > 1}


def _shown(condition: Condition, run: Described) -> str:
    value = condition.read(run)
    return str(value[0] if isinstance(value, tuple) else value)
