"""Whether a run left its process as it was: what it changed would reach the next run there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from bench.training.source import unhooked

_HOMES = (torch.optim, torch.nn, torch.nn.functional, torch.autograd)


@dataclass(frozen=True, kw_only=True)
class Globals:
    """What torch does everywhere in this process.

    Attributes:
        settings: The defaults, by what they are called.
        parts: The members of torch's own classes and functions, by name.
    """

    settings: dict[str, Any]
    parts: dict[str, Any]


def now() -> Globals:
    """What is the case now."""
    settings = {
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32 matmul precision": torch.get_float32_matmul_precision(),
    }
    return Globals(settings=settings, parts=dict(_parts()))


@cache
def at_first() -> Globals:
    """What was the case when this was asked first in this process."""
    return now()


def changed(before: Globals) -> list[str]:
    """What a run changed since, and what torch's parts are no longer since the first run here."""
    present, first = now(), at_first()
    found = [
        f"{name} ({value}, now {present.settings[name]})"
        for name, value in before.settings.items()
        if present.settings[name] != value
    ]
    return found + [
        name for name, part in first.parts.items() if present.parts.get(name) is not part
    ]


def _parts() -> Iterator[tuple[str, Any]]:
    for home in _HOMES:
        for name, value in list(vars(home).items()):
            if getattr(value, "__module__", "").partition(".")[0] != "torch":
                continue
            yield f"{home.__name__}.{name}", value
            if isinstance(value, type):
                yield from _members(f"{home.__name__}.{name}", value)
    yield from _members("torch.Tensor", torch.Tensor)


def _members(name: str, owner: type) -> Iterator[tuple[str, Any]]:
    for part, value in list(vars(owner).items()):
        if not part.startswith("__") or part in ("__init__", "__call__"):
            yield f"{name}.{part}", unhooked(value)
