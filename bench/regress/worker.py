"""The process that measures one side. It is run as a script, by the side's own interpreter.

The harness (``bench``, and ``optimizers`` unless the side's tree holds its own) comes from where
this file lies, whatever is installed beside the side's interpreter; everything else comes from the
side's tree first. So what differs between two sides is the code under test. Beyond torch and numpy
it needs only what the benchmarks themselves import.

It reads one JSON request per line from its standard input and answers each with one line. Whatever
the code under test prints goes to standard error.
"""

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
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    setup = json.loads(sys.stdin.readline())
    import_harness(setup["paths"])
    try:
        from bench.regress.measuring import Measuring
    except ImportError as error:
        raise SystemExit(f"this side does not fit optbench's harness: {error}") from None
    measuring = Measuring(setup)
    print(json.dumps(measuring.describe()), file=answers)
    for line in sys.stdin:
        print(json.dumps(measuring.answer(json.loads(line))), file=answers)


def import_harness(paths: list[str]) -> None:
    """Put a side's folders first on ``sys.path``, and load the harness from beside this file."""
    sys.path[:0] = paths
    if not any((Path(path) / "optimizers" / "spec.py").is_file() for path in paths):
        _load("optimizers")
    _load("bench")


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
