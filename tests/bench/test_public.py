"""What notebooks and authors import: found where it is promised, light, and as its README shows."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench

README = Path(bench.__file__).with_name("README.md")
PACKAGES = ("bench", "bench.problems", "optimizers")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_is_offered_is_found(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= {name for name in module.__all__ if hasattr(module, name)}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_a_files_or_a_folders(package: str) -> None:
    """Python would find these instead, once they are imported."""
    module = importlib.import_module(package)
    (folder,) = module.__path__
    assert not {path.stem for path in Path(folder).iterdir()} & set(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_told(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'problm'"):
        _ = importlib.import_module(package).problm


def test_names_complete_before_they_are_imported() -> None:
    assert set(bench.__all__) <= set(dir(bench))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_import_is_light(package: str) -> None:
    heavy = {"torch", "numpy", "pandas", "pyarrow", "matplotlib"}
    code = f"import sys, {package}\nprint({heavy!r} & sys.modules.keys())"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.strip() == "set()", finished.stderr


def test_the_readme_names_what_is_offered() -> None:
    text = README.read_text()
    assert [name for name in bench.__all__ if not re.search(rf"\b{name}\b", text)] == []
    for package in PACKAGES[1:]:
        offered = set(importlib.import_module(package).__all__) - {"OPTIMIZERS", "PROBLEMS"}
        assert [name for name in offered - {"REGISTRY"} if f"`{name}`" not in text] == []


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the README's Python, in a script of its own."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "script.py").write_text("\n".join(blocks("python")))
    return folder


def run_script(folder: Path) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(README.parents[1])},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def test_the_readmes_examples_print_what_it_shows(script: Path) -> None:
    """Numbers, and with them the order of rows, differ from machine to machine."""
    printed = run_script(script)
    first, record, swept = (block.splitlines() for block in blocks("text"))
    table, rest = first[2:-2], printed[2:-2]
    assert printed[0].split() == first[0].split()
    assert {line.split()[0] for line in table} == {line.split()[0] for line in rest[: len(table)]}
    assert [len(line.split()) for line in table] == [len(line.split()) for line in rest[:3]]
    ranking, report, *others = printed[2 + len(table) :]
    assert ranking.startswith("Ranking(leader='")
    assert report == first[-1] == "results/report/report.html"
    assert (script / report).is_file()
    shown = [*record, *swept]
    assert [_shape(line) for line in others[: len(shown)]] == [_shape(line) for line in shown]
    assert [
        re.findall("RunRecord: (.*?) on ([^,]*)", line) for line in others[len(shown) :: 2]
    ] == [
        [("fast", "__main__:two_circles")],
        [("diag_ggn_exact", "__main__:two_circles")],
    ]


def test_the_same_script_again_trains_nothing(script: Path) -> None:
    files = sorted((script / "results" / "runs").iterdir())
    assert files
    text = (script / "script.py").read_text()
    edited = text.replace("print(bench.summary", "print('edited')\nprint(bench.summary", 1)
    assert edited != text
    (script / "script.py").write_text(edited)
    assert run_script(script)[0] == "edited"
    assert sorted((script / "results" / "runs").iterdir()) == files


def _shape(line: str) -> str:
    """A line without its numbers and hashes."""
    return re.sub(r"[0-9a-f]{16}-\w+|\d+(\.\d+)?", "#", line)
