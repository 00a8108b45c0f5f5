"""The yardstick leaves everything as it is."""

import torch

from optimizers.plain_gradient import PlainGradient


def test_a_step_changes_neither_parameters_nor_state() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = PlainGradient([parameter])
    (parameter**2).sum().backward()
    optimizer.step()
    assert parameter.tolist() == [1.0, -2.0]
    assert optimizer.state_dict()["state"] == {}
    optimizer.zero_grad()
    assert parameter.grad is None
