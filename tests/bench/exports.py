"""Two runs to be exported, and the command that does it."""

import math
from pathlib import Path

from typer.testing import CliRunner, Result

from bench.cli import app
from bench.runs import store
from bench.support import console
from tests.bench.records import made_curvature, made_record


def two_runs(folder: Path) -> Path:
    """Two runs, the younger one with the smaller name; one has curvature and diverged."""
    store.save(made_record(run_id="f" * 16, seed=1, peak_memory_bytes=2**40), folder)
    diverged = made_record(
        run_id="a" * 16,
        minutes=1,
        label="ggn",
        optimizer="diag_ggn_mc",
        losses=[1.0, math.inf, -math.inf, math.nan, 0.1 + 0.2],
        status="diverged",
        diverged_at=1,
        curvature=[*made_curvature(0), *made_curvature(20, damping=math.nan)],
        hyperparameters={"lr": 1e-05, "name": 'a "b", c'},
    )
    store.save(diverged, folder)
    return folder


def optbench(*arguments: str) -> Result:
    console._console.cache_clear()
    return CliRunner().invoke(app, ["export", *arguments])
