"""The run id: a hash of everything that decides a run's losses."""

import functools
import hashlib
import inspect
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from bench.training import source
from optimizers import OPTIMIZERS
from optimizers.spec import OptimizerSpec

_LENGTH = 16
_SHORT = 8


def run_id(facts: Mapping[str, Any]) -> str:
    """Hash JSON-able facts, whatever the order of their keys."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def source_digest(objects: Iterable[Any]) -> str:
    """Hash the source behind classes or functions.

    It covers the modules that define them and, from there, every module they import that belongs
    to the same top-level package or lies in the same folder: so an edit to an optimizer or to a
    helper of its changes the id, and an upgrade of a library (whose version is hashed) need not be
    read. What was made in a notebook, in the script that runs, or inside a function is hashed by
    its code, and by the classes, functions and values that its code uses.

    Args:
        objects: Classes, functions, or instances of classes.
    """
    files: dict[str, bytes] = {}
    for item in objects:
        while isinstance(item, functools.partial):
            files[repr(item.args) + repr(item.keywords)] = b""
            item = item.func
        known = item if hasattr(item, "__qualname__") else type(item)
        if source.is_live(known):
            texts: list[str] = []
            source.Writer(texts.append).write(item)
            name = known.__qualname__
            files[name] = files.get(name, b"") + "\0".join(texts).encode()
        module = source.module_of(inspect.unwrap(item))
        if module is None or module.__name__ == "__main__":
            continue
        if source.file(module) is None:
            files[repr(known)] = b""  # compiled
            continue
        for path, content in source.files(module):
            files[path.name] = files.get(path.name, b"") + content
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()[:_LENGTH]


def parts_of(optimizer: OptimizerSpec) -> list[Any]:
    """What decides how an optimizer steps: its factory, and its curvature if it has one."""
    parts = [optimizer.load_factory(), optimizer.load_curvature()]
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
