"""BackPACK's rules for two layers, sooner.

They yield BackPACK's numbers. Its max-pooling rule pools a second time to learn which inputs won,
which the forward pass knew. Its convolution rule unfolds the whole mini-batch with ``im2col``,
which runs on one thread on the CPU, and squares a tensor that no cache holds; here the patches are
a strided view, copied by all threads, and the CPU takes as many data at a time as its cache holds.
"""

import weakref
from typing import Any

import torch
from backpack.core.derivatives.maxpool2d import MaxPool2DDerivatives
from backpack.extensions.secondorder.diag_ggn.conv2d import DiagGGNConv2d
from backpack.extensions.secondorder.diag_ggn.diag_ggn_base import DiagGGNBaseModule
from backpack.utils import conv
from torch import Tensor, nn

_KEPT = "_optbench_pool_indices"
_CACHED_ELEMENTS = 2**20  # 4 MiB of float32


def install(extension: Any) -> None:
    """Let a BackPACK extension use these rules; ``prepare`` the model too."""
    extension.set_module_extension(nn.Conv2d, _Conv2dRule(), overwrite=True)
    extension.set_module_extension(nn.MaxPool2d, _MaxPool2dRule(), overwrite=True)


def prepare(model: nn.Module) -> None:
    """Let max-pooling layers keep the indices of their forward pass for the backward pass."""
    for module in model.modules():
        if type(module) is nn.MaxPool2d:
            module.register_forward_hook(_keep_indices)


def unfold(inputs: Tensor, module: nn.Conv2d) -> Tensor:
    """The patches that a convolution sees, as ``torch.nn.functional.unfold`` gives them.

    Args:
        inputs: ``[N, C, H, W]``.
        module: A convolution with zero padding given in numbers.

    Returns:
        ``[N, C * kernel height * kernel width, number of patches]``.
    """
    pad_h, pad_w = (int(padding) for padding in module.padding)
    kernel = module.kernel_size
    if pad_h or pad_w:
        inputs = nn.functional.pad(inputs, (pad_w, pad_w, pad_h, pad_h))
    for axis in (0, 1):
        spread = module.dilation[axis]
        window = inputs.unfold(2 + axis, spread * (kernel[axis] - 1) + 1, module.stride[axis])
        inputs = window[..., ::spread]
    patches = inputs.permute(0, 1, 4, 5, 2, 3)  # [N, C, kernel h, kernel w, out h, out w]
    return patches.reshape(len(inputs), module.in_channels * kernel[0] * kernel[1], -1)


class _Conv2dRule(DiagGGNConv2d):
    def weight(
        self, ext: Any, module: nn.Conv2d, grad_inp: Any, grad_out: Any, backproped: Tensor
    ) -> Tensor:
        if isinstance(module.padding, str) or module.padding_mode != "zeros":
            return super().weight(ext, module, grad_inp, grad_out, backproped)
        inputs: Tensor = module.input0  # type: ignore[assignment]
        diagonal = torch.zeros_like(module.weight)
        chunk = _chunk(module, backproped)
        for part, factor in zip(inputs.split(chunk), backproped.split(chunk, dim=1), strict=True):
            patches = unfold(part, module)
            diagonal += conv.extract_weight_diagonal(module, patches, factor, sum_batch=True)
        return diagonal


def _chunk(module: nn.Conv2d, factor: Tensor) -> int:
    """How many data to take at a time.

    Args:
        module: The convolution.
        factor: What is backpropagated to its output, ``[V, N, C, H, W]``.
    """
    columns, data, channels, *_ = factor.shape
    if factor.device.type != "cpu":
        return data
    patch, patches = module.weight[0].numel(), factor[0, 0, 0].numel()
    elements = patch * patches + columns * channels * (patches + patch)
    return max(1, min(data, _CACHED_ELEMENTS // elements))


class _KeptIndices(MaxPool2DDerivatives):
    def get_pooling_idx(self, module: nn.MaxPool2d, subsampling: list[int] | None = None) -> Tensor:
        output, indices = vars(module).pop(_KEPT, (lambda: None, None))
        if indices is None or output() is not module.output or subsampling is not None:
            return super().get_pooling_idx(module, subsampling=subsampling)
        return indices


class _MaxPool2dRule(DiagGGNBaseModule):
    def __init__(self) -> None:
        super().__init__(derivatives=_KeptIndices())


def _keep_indices(module: nn.Module, inputs: object, output: Any) -> None:
    """Keep what autograd saved for its own backward pass; nothing where it saved nothing."""
    if isinstance(output, Tensor) and output.grad_fn is not None and torch.is_grad_enabled():
        indices = getattr(output.grad_fn, "_saved_result1", None)
        setattr(module, _KEPT, (weakref.ref(output), indices))
