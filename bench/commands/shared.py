"""What all commands share: exit codes, common options, errors in one line."""

import contextlib
import functools
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from bench.errors import SideError, UsageError, WorkersError
from bench.support import console

REPORT = "report"
FAILED, WRONG_USAGE, REGRESSION, INCONCLUSIVE, INTERRUPTED = 1, 2, 3, 4, 130

Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Results folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="[LABEL.]KEY=VALUE", help="A hyperparameter."),
]
BatchSize = Annotated[
    int | None, typer.Option(help="Mini-batch size; the problem's own by default.")
]
Step = Annotated[
    list[str] | None,
    typer.Option(
        "--step",
        metavar="[LABEL=]HOW",
        help="How steps are taken, where the optimizer does not tell: plain, closure, "
        "backward_then_closure (SAM), loss, create_graph, or two as in closure+create_graph.",
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="[LABEL=]SELECTOR: KEY=VALUE",
        help="A parameter group with settings of its own, by number of axes or by name: "
        "'ndim<2: weight_decay=0', '*.bias: lr=0.1; momentum=0'.",
    ),
]
Sigma = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="VALUE",
        help="Standard deviation of the metric between seeds, if it is known, for the certified "
        "steps to a target; by default the runs tell it.",
        show_default=False,
    ),
]
Seeds = Annotated[
    str, typer.Option(metavar="N|LIST", help="How many seeds (3: 0, 1, 2), or which: 5,7 or 10-14.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run again what is stored.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<i>.")]
CurvatureEvery = Annotated[
    int, typer.Option(help="Iterations between observations of the curvature; 0 for none.")
]
MallocTuning = Annotated[
    bool,
    typer.Option(
        "--malloc-tuning/--no-malloc-tuning",
        help="On glibc, keep freed memory in the process: faster and steadier.",
    ),
]
DataRoot = Annotated[
    str | None,
    typer.Option(help="Folder with MNIST/raw/*-ubyte; OPTBENCH_DATA does the same."),
]
Command = TypeVar("Command", bound=Callable[..., None])


class Settings:
    """Options of ``optbench`` itself.

    Attributes:
        debug: Show tracebacks of errors.
    """

    debug = False


def in_one_line(command: Command) -> Command:
    """Turn what the user must mend into one line and an exit code."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            console.complain("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except UsageError as error:
            if Settings.debug:
                raise
            console.complain(f"optbench: {' '.join(str(error).split())}")
            raise typer.Exit(WRONG_USAGE) from None
        except (SideError, WorkersError) as error:
            if Settings.debug:
                raise
            console.complain(f"optbench: {error}")
            raise typer.Exit(FAILED) from None

    return wrapped  # type: ignore[return-value]


def command_line() -> str:
    """The command that is running, as it was typed."""
    return shlex.join(["optbench", *sys.argv[1:]])


def absolute_data_root(data_root: str | None) -> None:
    """Hand the data folder to processes that run elsewhere: as ``OPTBENCH_DATA``, absolute."""
    named = data_root or os.environ.get("OPTBENCH_DATA")
    if named:
        os.environ["OPTBENCH_DATA"] = str(Path(named).expanduser().absolute())


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a termination signal end the command as Ctrl-C does, so that everything is cleaned up."""

    def interrupt(*_: object) -> NoReturn:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second one does not cut the cleaning short
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGINT", "SIGHUP")
    wanted = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
