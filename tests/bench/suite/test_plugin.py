"""The suite in a user's own folder: whose settings and conftest hold, and beside which plugins."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import installed

SMALL = [
    "-k",
    "logreg and cpu and Mine and iteration",
    "--optbench-rounds=3",
    "--optbench-no-memory",
]
WARNS = """
import warnings
import torch


class Mine(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        warnings.warn("this is old", FutureWarning)
        super().__init__(params, lr=lr)
"""
PYPROJECT = """
[tool.pytest.ini_options]
markers = ["slow: of the user"]
addopts = "--strict-markers --flavour=sweet"
filterwarnings = ["error::RuntimeWarning"]
"""
CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--flavour")


def pytest_report_header(config):
    return f"the flavour is {config.getoption('flavour')}, from {config.rootpath}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder, with an optimizer that warns and pytest settings of its own."""
    for name, text in {
        "mine.py": WARNS,
        "pyproject.toml": PYPROJECT,
        "conftest.py": CONFTEST,
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One with plugins that many have, beside xdist, which is here."""
    return installed(tmp_path_factory.mktemp("plugins"), "pytest-asyncio", "pytest-randomly")


def suite(folder: Path, environment: dict[str, str], *more: str) -> str:
    """Run the suite as its README says; what it prints."""
    command = f"{sys.executable} -m pytest $({sys.executable} -m bench.suite) --benchmark-only"
    finished = subprocess.run(
        ["sh", "-c", f'{command} "$@"', "sh", "--optbench-optimizer", "mine:Mine", *SMALL, *more],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.parametrize(
    "more",
    [(), ("-p", "no:cacheprovider"), ("-n", "0"), ("-p", "no:randomly")],
    ids=["as it is", "without a cache", "xdist", "in order"],
)
def test_the_users_settings_and_conftest_hold(
    folder: Path, environment: dict[str, str], more: tuple[str, ...]
) -> None:
    said = suite(folder, environment, *more, "--benchmark-json", "found.json")
    assert f"the flavour is sweet, from {folder}" in said
    assert "configfile: pyproject.toml" in said
    assert "asyncio" in said.partition("plugins: ")[2].partition("\n")[0]
    assert "FutureWarning: this is old" in said  # told, and no reason to refuse
    (found,) = json.loads((folder / "found.json").read_text())["benchmarks"]
    assert found["extra_info"]["optimizer"] == "mine:Mine"
    assert found["stats"]["rounds"] == 3
