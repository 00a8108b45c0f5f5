"""How long ``optbench report`` takes, and how much memory, for many stored runs.

The records are made up: noisy exponential decays of 5 optimizers on 4 problems, each run with its
plain-gradient run, as ``optbench run`` leaves them.
"""

import argparse
import contextlib
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psutil

from bench.runs import store
from bench.runs.record import RunRecord
from bench.runs.spec import Role

ITERATIONS = 200
EVALUATED_EVERY = 50
PROBLEMS = ("mnist_cnn", "mnist_logreg", "mnist_mlp", "quadratic")
OPTIMIZERS = ("diag_ggn_mc", "diag_ggn_exact", "adam", "sgd", "momentum")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_ENVIRONMENT = {
    "fingerprint": "made-up",
    "cpu": "no processor",
    "logical_cores": 2,
    "threads": 2,
    "gpu": None,
    "versions": {"torch": "2.14"},
    "allocator": {"libc": "glibc", "tuned": True},
    "commit": None,
    "shared": False,
}


def made_up(count: int) -> Iterator[RunRecord]:
    """Training runs, as many as asked for, each after its plain-gradient run."""
    generator = np.random.default_rng(0)
    for number in range(count):
        problem = PROBLEMS[number % len(PROBLEMS)]
        rest = number // len(PROBLEMS)
        optimizer, seed = OPTIMIZERS[rest % len(OPTIMIZERS)], rest // len(OPTIMIZERS)
        roles: tuple[tuple[Role, int], ...] = (("plain_gradient", 30), ("training", ITERATIONS))
        for role, iterations in roles:
            yield _record(generator, number, role, iterations, problem, optimizer, seed)


def _record(
    generator: np.random.Generator,
    number: int,
    role: Role,
    iterations: int,
    problem: str,
    optimizer: str,
    seed: int,
) -> RunRecord:
    rate = 0.02 + 0.005 * OPTIMIZERS.index(optimizer)
    loss = np.exp(-rate * np.arange(iterations)) * generator.lognormal(0.8, 0.1, iterations)
    phases = {
        f"{phase}_s": generator.lognormal(np.log(ms / 1e3), 0.1, iterations)
        for phase, ms in (("data", 0.1), ("forward", 6.0), ("backward", 8.0), ("step", 1.0))
    }
    seconds = np.cumsum(sum(phases.values()))
    evaluations = [
        {
            "iteration": float(done),
            "seconds": float(seconds[done - 1]) if done else 0.0,
            "loss": float(loss[max(0, done - 1)]),
            "accuracy": float(1 - 0.9 * np.exp(-rate * done)),
        }
        for done in range(0, iterations + 1, EVALUATED_EVERY)
    ]
    return RunRecord(
        run_id=f"{2 * number + (role == 'training'):016x}",
        started_at=_START + timedelta(seconds=10 * number + (role == "training")),
        session=f"session of {problem}",
        config={
            "problem": problem, "optimizer": optimizer, "label": optimizer,
            "hyperparameters": {"lr": 0.1}, "settings": {"lr": 0.1}, "seed": seed,
            "iterations": iterations, "seconds": None, "until": None, "batch_size": 128,
            "device": "cpu", "dtype": "float32", "split": "test", "role": role,
        },
        status="completed",
        diverged_at=None,
        error="",
        environment=_ENVIRONMENT,
        data={"name": "mnist", "detail": "made up", "checksum": "1", "origin": "nowhere"},
        values={
            "iteration": np.arange(iterations),
            "loss": loss,
            "accuracy": 1 - loss / loss.max(),
            **phases,
        },
        evaluations=evaluations if role == "training" else [],
        metrics={"loss": "min", "accuracy": "max"},
    )  # fmt: skip


def measure(runs: int) -> dict[str, float]:
    """One report in a process of its own: wall time, peak memory, size of the page.

    The memory is that of the process and of those that draw for it, looked at ten times a second.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        for record in made_up(runs):
            store.save(record, results)
        began = time.perf_counter()
        process = psutil.Popen(
            [sys.executable, "-P", "-m", "bench", "report", str(results)],
            stdout=subprocess.DEVNULL,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process))
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(f"The report of {runs} runs failed.")
        page = (results / "report" / "report.html").stat().st_size
        return {
            "runs": runs,
            "seconds": round(seconds, 2),
            "peak_mib": round(peak / 2**20),
            "page_mib": round(page / 2**20, 2),
        }


def _resident(process: psutil.Process) -> int:
    """Bytes that a process and its children hold; 0 of those that just ended."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total


def main() -> None:
    """Measure and print, and write a table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    found = []
    for _ in range(arguments.rounds):
        for runs in arguments.runs:
            found.append(measure(runs))
            print(
                "{runs} runs of {0} iterations: {seconds} s, peak {peak_mib} MiB, page {page_mib} "
                "MiB".format(ITERATIONS, **found[-1])
            )
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        with (arguments.output / "report_speed.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
