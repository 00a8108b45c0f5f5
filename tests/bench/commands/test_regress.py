"""``optbench regress`` as a user types it: answers, one-line errors, exit codes, nothing left."""

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer

from bench.commands import regress as command
from bench.regress import presentation
from tests.bench.regress.repositories import OPTIMIZER, commit, git, made, stepping
from tests.bench.regress.test_presentation import compared, lines

SLEEPS = stepping("import time; time.sleep(1e-3)").replace("class Mine", "class Slept")
COPIES = OPTIMIZER.replace("class Mine", "class Copied").replace(
    "parameter.sub_(", "[parameter.grad.clone() for _ in range(300)]; parameter.sub_("
)
QUICK = ["-p", "quadratic", "--budget", "1"]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    code = "from bench.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-Pc", code, "regress", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OPTBENCH_OFFLINE": "1"},
    )  # fmt: skip


def regress(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path, mine=OPTIMIZER)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str, Path]:
    """One comparison with a sleep, needless copies, and an innocent change of a comment."""
    folder = made(
        tmp_path_factory.mktemp("scratch"),
        slept=OPTIMIZER.replace("class Mine", "class Slept"),
        copied=OPTIMIZER.replace("class Mine", "class Copied"),
        mine=OPTIMIZER,
    )
    innocent = OPTIMIZER.replace("Gradient descent.", "Steepest descent.")
    commit(folder, "changes", slept=SLEEPS, copied=COPIES, mine=innocent)
    # A threshold of 30 % since tests share the machine; each change is several hundred percent.
    code, out, err = regress(
        folder, "main~1", "main", "-o", "slept:Slept,copied:Copied,mine:Mine", "--threshold", "30",
        "--json", *QUICK,
    )  # fmt: skip
    return code, json.loads(out), err, folder


def test_a_sleep_and_needless_copies_are_found_in_the_step_and_an_innocent_change_is_not(
    judged: tuple[int, dict[str, Any], str, Path],
) -> None:
    code, document, _, _ = judged
    assert code == 3
    assert document["slower"] == ["quadratic/Copied", "quadratic/Slept"]
    lines = {(line["benchmark"], line["quantity"]): line for line in document["lines"]}
    for name in ("quadratic/Slept", "quadratic/Copied"):
        assert lines[name, "step"]["verdict"] == lines[name, "total"]["verdict"] == "slower"
        added = {
            phase: lines[name, phase]["head_s"] - lines[name, phase]["base_s"]
            for phase in ("forward", "backward", "step")
        }
        assert max(added, key=added.__getitem__) == "step"  # a sleep lets caches grow cold, too
    for phase in ("step", "total"):
        assert lines["quadratic/Mine", phase]["verdict"] != "slower"


def test_the_document_has_raw_blocks_and_a_command_for_each_benchmark(
    judged: tuple[int, dict[str, Any], str, Path],
) -> None:
    document = judged[1]
    blocks = document["blocks_s"]["quadratic/Slept"]
    assert len(blocks) == document["launches"] >= 5
    base, head = git(judged[3], "rev-parse", "main~1", "main").splitlines()
    assert document["commands"]["quadratic/Slept"] == (
        f"optbench regress {base[:10]} {head[:10]} --budget 1.0 --threshold 30.0 -p quadratic "
        "-o Slept=slept:Slept"
    )
    assert document["base"] == f"main~1 ({base[:10]})"


def test_no_worktree_is_left(judged: tuple[int, dict[str, Any], str, Path]) -> None:
    assert len(git(judged[3], "worktree", "list").splitlines()) == 1


def test_what_git_ignores_and_one_side_alone_has_is_no_comparison(repository: Path) -> None:
    """A generated module with a slow stand-in: the base's checkout has only that."""
    uses = "try:\n    import _fast\nexcept ImportError:\n    _fast = None\n"
    (repository / ".gitignore").write_text("_fast.py\n")
    commit(repository, "optional", mine=uses + textwrap.dedent(OPTIMIZER))
    (repository / "_fast.py").write_text("SPEED = 2\n")
    arguments = ["HEAD", "-o", "mine:Mine", "--threshold", "300", *QUICK]
    code, out, err = regress(repository, *arguments)
    assert (code, out) == (2, "")
    assert "quadratic/Mine is not compared: working tree loaded _fast.py, which HEAD (" in err
    assert "--allow-ignored goes on regardless" in err
    code, out, err = regress(repository, *arguments, "--allow-ignored")
    assert code == 0, err
    assert "Timings may be spoilt: quadratic/Mine: working tree loaded _fast.py" in squeezed(out)
    assert regress(repository, "HEAD~1", "HEAD", *arguments[1:])[0] == 0


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_one_optimizer_that_fails_ends_no_other_and_the_exit_code_tells(repository: Path) -> None:
    fails = stepping("raise ValueError('no')").replace("class Mine", "class Bad")
    commit(repository, "two", bad=OPTIMIZER.replace("class Mine", "class Bad"))
    (repository / "bad.py").write_text(textwrap.dedent(fails))
    arguments = ["HEAD", "-o", "bad:Bad,mine:Mine", "--markdown", "--threshold", "300", *QUICK]
    code, out, err = regress(repository, *arguments)
    assert code == 1, err
    assert out.startswith("### optbench: not slower; 1 benchmark failed")
    assert "| quadratic/Bad |  |  |  |  |  | failed |" in out
    assert "quadratic/Bad failed: working tree failed in quadratic/Bad: ValueError: no (" in out
    assert "| quadratic/Mine | total |" in out


