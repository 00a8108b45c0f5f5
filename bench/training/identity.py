"""The run id: a hash of everything that decides a run's losses."""

import functools
import hashlib
import inspect
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from bench.support.strict_json import by_value
from bench.training import following, source
from optimizers import OPTIMIZERS
from optimizers.spec import OptimizerSpec

_LENGTH = 16
_SHORT = 8


def run_id(facts: Mapping[str, Any]) -> str:
    """Hash facts, numbers by their value (1 is 1.0), whatever the order of keys."""
    return _digest(by_value(facts))


def sources(objects: Iterable[Any]) -> dict[str, str]:
    """What classes or functions consist of, by name.

    That are the modules that define them and their bases, and all that these import; see
    :mod:`bench.training.following`. What was made in a notebook, in the script that runs, or inside
    a function is known by its code, and by the classes, functions and values that its code uses.

    Args:
        objects: Classes, functions, or instances of classes.

    Raises:
        UsageError: A file was edited after this process had imported it.
    """
    found: dict[str, str] = {}
    modules: list[str] = []
    for item in objects:
        while isinstance(item, functools.partial):
            _add(found, "partial", _written((item.args, item.keywords)))
            item = item.func
        known = item if hasattr(item, "__qualname__") else type(item)
        if source.is_live(known):
            _add(found, known.__qualname__, _written(item))
        plain = inspect.unwrap(item) if callable(item) else item
        for one in (plain, *(inspect.getmro(known) if isinstance(known, type) else ())):
            module = source.module_of(one)
            if module is not None and module.__name__ != "__main__":
                modules.append(module.__name__)
    return found | following.sources(modules)


def _add(found: dict[str, str], name: str, text: str) -> None:
    found[name] = hashlib.sha256((found.get(name, "") + text).encode()).hexdigest()


def _written(item: Any) -> str:
    texts: list[str] = []
    source.Writer(texts.append).write(item)
    return "\0".join(texts)


def source_digest(objects: Iterable[Any]) -> str:
    """Hash what classes or functions consist of; see :func:`sources`."""
    return _digest(sources(objects))


def data_digest(data: Any) -> str:
    """Hash data: the type, the shape and the bytes of every tensor.

    Args:
        data: What has tensors as attributes, or a method ``digest`` of its own.
    """
    if hasattr(data, "digest"):
        return str(data.digest())
    return state_digest({k: v for k, v in vars(data).items() if isinstance(v, torch.Tensor)})


def state_digest(state: Mapping[str, Any]) -> str:
    """Hash tensors by name, such as a ``state_dict``; what is no tensor by its ``repr``."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode() + b"\0")
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            digest.update(repr(value).encode())
            continue
        plain = value.detach().cpu().contiguous()
        digest.update(f"{plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:_LENGTH]


def _digest(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def parts_of(optimizer: OptimizerSpec, settings: Mapping[str, Any] | None = None) -> list[Any]:
    """What decides how an optimizer steps: its factory, its curvature, what settings refer to."""
    parts = [optimizer.load_factory(), optimizer.load_curvature()]
    if hasattr(optimizer, "references"):  # not in an older revision ('optbench regress')
        parts += optimizer.references(settings or {})
    return [part for part in parts if part is not None]


def reference(item: Any) -> str:
    """What an optimizer or a problem is stored as: its name, or ``package.module:Class``.

    The module is the outermost that has it, such as ``torch.optim`` and not ``torch.optim.sgd``.
    What no module has under its name, such as a class of a function's or one that another of its
    name has replaced, is told from others so called by a hash of its source.

    Args:
        item: A name, a class, a function, or the spec of an optimizer.
    """
    if isinstance(item, str):
        return item
    if isinstance(item, OptimizerSpec):
        known, parts = OPTIMIZERS.get(item.name) is item, parts_of(item)
        return item.name if known else f"{item.name}@{source_digest(parts)[:_SHORT]}"
    for module in itertools.accumulate(item.__module__.split("."), "{}.{}".format):
        if source.leads_to(module, item):
            return f"{module}:{item.__qualname__}"
    return f"{item.__module__}:{item.__qualname__}@{source_digest([item])[:_SHORT]}"


def is_importable(name: str) -> bool:
    """Whether another process finds what is stored under a name."""
    return "@" not in name and not name.startswith("__main__:")
