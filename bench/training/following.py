"""What code consists of: its module's file, and all that this imports, followed by the syntax.

A module is known by its file where that is local or installed so that it can be edited, and this
project's always is; by the name and the version of its distribution where it is installed
otherwise; the standard library not at all. Nothing is imported here: ``import`` statements within
functions count although they may not have run.
"""

import ast
import hashlib
import importlib.metadata
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from bench.support import imported

ABSENT = "absent"
PROJECT = ("bench", "optimizers")
_STANDARD = {*sys.stdlib_module_names, "__main__", "__mp_main__"}
_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_FOLDERS = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))


def sources(modules: Iterable[str]) -> dict[str, str]:
    """What modules consist of.

    Args:
        modules: Their names.

    Returns:
        By module the SHA-256 of its file, by distribution its version; ``absent`` for a module
        that is imported somewhere and that is not there.

    Raises:
        UsageError: A file was edited after this process had imported it.
    """
    found: dict[str, str] = {}
    waiting, seen = list(modules), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        top = _top(name)
        if top in _STANDARD:
            continue
        if top != name:
            waiting.append(name.rpartition(".")[0])  # importing a module imports its package
        if (version := _version(top)) is not None:
            found[version[0]] = version[1]
            continue
        spec = locate(name)
        if spec is None:
            found[name] = ABSENT
        elif spec.origin is not None and spec.has_location:
            path = Path(spec.origin)
            text = imported.content(name, path)
            found[name] = hashlib.sha256(text).hexdigest()
            if path.suffix != ".py":
                continue
            waiting += _needed(text, name, spec.submodule_search_locations is not None)
    return found


def project() -> dict[str, str]:
    """What the training loop consists of, of this project's own."""
    found = sources(["bench.training.loop"])
    return {name: text for name, text in found.items() if _top(name) in PROJECT}


def is_library(name: str) -> bool:
    """Whether a module is known by its version, or not at all."""
    return _top(name) in _STANDARD or _version(_top(name)) is not None


def _top(name: str) -> str:
    return name.partition(".")[0]


def locate(name: str) -> ModuleSpec | None:
    """Where a module is or would be imported from, without importing anything.

    A package in several folders has no location.
    """
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is not None:
        return spec
    package = name.rpartition(".")[0]
    folders = None
    if package:
        parent = locate(package)
        if parent is None or parent.submodule_search_locations is None:
            return None
        folders = list(parent.submodule_search_locations)
    for finder in sys.meta_path:
        if imported.is_finder(finder) or not hasattr(finder, "find_spec"):
            continue
        if (spec := finder.find_spec(name, folders)) is not None:
            return spec
    return None


@cache
def _version(top: str) -> tuple[str, str] | None:
    """Distribution and version of an installed top-level module; ``None`` for what is local."""
    spec = None if top in PROJECT else locate(top)
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    files = [Path(place) for place in places if place is not None]
    if any(str(file).startswith(_STANDARD_FOLDERS) for file in files) and not any(
        _INSTALLED & {*file.parts} for file in files
    ):
        return top, ""
    if not files or not all(_INSTALLED & {*file.parts} for file in files):
        return None
    try:
        return top, importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(top, ())
    if not names:
        return None  # a file that somebody put there
    return top, ", ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted({*names}))


def _needed(text: bytes, name: str, is_package: bool) -> Iterator[str]:
    """The modules that a module imports."""
    package = name if is_package else name.rpartition(".")[0]
    ours = _top(name) in PROJECT
    for module, parts in _imports(text):
        dots = len(module) - len(module.lstrip("."))
        if dots:
            above = package.split(".")[: len(package.split(".")) - dots + 1]
            module = ".".join([*above, module[dots:]]).strip(".")
        # What this project's own modules need of others is told by the record's versions; and to
        # find the distribution of a module with another name takes half a second.
        if not module or (ours and _top(module) not in PROJECT):
            continue
        yield module
        if not is_library(module):
            imported.require_same(name, module, {own: part for part, own in parts})
            inner = (f"{module}.{part}" for part, _ in parts)
            yield from (one for one in inner if locate(one) is not None)


@lru_cache(maxsize=4096)
def _imports(text: bytes) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """What a text imports: modules, with a dot for each level up, and what is taken from each.

    That is told by its name there and its name here.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()  # whoever imports it is told
    found: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Import():
                found += [(alias.name, ()) for alias in node.names]
            case ast.ImportFrom():
                taken = tuple((alias.name, alias.asname or alias.name) for alias in node.names)
                found.append(("." * node.level + (node.module or ""), taken))
            case ast.Call(func=function, args=[ast.Constant(value=str(literal)), *_]) if _called(
                function
            ) in ("import_module", "__import__"):
                found.append((literal.lstrip("."), ()))
            case ast.If(test=test) if _called(test) == "TYPE_CHECKING":
                waiting += node.orelse
                continue
        waiting += ast.iter_child_nodes(node)
    return tuple(dict.fromkeys(found))


def _called(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