def test_a_benchmark_of_one_side_only_is_listed(repository: Path) -> None:
    commit(repository, "second", new=OPTIMIZER.replace("class Mine", "class New"))
    arguments = ["HEAD~1", "-o", "mine:Mine,new:New", "--markdown", "--threshold", "300", *QUICK]
    code, out, err = regress(repository, *arguments)
    assert code == 0, err
    assert "| quadratic/New |  | – |  |  |  | appeared |" in out
    base, head = (git(repository, "rev-parse", revision) for revision in ("HEAD~1", "HEAD"))
    assert f"quadratic/Mine: `optbench regress {base[:10]} {head[:10]} --budget" in out
    assert "1 appeared" in out
    assert "quadratic/New appeared: Cannot import 'new'" in out
    assert "Measured on cpu, " in out


def one_line(folder: Path, *arguments: str) -> tuple[int, str]:
    code, out, err = regress(folder, *arguments)
    lines = [line for line in err.splitlines() if not line.startswith("Measuring")]
    assert len(lines) == 1, err
    assert out == ""
    assert len(git(folder, "worktree", "list").splitlines()) == 1
    return code, lines[0]


def test_a_side_that_does_not_import_is_named(repository: Path) -> None:
    commit(repository, "broken", mine="def broken(:\n")
    code, said = one_line(repository, "HEAD", "HEAD~1", "-o", "mine:Mine", *QUICK)
    assert code == 1
    assert "quadratic/Mine does not start: Cannot import 'mine'" in said
    assert "HEAD (" in said
    assert "SyntaxError" in said


def test_a_side_that_crashes_is_named(repository: Path) -> None:
    commit(repository, "crashes", mine=stepping("import os; os._exit(7)"))
    code, said = one_line(repository, "HEAD~1", "-o", "mine:Mine", *QUICK)
    assert code == 1
    assert "working tree crashed in quadratic/Mine (exit code 7)" in said


def test_a_step_that_raises_is_told_with_its_reason(repository: Path) -> None:
    commit(repository, "raises", mine=stepping("raise ValueError('no way')"))
    code, said = one_line(repository, "HEAD~1", "-o", "mine:Mine", *QUICK)
    assert code == 1
    assert "working tree failed in quadratic/Mine: ValueError: no way" in said
    assert f"({repository}/mine.py, line 12)" in said


def test_debug_shows_the_traceback_of_the_code_under_test(repository: Path) -> None:
    commit(repository, "raises", mine=stepping("raise ValueError('no way')"))
    code = "from bench.cli import main; main()"
    finished = subprocess.run(
        [sys.executable, "-Pc", code, "--debug", "regress", "HEAD~1", "-o", "mine:Mine", *QUICK],
        cwd=repository, capture_output=True, text=True, env=os.environ | {"OPTBENCH_OFFLINE": "1"},
    )  # fmt: skip
    assert 'mine.py", line' in finished.stderr
    assert "in step" in finished.stderr


