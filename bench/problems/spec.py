"""What the registry knows of a problem. Imports no torch, so that listing problems is quick."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optimizers.plugins import load_reference

if TYPE_CHECKING:
    from bench.problems.problem import Problem


@dataclass(frozen=True)
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
