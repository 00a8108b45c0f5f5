"""Registered settings of torch.optim's optimizers."""

import itertools

import pytest
import torch

from optimizers.first_order import ADAM, SGD
from optimizers.spec import OptimizerSpec

BOTH = pytest.mark.parametrize("spec", [SGD, ADAM], ids=lambda spec: spec.name)


@BOTH
def test_the_registered_setting_is_one_of_those_that_were_swept(spec: OptimizerSpec) -> None:
    for name, value in spec.defaults.items():
        assert value in spec.search_space[name]


@BOTH
def test_every_setting_that_is_swept_is_taken(spec: OptimizerSpec) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    for values in itertools.product(*spec.search_space.values()):
        settings = dict(zip(spec.search_space, values, strict=True))
        optimizer = spec.load_factory()([parameter], **settings)
        assert {name: optimizer.defaults[name] for name in settings} == settings
