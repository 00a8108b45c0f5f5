"""Specs of torch.optim's first-order optimizers.

The settings are those of a small search with equal numbers of cells for every optimizer, on the
validation split of ``mnist_cnn``; ``results/reference/settings/`` holds its command and result.
"""

from optimizers.spec import OptimizerSpec

SGD = OptimizerSpec(
    name="sgd",
    factory="torch.optim:SGD",
    summary="Stochastic gradient descent with momentum",
    defaults={"lr": 0.03, "momentum": 0.9},
    search_space={
        "lr": (0.003, 0.01, 0.03, 0.1, 0.3),
        "momentum": (0.5, 0.9, 0.95),
    },
    settings_source="search in results/reference/settings",
)

ADAM = OptimizerSpec(
    name="adam",
    factory="torch.optim:Adam",
    summary="Adam",
    defaults={"lr": 0.003, "betas": (0.9, 0.99)},
    search_space={
        "lr": (0.0003, 0.001, 0.003, 0.01, 0.03),
        "betas": ((0.9, 0.9), (0.9, 0.99), (0.9, 0.999)),
    },
    settings_source="search in results/reference/settings",
)
