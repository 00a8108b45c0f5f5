"""The workflow that bench/regress/README.md offers, step by step in a scratch repository.

What GitHub does is done by hand: actions, whose settings are checked, expressions and ``gh``.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.support import cache
from tests.bench.regress.repositories import OPTIMIZER, commit, git, made, stepping
from tests.test_readmes import ROOT, blocks

SETTINGS = """
[project]
name = "scratch"
version = "1"

[tool.setuptools]
py-modules = ["mine"]

[tool.optbench.regress]
budget = 1
threshold = 300
"""
SLOWER = stepping("import time; time.sleep(3e-3)")
INNOCENT = OPTIMIZER.replace("Gradient descent.", "Steepest descent.")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    found = [yaml.safe_load(block) for block in blocks("bench/regress/README.md", "yaml")]
    (only,) = (one for one in found if "jobs" in one)
    assert isinstance(only, dict)
    return only


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two pull requests; ``merge/NAME`` is the commit that would merge it."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / "pyproject.toml").write_text(SETTINGS)
    (folder / ".gitignore").write_text("build\n*.egg-info\n")
    made(folder, mine=OPTIMIZER)
    for name, source in {"slower": SLOWER, "innocent": INNOCENT}.items():
        git(folder, "checkout", "-q", "-b", name, "main~0")
        commit(folder, name, mine=source)
    git(folder, "checkout", "-q", "main")
    commit(folder, "something else meanwhile", other="")
    for name in ("slower", "innocent"):
        git(folder, "checkout", "-q", "-b", f"merge/{name}", "main")
        git(folder, "merge", "-q", "--no-ff", "--no-edit", name)
    return folder


class Runner:
    """Does what a hosted runner does with the steps of a job."""

    def __init__(self, folder: Path, origin: Path, pull_request: str) -> None:
        self.folder, self._origin, self._pull_request = folder / "work", origin, pull_request
        self.summary, self.comments = folder / "summary.md", folder / "comments"
        (folder / "bin").mkdir()
        gh = folder / "bin" / "gh"
        gh.write_text(
            f'#!/bin/sh\necho "$@" > {self.comments}\ncat comment.md >> {self.comments}\n'
        )
        gh.chmod(0o755)
        # Nothing but the two packages is installed, beside what is here; a quirk of pip's reads
        # PIP_NO_BUILD_ISOLATION=0 as --no-build-isolation.
        site = folder / "site"
        path = [folder / "bin", site / "bin", Path(sys.executable).parent, os.environ["PATH"]]
        self.environment = {
            **os.environ, "PATH": os.pathsep.join(map(str, path)), "PYTHONPATH": str(site),
            "PIP_TARGET": str(site), "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0",
            "OPTBENCH_OFFLINE": "1", "GITHUB_STEP_SUMMARY": str(self.summary),
        }  # fmt: skip

    def action(self, name: str, given: dict[str, Any]) -> None:
        match name.partition("@")[0]:
            case "actions/checkout" if "repository" in given:
                ignored = shutil.ignore_patterns(".*", "results", "tests", "*.egg-info", "build")
                shutil.copytree(ROOT, self.folder / given["path"], ignore=ignored)
            case "actions/checkout":
                depth = given.get("fetch-depth", 1)
                shallow = [] if depth == 0 else ["--depth", str(depth)]
                branch = ["-b", f"merge/{self._pull_request}", self._origin.as_uri()]
                git(self._origin, "clone", "-q", *shallow, *branch, str(self.folder))
            case "actions/setup-python":
                assert given["python-version"] in ("3.11", "3.12", "3.13")
                assert (given["cache"], (self.folder / "pyproject.toml").is_file()) == ("pip", True)
            case "actions/cache":
                assert Path(given["path"]).expanduser() == Path.home() / ".cache" / "optbench"
            case _:
                raise AssertionError(f"{name} is not known here")

    def run(self, text: str, given: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        for name, value in given.items():
            known = {"${{ github.token }}": "token", "${{ github.event.number }}": "7"}
            given = {**given, name: known.get(value, value)}
        assert "${{" not in text
        return subprocess.run(
            ["bash", "-e", "-c", text], cwd=self.folder, env=self.environment | given,
            capture_output=True, text=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("pull_request", "code", "title"),
    [("slower", 3, "### optbench: slower"), ("innocent", 0, "### optbench: not slower")],
)
def test_the_workflow_fails_where_a_pull_request_is_slower_and_tells_in_either_case(
    workflow: dict[str, Any], origin: Path, tmp_path: Path, pull_request: str, code: int, title: str
) -> None:
    (job,) = workflow["jobs"].values()
    runner = Runner(tmp_path, origin, pull_request)
    ours = {"OPTIMIZERS": "mine:Mine", "PROBLEMS": "quadratic"}
    assert ours.keys() == workflow["env"].keys()
    codes: dict[str, int] = {}
    for step in job["steps"]:
        if "uses" in step:
            runner.action(step["uses"], step.get("with", {}))
            continue
        if any(codes.values()) and "cancelled()" not in step.get("if", "success()"):
            continue
        ended = runner.run(step["run"], {**ours, **step.get("env", {})})
        assert ended.returncode == 0 or step["name"] == "Compare", ended.stderr
        codes[step["name"]] = ended.returncode
    assert codes == {"Install": 0, "Compare": code, "Comment": 0}
    said = runner.summary.read_text()
    assert said.startswith(title)
    base, head = (git(origin, "rev-parse", f"merge/{pull_request}{up}")[:10] for up in ("^1", ""))
    assert f"`optbench regress {base} {head} " in said
    arguments, comment = runner.comments.read_text().split("\n", 1)
    assert re.match(r"pr comment 7 --body-file comment\.md ", arguments)
    assert comment == said


def test_what_the_workflow_keeps_is_where_optbench_keeps_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (cache.VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache.folder() == Path.home() / ".cache" / "optbench"
