"""What BackPACK does not take of a model and a loss, or takes and has wrong, with the remedy."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_ADAPTIVE_AVERAGES = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def objections(model: nn.Module, loss_fn: nn.Module, targets: Tensor) -> list[str]:
    """Tell why BackPACK's diagonal may be wrong or impossible here, and what to do instead.

    It is asked where a diagonal *was* found to be wrong or impossible: each is a likely reason, and
    none refuses anything by itself.

    Args:
        model: The model.
        loss_fn: Its loss.
        targets: Targets that the diagonal was tried with.
    """
    return [*_of_instances(model), *_of_layers(model), *_of_loss(loss_fn, targets)]


def _of_instances(model: nn.Module) -> Iterator[str]:
    """Modules and parameters that are at more than one place."""
    modules = model.named_modules(remove_duplicate=False)
    leaves = {name: module for name, module in modules if next(module.children(), None) is None}
    for names in _at_several_places(leaves):
        kind = type(leaves[names[0]]).__name__
        yield f"layers {_and(names)} are one {kind}: give each place an instance of its own"
    own = {
        f"{name}.{key}".removeprefix("."): parameter
        for name, module in model.named_modules()
        for key, parameter in module.named_parameters(recurse=False)
    }
    for names in _at_several_places(own):
        yield f"{_and(names)} are one parameter: give each layer its own"


def _of_layers(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        told = f"layer '{name}' ({type(module).__name__})" if name else type(module).__name__
        if getattr(module, "inplace", False):
            yield f"{told} works in place: build it with inplace=False"
        if isinstance(module, _BatchNorm) and module.training:
            yield f"{told} is in training mode: have BatchNorm in evaluation mode, by its eval()"
        if isinstance(module, _CONVOLUTIONS):
            if isinstance(module.padding, str):
                yield f"{told} has padding='{module.padding}': {_padding(module)}"
            if module.padding_mode != "zeros":
                yield f"{told} has padding_mode='{module.padding_mode}': 'zeros' can be had"
        if isinstance(module, _AVERAGES) and not module.count_include_pad:
            yield f"{told} has count_include_pad=False: True can be had"
        if isinstance(module, _AVERAGES + _ADAPTIVE_AVERAGES) and any(
            parameter.dtype == torch.float64 for parameter in model.parameters()
        ):
            yield f"{told} can be had in float32 only: --dtype float32, or a convolution"
        if getattr(module, "ceil_mode", False):
            yield f"{told} has ceil_mode=True: False can be had"


def _of_loss(loss_fn: nn.Module, targets: Tensor) -> Iterator[str]:
    told = type(loss_fn).__name__
    for name in ("weight", "pos_weight"):
        if getattr(loss_fn, name, None) is not None:
            yield f"{told} has {name}: only None can be had"
    ignored = getattr(loss_fn, "ignore_index", None)
    if ignored is not None and not targets.is_floating_point() and (targets == ignored).any():
        yield (
            f"targets of {ignored} are left out of the loss and not of the diagonal: leave such "
            "data out"
        )
    elif ignored not in (None, -100):
        yield f"{told} has ignore_index={ignored}: only -100 can be had"


def _padding(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> str:
    """The numbers that stand for a padding in words."""
    if module.padding == "valid":
        return "give padding=0"
    pairs = zip(module.kernel_size, module.dilation, strict=True)
    totals = [spread * (size - 1) for size, spread in pairs]
    if any(total % 2 for total in totals):
        return "give an odd kernel_size, and the padding as a number"
    numbers = [total // 2 for total in totals]
    return f"give padding={numbers[0] if len(set(numbers)) == 1 else tuple(numbers)}"


def _at_several_places(found: Mapping[str, object]) -> list[list[str]]:
    places: dict[int, list[str]] = {}
    for name, thing in found.items():
        places.setdefault(id(thing), []).append(name)
    return [names for names in places.values() if len(names) > 1]


def _and(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
