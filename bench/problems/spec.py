"""What the registry knows of a problem. Imports no torch, so that listing problems is quick."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optimizers.errors import UsageError
from optimizers.plugins import load_reference

if TYPE_CHECKING:
    from bench.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class ProblemOptions:
    """What a problem is built with.

    Attributes:
        split: Evaluate on the ``"test"`` or on the ``"validation"`` split.
        data_root: Folder with data sets in torchvision's layout, or ``None`` to look for them.
    """

    split: str = "test"
    data_root: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProblemSpec:
    """A registered problem.

    Attributes:
        name: The name in the registry.
        build: Builds the problem from its options, or a reference to what does.
        summary: One line for ``optbench list``.
    """

    name: str
    build: "str | Callable[[ProblemOptions], Problem]"
    summary: str = ""

    def load_builder(self) -> "Callable[[ProblemOptions], Problem]":
        """Import what builds the problem."""
        return load_reference(self.build) if isinstance(self.build, str) else self.build


def adopt(name: str, candidate: Any) -> ProblemSpec:
    """Turn what a plug-in supplies, a spec or a builder, into a spec.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(candidate, ProblemSpec):
        return candidate
    if not callable(candidate):
        raise UsageError(
            f"'{name}' is a {type(candidate).__name__}; a problem is a ProblemSpec or a callable "
            "that takes ProblemOptions and returns a Problem."
        )
    summary = (inspect.getdoc(candidate) or "").partition("\n")[0]
    return ProblemSpec(name=name, build=candidate, summary=summary)
