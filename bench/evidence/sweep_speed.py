"""What a sweep's machinery gains and costs, in ratios of whole processes that take turns.

``jobs``: the same cells of ``mnist_cnn`` with two jobs, and one after the other on one thread and
on two. ``halving``: successive halving over the whole grid, and whether its recommendation lies in
the plateau of the grid's. ``machinery``: what a sweep spends per cell besides the runs themselves,
from sweeps of few and of many cells with runs of one iteration, so that what is spent only once
drops out.

    python -m bench.evidence.sweep_speed jobs --rounds 3 --output results/reference/damping
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bench.evidence.tutorial import ratio_interval
from bench.runs import store

_TARGETS = {"jobs 2 / one thread": 0.6, "jobs 2 / two threads": 0.9, "halving / grid": 0.5}
_MACHINERY_TARGET_MS = 50.0
_CONFIDENCE = 0.95
_FEW, _MANY = 14, 42


def sweep(*options: str) -> dict[str, Any]:
    """Run ``optbench sweep`` in a folder of its own; its wall time and what it printed."""
    with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
        command = [sys.executable, "-m", "bench", "sweep", *options, "--results", folder, "--json"]
        began = time.perf_counter()
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        wall_s = time.perf_counter() - began
        records = store.load(folder)
    return {
        "wall_s": wall_s,
        "runs": len(records),
        "runs_s": sum(record.wall_s for record in records),
        "said": json.loads(finished.stdout),
    }


def measure(rounds: int, arms: dict[str, Sequence[str]]) -> pd.DataFrame:
    """Run every arm once per round, in an order that turns around every time."""
    rows = []
    for number in range(rounds):
        names = list(arms)
        for arm in names if number % 2 == 0 else names[::-1]:
            found = sweep(*arms[arm])
            rows.append({"round": number, "arm": arm, **found})
            print(
                f"round {number}, {arm}: {found['wall_s']:.1f} s, {found['runs']} runs", flush=True
            )
    return pd.DataFrame(rows)


def ratios(table: pd.DataFrame, pairs: dict[str, tuple[str, str]]) -> None:
    """Print the ratios of wall times, paired within rounds."""
    wall = table.pivot_table(index="round", columns="arm", values="wall_s")
    for name, (above, below) in pairs.items():
        found = (wall[above] / wall[below]).tolist()
        if len(found) < 2:
            print(f"{name}: {found[0]:.3f} (one round; target <= {_TARGETS[name]})")
            continue
        ratio, low, high = ratio_interval(found, _CONFIDENCE)
        print(
            f"{name}: {ratio:.3f} ({100 * _CONFIDENCE:g} % interval {low:.3f} to {high:.3f}, "
            f"{len(found)} rounds; target <= {_TARGETS[name]})"
        )


def jobs(rounds: int) -> pd.DataFrame:
    """21 settings with two seeds each: 42 cells."""
    cells = ("-p", "mnist_cnn", "--seeds", "2", "--iterations", "30")
    table = measure(
        rounds,
        {
            "two jobs": (*cells, "--jobs", "2"),
            "one thread": (*cells, "--jobs", "1", "--threads", "1"),
            "two threads": (*cells, "--jobs", "1", "--threads", "2"),
        },
    )
    ratios(
        table,
        {
            "jobs 2 / one thread": ("two jobs", "one thread"),
            "jobs 2 / two threads": ("two jobs", "two threads"),
        },
    )
    return table


def halving(rounds: int) -> pd.DataFrame:
    """The bare sweep with two seeds, whole and by halving."""
    cells = ("-p", "mnist_cnn", "--seeds", "2", "--jobs", "2")
    table = measure(rounds, {"grid": cells, "halving": (*cells, "--strategy", "halving")})
    ratios(table, {"halving / grid": ("halving", "grid")})
    said = {arm: rows.iloc[0]["said"]["labels"][0] for arm, rows in table.groupby("arm")}
    plateau = [trial["settings"] for trial in said["grid"]["plateau"]]
    chosen = said["halving"]["chosen"]["settings"]
    print(
        f"halving recommends {chosen}, {'inside' if chosen in plateau else 'outside'} the plateau "
        f"of the grid, which has {len(plateau)} of {len(said['grid']['trials'])} settings and "
        f"recommends {said['grid']['chosen']['settings']}"
    )
    return table


def machinery(rounds: int) -> pd.DataFrame:
    """Runs of one iteration, one job: what grows with the number of cells, apart from the runs."""
    once = ("-p", "mnist_cnn", "--iterations", "1", "--seeds", "1", "--jobs", "1")
    without_evaluation = ("--objective", "train_loss")
    few, many = (
        (*once, *without_evaluation, "--grid", f"lr=0.01:0.1:log{count}") for count in (_FEW, _MANY)
    )
    table = measure(rounds, {"few": few, "many": many})
    beside = (table["wall_s"] - table["runs_s"]).groupby([table["round"], table["arm"]]).first()
    cost_ms = 1e3 * (beside.xs("many", level="arm") - beside.xs("few", level="arm"))
    cost_ms /= _MANY - _FEW
    half = stats.t.ppf((1 + _CONFIDENCE) / 2, len(cost_ms) - 1) * stats.sem(cost_ms)
    print(
        f"machinery: {cost_ms.mean():.1f} ms per cell ({100 * _CONFIDENCE:g} % interval "
        f"{cost_ms.mean() - half:.1f} to {cost_ms.mean() + half:.1f}, {rounds} rounds; target < "
        f"{_MACHINERY_TARGET_MS:g}); {np.median(beside.xs('few', level='arm')):.1f} s once"
    )
    return table


def main() -> None:
    """Measure one of them, print it, keep the raw seconds."""
    kinds: dict[str, Callable[[int], pd.DataFrame]] = {
        "jobs": jobs,
        "halving": halving,
        "machinery": machinery,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    table = kinds[options.kind](options.rounds).drop(columns="said")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.round(3).to_csv(options.output / f"{options.kind}.csv", index=False)


if __name__ == "__main__":
    main()
