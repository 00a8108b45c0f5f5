"""What the command line itself does: options, one-line errors, tracebacks when asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.errors import UsageError
from bench.support import console
from tests.bench.commands.typed import QUICK, optbench

pytestmark = pytest.mark.usefixtures("here")


def test_users_optimizer_from_the_working_folder() -> None:
    """Where folders of their own are called as this project's are."""
    for name in ("bench", "optimizers"):
        Path(name).mkdir()
        Path(name, "__init__.py").touch()
    Path("mine.py").write_text("import torch\nclass Mine(torch.optim.SGD):\n    'My optimizer.'\n")
    finished = subprocess.run(
        [sys.executable, "-Pc", "from bench.cli import main; main()", *QUICK[:4], "mine:Mine",
         "--seeds", "1", "--iterations", "5"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "Mine" in finished.stdout
    assert "failed" not in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--iterations", "x"], "Invalid value for '--iterations'"),
        (["run", "--foo"], "No such option: --foo"),
        (["nope"], "No such command 'nope'"),
        (["show"], "Missing argument 'RUN'"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_read_are_one_line_too(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(sys, "argv", ["optbench", *arguments])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("warnings.showwarning", None)
    console._console.cache_clear()
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    console._console.cache_clear()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("optbench: ")
    assert message.lower() in line.lower()


def test_debug_shows_the_traceback() -> None:
    result = optbench("--debug", "run", "-o", "agam")
    optbench("list")  # resets the switch
    assert isinstance(result.exception, UsageError)
