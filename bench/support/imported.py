"""When modules were imported: a file that changed later is not what this process runs.

Python keeps no such times. So they are noted by a finder that finds nothing; what was imported
before that began was imported then at the latest.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from bench.errors import UsageError

_TIMES: dict[str, int] = {}  # by module, in nanoseconds
_AGAIN: set[str] = set()  # modules that were imported more than once
_READ: dict[str, tuple[int | None, bytes]] = {}  # by module: when it was imported; its file then


class _Notes:
    """A finder that is asked for every module before it is imported or reloaded."""

    def find_spec(
        self, name: str, _: Sequence[str] | None = None, __: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in _TIMES and name in sys.modules:
            _AGAIN.add(name)
        _TIMES[name] = time.time_ns()
        return None


def begin() -> None:
    """Note imports from now on; the first call counts."""
    if not any(isinstance(finder, _Notes) for finder in sys.meta_path):
        _TIMES.update(dict.fromkeys(sys.modules, time.time_ns()))
        sys.meta_path.insert(0, _Notes())


def content(name: str, path: Path) -> bytes:
    """A module's file, which is what this process runs or would run if it imported it.

    Args:
        name: The module.
        path: Its file.

    Raises:
        UsageError: It was edited after the module was imported.
    """
    when = _TIMES.get(name) if name in sys.modules else None
    try:
        found = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"'{path}' of module '{name}' cannot be read: {error.strerror or error}. It decides "
            "what a run does."
        ) from error
    before, known = _READ.get(name, (None, found))
    if when is not None:
        changed_ns = path.stat().st_ctime_ns if sys.platform != "win32" else path.stat().st_mtime_ns
        if changed_ns > when or (before == when and known != found):
            raise UsageError(
                f"'{path}' was edited after this process had imported it (module '{name}'): "
                "restart the notebook, program or worker, so that it runs what the file says now."
            )
    _READ[name] = when, found
    return found


def require_same(importer: str, module: str, names: Mapping[str, str]) -> None:
    """Notice what a module has of another from before that was reloaded.

    Args:
        importer: The module.
        module: The other.
        names: What it took of it: under which name, and what it is called there.

    Raises:
        UsageError: It has something that the other has replaced since.
    """
    if module not in _AGAIN:
        return
    mine, its = (
        vars(sys.modules[name]) if name in sys.modules else {} for name in (importer, module)
    )
    for own, name in names.items():
        if own in mine and name in its and mine[own] is not its[name]:
            raise UsageError(
                f"Module '{importer}' still has the '{name}' that '{module}' had before it was "
                f"reloaded: reload '{importer}' too, or restart."
            )


def is_finder(finder: object) -> bool:
    """Whether a finder on ``sys.meta_path`` is the one that takes notes."""
    return isinstance(finder, _Notes)
