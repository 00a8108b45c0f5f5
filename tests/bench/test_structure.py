"""Which way data flows: imports only go downwards, and no torch from the record on."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = (
    {"__main__", "conftest"},
    {"cli", "evidence"},
    {"__init__", "commands"},
    {"report"},
    {"sweeps"},
    {"recommend", "regress", "suite"},
    {"comparison", "data", "training"},
    {"machine", "runs", "problems"},
    {"support"},
    {"statistics", "errors"},
    {"optimizers"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# What trains, or holds data and models for it; everything else does without torch.
WITH_TORCH = (
    "bench.evidence",
    "bench.machine.devices",
    "bench.problems.",
    "bench.regress.measuring",
    "bench.suite.",
    "bench.training.",
)
NOT_WITH_TORCH = ("bench.problems.registry", "bench.problems.spec", "bench.suite.__main__")


def modules() -> dict[str, Path]:
    paths = [path for top in ("bench", "optimizers") for path in (ROOT / top).rglob("*.py")]
    dotted = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in dotted.items()}


MODULES = modules()


def imports(name: str) -> Iterator[str]:
    """The modules of this project that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names if item.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            assert node.level == 0, f"{name} has a relative import"
            for item in node.names:
                full = f"{node.module}.{item.name}"
                yield full if full in MODULES else node.module


IMPORTS = {name: set(imports(name)) - {name} for name in MODULES}


def room(name: str) -> str:
    """The folder of ``bench`` that a module is in, or its own name at the top."""
    top, _, rest = name.partition(".")
    return "optimizers" if top == "optimizers" else (rest.partition(".")[0] or "__init__")


def test_imports_only_go_downwards() -> None:
    """So that no two folders import each other, either."""
    upwards = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room(name) != room(other) and FLOOR[room(name)] >= FLOOR[room(other)]
    ]
    assert upwards == []


def test_every_folder_has_a_floor() -> None:
    assert {room(name) for name in MODULES} == FLOOR.keys()


def test_no_circle_of_files() -> None:
    list(graphlib.TopologicalSorter(IMPORTS).static_order())  # raises CycleError, which names it


def test_recommendations_and_comparisons_never_train() -> None:
    strange = {
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room(name) in ("recommend", "comparison") and room(other) == "training"
    }
    assert strange == set()


def imported_by(statement: str) -> set[str]:
    """Top-level and dotted names of all modules that a statement loads in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return set(finished.stdout.splitlines()[-1].split())


def test_from_the_record_on_nothing_imports_torch() -> None:
    without = [
        name
        for name in MODULES
        if name.startswith("bench")
        and not name.endswith("__main__")
        and (not name.startswith(WITH_TORCH) or name in NOT_WITH_TORCH)
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {sorted(without)}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_optimizers_never_import_bench() -> None:
    everything = "import optimizers, optimizers.diag_ggn, optimizers.curvature.backpack"
    assert not {name for name in imported_by(everything) if name.partition(".")[0] == "bench"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["run", "--help"],
        ["regress", "--help"],
        ["sweep", "--help"],
        ["export", "--help"],
    ],
)
def test_help_and_list_import_neither_torch_nor_pandas(arguments: list[str]) -> None:
    statement = (
        f"import sys, bench.cli; sys.argv = ['optbench', *{arguments!r}]\n"
        "try: bench.cli.main()\nexcept SystemExit: pass"
    )
    assert not {"torch", "pandas", "pyarrow", "matplotlib"} & imported_by(statement)


def test_every_module_has_a_test_file_of_its_name_in_its_place() -> None:
    """But for the suite's own test, which pytest collects from ``bench``."""
    told = [path.relative_to(ROOT) for path in MODULES.values()]
    lacking = [
        str(path)
        for path in told
        if path.name not in ("__init__.py", "__main__.py", "conftest.py", "test_throughput.py")
        and not (ROOT / "tests" / path.parent / f"test_{path.name}").is_file()
    ]
    assert lacking == []
