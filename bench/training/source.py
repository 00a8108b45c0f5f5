"""What is behind classes and functions, to be hashed: files, or the code of what no file holds.

What a module defines is known by the module's file and by those that it imports; see ``following``.
What was made in a notebook, in the script that runs, or inside a function is *live*: known by its
own code and by all that this code uses, so that a script may change around it.
"""

import dis
import functools
import hashlib
import importlib
import inspect
import itertools
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

from bench.training import following

# What cannot be told is another object in every process: it is run again, and never replayed.
_HERE_ONLY = uuid.uuid4().hex
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...))
# Steps of code: reading a global, taking a part of what was read, binding what was imported.
_READS, _TAKES = ("LOAD_GLOBAL", "LOAD_NAME"), ("LOAD_ATTR", "LOAD_METHOD")
_BINDS = ("IMPORT_FROM", "STORE_")


def module_of(item: Any) -> ModuleType | None:
    """The module of a class, a function, or an instance of a class."""
    return sys.modules.get(getattr(item, "__module__", None) or type(item).__module__)


def leads_to(module: str, item: Any) -> bool:
    """Whether a class or function is what a module has under its name."""
    found: Any = sys.modules.get(module)
    for name in item.__qualname__.split("."):
        found = inspect.getattr_static(found, name, None)
    return found is item


def is_live(item: Any) -> bool:
    """Whether a class or function is not what a module's file says once and for all."""
    module = module_of(item)
    if module is None or module.__name__ == "__main__":
        return True
    if leads_to(module.__name__, item):
        return False
    return not following.is_library(module.__name__)


class Writer:
    """Tells objects as texts, which are the same in another process where the objects are."""

    def __init__(self, put: Callable[[str], object]) -> None:
        """Tell to whoever wants to know.

        Args:
            put: Is called with one text after another.
        """
        self._put = put
        self._seen: dict[int, tuple[int, Any]] = {}

    def write(self, value: Any) -> None:
        """Tell an object: its type and state, and of what is live the code and all that it uses."""
        if isinstance(value, _PLAIN):
            self._put(f"{type(value).__name__} {value!r}")
        elif isinstance(value, tuple):
            self._several(value)
        elif isinstance(value, (set, frozenset)):
            self._put(f"set {sorted(map(repr, value))}")
        elif isinstance(value, CodeType):
            self._code(value)
        elif id(value) in self._seen:
            self._put(f"again {self._seen[id(value)][0]}")
        else:
            self._seen[id(value)] = len(self._seen), value  # held, so that its id stays its own
            self._put(type(value).__qualname__)
            if isinstance(value, ModuleType):
                self._module(value)
            elif isinstance(value, type):
                self._class(value)
            elif isinstance(value, FunctionType):
                self._function(value)
            else:
                self._several([*_parts(value)])

    def _several(self, values: "tuple[Any, ...] | list[Any]") -> None:
        self._put(str(len(values)))
        for value in values:
            self.write(value)

    def _module(self, value: ModuleType) -> None:
        """A module of the user's by its files, a library by its name and version."""
        self._put(value.__name__)
        for name, text in sorted(following.sources([value.__name__]).items()):
            self._put(f"{name} {text}")

    def _class(self, value: type) -> None:
        self._put(f"{value.__module__}.{value.__qualname__}")
        if not is_live(value):
            self.write(module_of(value))
            return
        self._several((type(value), *value.__bases__))
        for name, member in vars(value).items():
            defined = unhooked(member)
            inherited = defined is not member and any(
                defined is unhooked(vars(base).get(name)) for base in value.__mro__[1:]
            )
            data = not isinstance(member, (FunctionType, staticmethod, classmethod, property))
            if inherited or (data and name.startswith("__")) or name == "_abc_impl":
                continue  # torch's, Python's
            self._put(name)
            self.write(defined)

    def _function(self, value: FunctionType) -> None:
        self._put(f"{value.__module__}.{value.__qualname__}")
        if is_live(value):
            self._several((value.__code__, value.__defaults__, value.__kwdefaults__))
            for name, used in _used(value.__code__, value.__globals__):
                self._put(name)
                self.write(used)
        else:
            self.write(module_of(value))
        for cell in value.__closure__ or ():
            try:
                self.write(cell.cell_contents)
            except ValueError:
                self._put("empty")

    def _code(self, value: CodeType) -> None:
        self._put(value.co_code.hex())
        names = (value.co_names, value.co_varnames, value.co_cellvars, value.co_freevars)
        counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
        self._several((value.co_name, *names, *counts, value.co_flags, value.co_consts))


def _parts(value: Any) -> Iterator[Any]:
    """What an object consists of: as it is known here, or as pickling sees it."""
    try:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, dict):
            yield from value.items()
        elif isinstance(value, (staticmethod, classmethod)):
            yield value.__func__
        elif isinstance(value, property):
            yield from (value.fget, value.fset, value.fdel)
        elif isinstance(value, functools.cached_property):
            yield value.func
        elif isinstance(value, torch.Tensor):
            content = value.numpy(force=True).tobytes()
            yield from (str(value.dtype), tuple(value.shape), hashlib.sha256(content).hexdigest())
        else:
            yield getattr(value, "__dict__", {}).get("__wrapped__")  # of a function with a cache
            yield value.__reduce_ex__(4)
    except Exception:  # whatever an object raises that is not to be taken apart
        yield f"{_HERE_ONLY} {id(value)}"


def unhooked(member: Any) -> Any:
    """A member as it was defined: torch wraps ``step`` of a class when it is used first."""
    while getattr(member, "hooked", False) and hasattr(member, "__wrapped__"):
        member = member.__wrapped__
    return member


def _used(code: CodeType, known: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What code reads of globals and imports, in its order; of a module, what it takes of it."""
    steps = list(dis.get_instructions(code))
    for index, step in enumerate(steps):
        if step.opname in _READS and step.argval in known:
            name, value = str(step.argval), known[step.argval]
            for after in steps[index + 1 :]:
                if not isinstance(value, ModuleType) or after.opname not in _TAKES:
                    break
                name, value = f"{name}.{after.argval}", getattr(value, after.argval, None)
            yield name, value
        elif step.opname == "IMPORT_NAME":
            yield from _imported(step.argval, steps[index + 1 :])
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _used(const, known)


def _imported(name: str, after: Sequence[dis.Instruction]) -> Iterator[tuple[str, Any]]:
    """The module that code imports, or what it takes from it."""
    try:
        module = importlib.import_module(name)  # as the code will, when it runs
    except Exception:  # it may not come to that
        module = None
    stores = itertools.takewhile(lambda step: step.opname.startswith(_BINDS), after)
    taken = [step.argval for step in stores if step.opname == "IMPORT_FROM"]
    yield from ((part, getattr(module, part, None)) for part in taken)
    if not taken:
        yield name, module
