"""What is compared: optimizers, their curvature, and the registry that names them.

Authors of optimizers and of curvature import from here; what needs torch is imported when it is
asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optimizers.errors import UsageError
from optimizers.registry import OPTIMIZERS, REGISTRY
from optimizers.spec import BoundOptimizer, OptimizerSpec

if TYPE_CHECKING:
    from optimizers.composite import Composite
    from optimizers.curvature import Curvature
    from optimizers.curvature.statistics import Observed
    from optimizers.diag_ggn import DiagGGN

__all__ = [
    "OPTIMIZERS",
    "REGISTRY",
    "BoundOptimizer",
    "Composite",
    "Curvature",
    "DiagGGN",
    "Observed",
    "OptimizerSpec",
    "UsageError",
]

_HOMES = {
    "Composite": "composite",
    "Curvature": "curvature",
    "DiagGGN": "diag_ggn",
    "Observed": "curvature.statistics",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'optimizers' has no attribute '{name}'")
    return getattr(import_module(f"optimizers.{_HOMES[name]}"), name)