def test_a_commit_hook_may_compare(repository: Path) -> None:
    """Git's variables of the commit in the making reach neither the checkout nor the workers."""
    hook = repository / ".git" / "hooks" / "pre-commit"
    command = [sys.executable, "-Pc", "from bench.cli import main; main()", "regress", "main",
               "-o", "mine:Mine", "--threshold", "300", *QUICK]  # fmt: skip
    variables = "OPTBENCH_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1"
    hook.write_text(f"#!/bin/sh\n{variables} {shlex.join(command)}\n")
    hook.chmod(0o755)
    changed = OPTIMIZER.replace("Gradient descent", "Steepest descent")
    commit(repository, "changed", mine=changed, other="ONE = 1\n")
    assert git(repository, "show", "--stat", "--format=", "HEAD").count("|") == 2
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mian", "-o", "mine:Mine"], "Unknown revision 'mian'. Did you mean 'main'?"),
        ([], "There is nothing to compare with"),
        (["main", "--json", "--markdown"], "--json and --markdown exclude each other"),
        (["main", "--budget", "0"], "budget=0.0 is not valid"),
        (["main", "--threshold", "-1"], "threshold=-1.0 is not valid"),
        (["main", "--threshold", "inf"], "threshold=inf is not valid"),
        (["main", "--budget", "nan"], "budget=nan is not valid"),
        (["main..next", "-o", "mine:Mine"], "'main..next' is a range: name the two revisions"),
        (["main", "-o", "mine:Mine", "--set", "lr=x", *QUICK], "quadratic/Mine: "),
        (["--python", ""], "--python '' is no Python interpreter"),
        (["--python", "/bin/false"], "is no Python interpreter"),
        (["main", "--baseline", "x.json"], "--baseline goes with no revision, --python, -o"),
        (["-p", "quadratic", "--baseline", "x.json"], "--baseline goes with no revision"),
        (["--step", "plain", "--baseline", "x.json"], "--baseline goes with no revision"),
        (["--group", "*: lr=1", "--baseline", "x.json"], "--baseline goes with no revision"),
        (["main", "--any-machine"], "--any-machine goes with --baseline only"),
        (["main", "-o", "a:B,c:D", "--set", "lr=1"], "Setting 'lr=1' needs a label"),
        (["--baseline", "x.json"], "Baseline 'x.json' does not exist."),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(repository: Path, arguments: list[str], expected: str) -> None:
    code, said = one_line(repository, *arguments)
    assert code == 2
    assert expected in said


def test_without_a_repository_revisions_are_refused(tmp_path: Path) -> None:
    code, out, err = regress(tmp_path, "main", "-o", "mine:Mine")
    assert (code, out) == (2, "")
    assert "is not in a git repository that can be used (git: fatal: not a git repository" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cleans_worktrees_and_workers_up(repository: Path, number: int) -> None:
    process = start(repository, "HEAD", "-o", "mine:Mine", "-p", "quadratic")
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(parent.children()) < 2:  # both workers of the first launch
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    workers = parent.children()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "Interrupted."
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_two_interpreters_need_no_repository_and_no_own_code(tmp_path: Path) -> None:
    arguments = ["--python", sys.executable, "-o", "sgd", "--threshold", "300", "--json", *QUICK]
    code, out, err = regress(tmp_path, *arguments)
    assert code == 0, err
    document = json.loads(out)
    assert document["sides"]["base"]["versions"] == document["sides"]["head"]["versions"]
    assert {line["quantity"] for line in document["lines"]} == {
        "forward", "backward", "step", "total",
    }  # fmt: skip


def test_thresholds_come_from_pyproject(repository: Path) -> None:
    (repository / "pyproject.toml").write_text("[tool.optbench.regress]\nthresold = 5\n")
    code, said = one_line(repository, "HEAD", "-o", "mine:Mine")
    assert code == 2
    assert "Unknown key in [tool.optbench.regress] of '" in said
    assert "'thresold'. Did you mean 'threshold'?" in said


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        (["undecided"] * 4, False, 0),
        (["undecided"] * 4, True, 4),
        (["unchanged"] * 3 + ["undecided"], True, 4),
        (["unchanged"] * 4, True, 0),
        (["undecided"] * 3 + ["slower"], True, 3),
    ],
)
def test_what_is_undecided_fails_only_if_asked_to(
    verdicts: list[Any], strict: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    account = presentation.of_sides(compared(*lines("quadratic/a", verdicts, 1.0)), {})
    ended = 0
    try:
        command._conclude(account, strict, as_json=False, as_markdown=True)
    except typer.Exit as error:
        ended = error.exit_code
    assert ended == code
    assert ("inconclusive" in capsys.readouterr().out) == (code != 3 and "undecided" in verdicts)


def test_how_steps_are_taken_goes_to_the_benchmark_and_its_command() -> None:
    specs = command._specs("quadratic", ["sgd,m:Mine"], steps=["Mine=closure"])
    assert [spec.step for spec in specs] == ["", "closure"]
    assert command._command(specs[1], []) == (
        "optbench regress -p quadratic -o Mine=m:Mine --step Mine=closure"
    )


def test_groups_go_to_the_benchmark_and_its_command() -> None:
    group = "ndim<2: weight_decay=0; lr=0.1"
    specs = command._specs("quadratic", ["sgd,m:Mine"], groups=[f"Mine={group}", "*.bias: lr=1"])
    assert [len(spec.groups) for spec in specs] == [1, 2]
    words = shlex.split(command._command(specs[1], []))
    options = [words[i + 1] for i, word in enumerate(words) if word == "--group"]
    assert options == [f"Mine={group}", "Mine=*.bias: lr=1"]
    again = command._specs("quadratic", ["Mine=m:Mine"], groups=options)
    assert again[0].groups == specs[1].groups
