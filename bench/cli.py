"""The command line: ``optbench`` and its commands, each in ``bench/commands/``.

What takes long to import is imported where it is used.
"""

import logging
import sys
import warnings
from typing import Annotated

import typer

from bench.commands import (
    calibrate,
    doctor,
    export,
    history,
    recommend,
    records,
    regress,
    report,
    run,
    shared,
    sweep,
)
from bench.support import console, importing

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Compare neural-network optimizers, with evidence, on this machine.",
)
app.command()(run.run)
app.command()(sweep.sweep)
app.command()(recommend.recommend)
app.command("list")(records.list_)
app.command()(records.show)
app.command()(records.query)
app.command()(report.report)
app.command()(export.export)
app.command()(regress.regress)
app.command()(history.history)
app.command()(calibrate.calibrate)
app.command()(doctor.doctor)


def main() -> None:
    """Entry point of ``optbench``."""
    importing.from_here()
    warnings.showwarning = console.show_warning
    logging.basicConfig(format="%(message)s")
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except Exception as error:  # typer's own, for options that it cannot read
        if shared.Settings.debug or not isinstance(code := getattr(error, "exit_code", None), int):
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        # 'optbench' alone is answered with the help, as it is.
        console.complain(message if "\n" in message else f"optbench: {message}")
        sys.exit(code)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    shared.Settings.debug = debug
