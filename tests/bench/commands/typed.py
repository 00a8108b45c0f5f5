"""A command as a user types it, run in this process."""

from typer.testing import CliRunner, Result

from bench.cli import app
from bench.support import console

QUICK = ["run", "-p", "quadratic", "-o", "adam,sgd", "--seeds", "2", "--iterations", "20"]


def optbench(*arguments: str) -> Result:
    """What it prints, and its exit code."""
    console._console.cache_clear()
    return CliRunner().invoke(app, list(arguments))
