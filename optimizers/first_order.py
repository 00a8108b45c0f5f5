"""Specs of torch.optim's first-order optimizers.

The settings are among the best of a sweep with equal numbers of cells for every optimizer, on the
validation split of ``mnist_cnn``: those in ``results/reference/damping/`` and
``results/reference/muon/``.
"""

from optimizers.spec import OptimizerSpec

SGD = OptimizerSpec(
    name="sgd",
    factory="torch.optim:SGD",
    summary="Stochastic gradient descent with momentum",
    defaults={"lr": 0.03, "momentum": 0.9},
    search_space={
        "lr": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "momentum": (0.5, 0.9, 0.95),
    },
    settings_source="sweep in results/reference/damping",
)

ADAMW = OptimizerSpec(
    name="adamw",
    factory="torch.optim:AdamW",
    summary="Adam with decoupled weight decay",
    defaults={"lr": 0.003, "weight_decay": 0.1},
    search_space={
        "lr": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
        "weight_decay": (0.01, 0.1, 1.0),
    },
    settings_source="sweep in results/reference/muon",
)

MUON = OptimizerSpec(
    name="muon",
    factory="optimizers.muon:Muon",
    summary="Orthogonalised momentum for hidden matrices, AdamW for the rest",
    defaults={"lr": 0.01, "adamw_lr": 0.003},
    search_space={
        "lr": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
        "adamw_lr": (0.001, 0.003, 0.01),
    },
    settings_source="sweep in results/reference/muon",
)

ADAM = OptimizerSpec(
    name="adam",
    factory="torch.optim:Adam",
    summary="Adam",
    defaults={"lr": 0.003, "betas": (0.9, 0.99)},
    search_space={
        "lr": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
        "betas": ((0.9, 0.9), (0.9, 0.99), (0.9, 0.999)),
    },
    settings_source="sweep in results/reference/damping",
)
