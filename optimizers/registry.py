"""The optimizers that can be compared, by name.

To add one: put an ``OptimizerSpec`` into ``OPTIMIZERS``, declare an entry point in the group
``optbench.optimizers``, or name it ``package.module:Class`` on the command line.
"""

from optimizers.first_order import ADAM, ADAMW, MUON, SGD
from optimizers.plugins import Registry
from optimizers.spec import OptimizerSpec

# Half decades, along which good settings lie with lr / damping constant.
_LR_AND_DAMPING = {
    "lr": (0.02, 0.06, 0.2),
    "damping": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
}

OPTIMIZERS: dict[str, OptimizerSpec] = {
    "diag_ggn_mc": OptimizerSpec(
        name="diag_ggn_mc",
        factory="optimizers.diag_ggn:DiagGGN",
        curvature="optimizers.curvature.backpack:monte_carlo",
        summary="Diagonal GGN, Monte-Carlo (BackPACK)",
        defaults={"lr": 0.05, "damping": 1.0},
        search_space=_LR_AND_DAMPING,
        settings_source="BackPACK's tutorial",
    ),
    "diag_ggn_exact": OptimizerSpec(
        name="diag_ggn_exact",
        factory="optimizers.diag_ggn:DiagGGN",
        curvature="optimizers.curvature.backpack:exact",
        summary="Diagonal GGN, exact (BackPACK)",
        defaults={"lr": 0.05, "damping": 1.0},
        search_space=_LR_AND_DAMPING,
        settings_source="BackPACK's tutorial",
    ),
    "adam": ADAM,
    "sgd": SGD,
    "adamw": ADAMW,
    "muon": MUON,
}

REGISTRY: Registry[OptimizerSpec] = Registry(
    kind="optimizer",
    group="optbench.optimizers",
    entries=OPTIMIZERS,
    spec_type=OptimizerSpec,
    wrap=lambda name, factory, summary: OptimizerSpec(name=name, factory=factory, summary=summary),
    rule="an optimizer is a torch.optim.Optimizer class, a callable like one, or an OptimizerSpec",
)
