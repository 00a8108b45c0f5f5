"""What the project imports is what it declares, and the other way round."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = {"bench", "optimizers", "tests"}


def declared(texts: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", text)[0].lower().replace("_", "-") for text in texts}


def imported(*folders: str) -> set[str]:
    """The distributions behind what the modules of folders import."""
    names = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {item.name.partition(".")[0] for item in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(str(node.module).partition(".")[0])
    names -= OURS | set(sys.stdlib_module_names)
    homes = packages_distributions()
    return {homes[name][0].lower().replace("_", "-") for name in names if name in homes}


def test_every_direct_dependency_is_declared_and_none_is_unused() -> None:
    project = DOCUMENT["project"]
    extras = declared([*project["optional-dependencies"]["dask"],
                       *project["optional-dependencies"]["tpe"]])  # fmt: skip
    used = imported("bench", "optimizers")
    assert used - extras == declared(project["dependencies"])
    assert extras <= used


def test_the_browser_group_declares_a_part_of_the_project_and_playwright() -> None:
    """The same lower bounds, so that one is not forgotten when the other moves."""
    group = set(DOCUMENT["dependency-groups"]["browser"])
    tests = DOCUMENT["project"]["optional-dependencies"]["test"]
    assert group <= {*DOCUMENT["project"]["dependencies"], *tests}
