"""What is compared: optimizers, their curvature, and the registry that names them."""

from typing import TYPE_CHECKING, Any

from optimizers.errors import UsageError
from optimizers.registry import OPTIMIZERS, REGISTRY
from optimizers.spec import BoundOptimizer, OptimizerSpec

if TYPE_CHECKING:
    from optimizers.diag_ggn import DiagGGN

__all__ = [
    "OPTIMIZERS",
    "REGISTRY",
    "BoundOptimizer",
    "DiagGGN",
    "OptimizerSpec",
    "UsageError",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for."""
    if name == "DiagGGN":
        from optimizers.diag_ggn import DiagGGN

        return DiagGGN
    raise AttributeError(f"module 'optimizers' has no attribute '{name}'")
