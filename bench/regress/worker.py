"""The process that measures one side. It is run as a script, by the side's own interpreter.

The harness (``bench``, and ``optimizers`` unless the side's tree holds its own) comes from where
this file lies, whatever is installed beside the side's interpreter; everything else comes from the
side's tree first. So what differs between two sides is the code under test. Beyond torch and numpy
it needs only what the benchmarks themselves import.

It reads one JSON request per line from its standard input and answers each with one line. Whatever
the code under test prints goes to standard error, and it finds its own standard input empty.
"""

import faulthandler
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HARNESS = Path(__file__).resolve().parents[2]


def main() -> None:
    """Answer requests until the input ends."""
    faulthandler.enable()
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    setup = json.loads(requests.readline())
    import_harness(setup["paths"])
    try:
        from bench.regress.measuring import Measuring
    except Exception as error:
        hidden = _hiding(setup["paths"])
        hint = f" ({', '.join(hidden)} hides a module that others need)" if hidden else ""
        raise SystemExit(f"this side does not fit optbench's harness: {error}{hint}") from None
    measuring = Measuring(setup)
    print(json.dumps(measuring.describe()), file=answers)
    for line in requests:
        print(json.dumps(measuring.answer(json.loads(line))), file=answers)


def import_harness(paths: list[str]) -> None:
    """Put a side's folders first on ``sys.path``, and load the harness from beside this file."""
    sys.path[:0] = paths
    if not any((Path(path) / "optimizers" / "spec.py").is_file() for path in paths):
        _load("optimizers")
    _load("bench")


def _hiding(paths: list[str]) -> list[str]:
    """Files of a side that take the place of a module of the standard library, torch or numpy."""
    names = {*sys.stdlib_module_names, "torch", "numpy"}
    files = [file for path in paths for file in sorted(Path(path).glob("*.py"))]
    return [str(file) for file in files if file.stem in names]


def _load(package: str) -> ModuleType:
    folder = HARNESS / package
    found: Any = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(found)
    sys.modules[package] = module
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
