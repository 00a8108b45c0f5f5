"""The optimizers that can be compared, by name.

To add one: put an ``OptimizerSpec`` into ``OPTIMIZERS``, declare an entry point in the group
``optbench.optimizers``, or name it ``package.module:Class`` on the command line.
"""

from optimizers.first_order import ADAM, SGD
from optimizers.plugins import Registry
from optimizers.spec import OptimizerSpec

OPTIMIZERS: dict[str, OptimizerSpec] = {
    "diag_ggn_mc": OptimizerSpec(
        name="diag_ggn_mc",
        factory="optimizers.diag_ggn:DiagGGN",
        curvature="optimizers.curvature.backpack:monte_carlo",
        summary="Diagonal GGN, Monte-Carlo (BackPACK)",
        defaults={"lr": 0.05, "damping": 1.0},
        settings_source="BackPACK's tutorial",
    ),
    "diag_ggn_exact": OptimizerSpec(
        name="diag_ggn_exact",
        factory="optimizers.diag_ggn:DiagGGN",
        curvature="optimizers.curvature.backpack:exact",
        summary="Diagonal GGN, exact (BackPACK)",
        defaults={"lr": 0.05, "damping": 1.0},
        settings_source="BackPACK's tutorial",
    ),
    "adam": ADAM,
    "sgd": SGD,
}

REGISTRY: Registry[OptimizerSpec] = Registry(
    kind="optimizer",
    group="optbench.optimizers",
    entries=OPTIMIZERS,
    spec_type=OptimizerSpec,
    wrap=lambda name, factory, summary: OptimizerSpec(name=name, factory=factory, summary=summary),
    rule="an optimizer is a torch.optim.Optimizer class, a callable like one, or an OptimizerSpec",
)
