"""The run id: a hash of everything that decides a run's losses."""

import functools
import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

_LENGTH = 16


def run_id(facts: Mapping[str, Any]) -> str:
    """Hash JSON-able facts, whatever the order of their keys."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def source_digest(objects: Iterable[Any]) -> str:
    """Hash the source behind classes or functions.

    It covers the modules that define them and, from there, every module they import that belongs
    to the same top-level package or lies in the same folder: so an edit to an optimizer or to a
    helper of its changes the id, and an upgrade of a library (whose version is hashed) need not be
    read.

    Args:
        objects: Classes, functions, or instances of classes.
    """
    files: dict[str, bytes] = {}
    for item in objects:
        while isinstance(item, functools.partial):
            files[repr(item.args) + repr(item.keywords)] = b""
            item = item.func
        item = inspect.unwrap(item)
        module = sys.modules.get(getattr(item, "__module__", type(item).__module__))
        if module is None or _file(module) is None:
            files[repr(item)] = _source(item)  # defined interactively
            continue
        for path in _reachable(module):
            files[path.name] = files.get(path.name, b"") + path.read_bytes()
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()[:_LENGTH]


def _reachable(root: ModuleType) -> list[Path]:
    """Files of a module and of its neighbours that it imports, directly or not."""
    top = root.__name__.partition(".")[0]
    if top in {"torch", "torchvision", "backpack"}:
        return []  # their versions are hashed
    root_file = _file(root)
    assert root_file is not None
    found: dict[Path, None] = {}
    waiting = [root]
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or path in found:
            continue
        if module.__name__.partition(".")[0] != top and path.parent != root_file.parent:
            continue
        found[path] = None
        for value in list(vars(module).values()):
            neighbour = (
                value
                if isinstance(value, ModuleType)
                else sys.modules.get(getattr(value, "__module__", None) or "")
            )
            if neighbour is not None:
                waiting.append(neighbour)
    return sorted(found)


def _file(module: ModuleType) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name) if name and name.endswith(".py") and Path(name).is_file() else None


def _source(item: Any) -> bytes:
    try:
        return inspect.getsource(item).encode()
    except (OSError, TypeError):
        return repr(item).encode()
