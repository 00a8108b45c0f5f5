"""Slow, dense, independent truths in float64."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev


def dense_ggn(model: nn.Module, loss_fn: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    r"""The whole generalized Gauss-Newton matrix, :math:`J^\top H J`.

    J is the Jacobian of all outputs of the batch by all parameters, H the Hessian of the loss by
    all outputs; both by automatic differentiation, neither by BackPACK.

    Returns:
        ``[P, P]``, parameters in the model's order, each flattened.
    """
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    outputs = model(inputs).detach()

    def flat_outputs(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(model, parameters, (inputs,)).flatten()

    jacobians = jacrev(flat_outputs)(parameters)
    jacobian = torch.cat([jacobians[name].flatten(start_dim=1) for name in parameters], dim=1)
    hessian = torch.autograd.functional.hessian(
        lambda flat: loss_fn(flat.reshape(outputs.shape), targets), outputs.flatten()
    )
    return jacobian.T @ hessian @ jacobian


def ggn_diagonal(
    model: nn.Module, loss_fn: nn.Module, inputs: Tensor, targets: Tensor
) -> list[Tensor]:
    """The diagonal of :func:`dense_ggn`, in the shapes of the parameters."""
    diagonal = dense_ggn(model, loss_fn, inputs, targets).diagonal()
    parameters = list(model.parameters())
    parts = diagonal.split([p.numel() for p in parameters])
    return [part.reshape(p.shape) for part, p in zip(parts, parameters, strict=True)]
