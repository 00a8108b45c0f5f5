"""What all commands share: errors in one line with an exit code, signals, the data folder."""

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.commands import shared
from bench.errors import SideError, UnknownNameError, UsageError, WorkersError
from bench.support import console

SIGNALS = [
    number for name in ("SIGTERM", "SIGINT", "SIGHUP") if (number := getattr(signal, name, None))
]


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.fixture(autouse=True)
def _fresh_console() -> None:
    console._console.cache_clear()


def raising(error: BaseException) -> None:
    @shared.in_one_line
    def command(first: int, *, second: int) -> None:
        assert (first, second) == (1, 2)
        raise error

    command(1, second=2)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no  such\nthing"), 2, "optbench: no such thing"),
        (UnknownNameError("Unknown 'x'."), 2, "optbench: Unknown 'x'."),
        (SideError("base crashed"), 1, "optbench: base crashed"),
        (WorkersError("lost"), 1, "optbench: lost"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_the_user_must_mend_is_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stopped:
        raising(error)
    assert stopped.value.exit_code == code
    assert capsys.readouterr() == ("", f"{line}\n")


@pytest.mark.parametrize(
    "error", [UsageError("a"), SideError("b"), WorkersError("c")], ids=lambda e: type(e).__name__
)
def test_debug_lets_errors_through(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.Settings, "debug", True)
    with pytest.raises(type(error), match=f"^{error}$"):
        raising(error)


def test_an_error_of_this_program_is_none_of_the_user() -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"):
        raising(ZeroDivisionError("by zero"))


def test_the_command_line_can_be_typed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/optbench", "run", "-o", "a b", "$HOME"])
    assert shared.command_line() == "optbench run -o 'a b' '$HOME'"
    assert shlex.split(shared.command_line())[1:] == sys.argv[1:]


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        ("data", None, "{here}/data"),
        ("data", "/other", "{here}/data"),
        (None, "data", "{here}/data"),
        ("~/data", None, "{home}/data"),
        (None, None, None),
    ],
    ids=["option", "option first", "variable", "home", "neither"],
)
def test_the_data_folder_is_absolute_for_processes_elsewhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str | None,
    variable: str | None,
    expected: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPTBENCH_DATA", variable or "")
    shared.absolute_data_root(option)
    wanted = expected.format(here=tmp_path, home=Path.home()) if expected else ""
    assert os.environ["OPTBENCH_DATA"] == wanted


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_the_command_as_ctrl_c_does(number: signal.Signals) -> None:
    """A second one does not cut the cleaning short; afterwards handlers are as they were."""
    before, cleaning = handlers(), []

    def command() -> None:
        with shared.ended_by_signals():
            handler = signal.getsignal(number)
            assert callable(handler)
            try:
                handler(number, None)
            finally:
                cleaning.extend(handlers())

    with pytest.raises(KeyboardInterrupt):
        command()
    assert cleaning == [signal.SIG_IGN] * len(SIGNALS)
    assert handlers() == before


def test_without_a_signal_nothing_is_left() -> None:
    before = handlers()
    with shared.ended_by_signals():
        assert not set(handlers()) & set(before)
    assert handlers() == before
