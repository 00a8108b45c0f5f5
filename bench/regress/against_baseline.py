"""Judging against a stored pytest-benchmark file, without the code that it was made from.

Absolute times of another day are advice only. What is judged is the *relative cost* of each
benchmark, in multiples of the plain gradient of its own session. The suite is run several times,
each a process of its own; the stored file is one such process, so that its relative cost, too, is
off by what a launch shifts: the interval is that for the difference between the mean of the
launches and one more draw.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.errors import SideError, UnknownNameError, UsageError
from bench.machine.watch import Watch
from bench.regress import baseline
from bench.regress.baseline import Stored
from bench.regress.outcome import Line, OnLaunch, Outcome, Threshold, launch_until_decided
from bench.runs.spec import TUTORIAL_OPTIMIZERS
from bench.statistics.launches import Array
from bench.support.text import plural
from optimizers import REGISTRY

_FEW_ROUNDS = 10
_MODULE = Path(__file__).parents[1] / "suite" / "test_throughput.py"
_MACHINE = (
    "import json; from bench.machine import allocator, environment; allocator.tune(); "
    "print(json.dumps(environment.comparable()))"
)


def compare(
    stored: Stored,
    *,
    threshold: Threshold,
    budget_s: float,
    any_machine: bool,
    on_launch: OnLaunch,
) -> Outcome:
    """Run the suite again and again, and judge it against a stored file.

    Args:
        stored: The file.
        threshold: The smallest change that counts, by ``problem/optimizer`` and phase.
        budget_s: Seconds per optimizer and problem of the file; five runs are the least.
        any_machine: Go on where the machine or a library differs.
        on_launch: Told how often the suite ran, and the share of the budget that is gone.

    Raises:
        UsageError: Machine or libraries differ, or there is no common benchmark.
        SideError: The suite fails.
    """
    outcome = Outcome(base=stored.name, head="This code")
    differing = baseline.differences(stored.machine, _machine())
    if differing and not any_machine:
        raise UsageError(
            f"Baseline '{stored.name}' is from another machine or other libraries: they differ in "
            f"{'; '.join(differing)}. --any-machine compares regardless."
        )
    outcome.complaints += [f"machine or libraries differ in {text}" for text in differing]
    if not stored.by_mean:
        outcome.remarks.append(
            "The file is of an older optbench: costs are of medians, which leave rare work out."
        )
    if stored.rounds < _FEW_ROUNDS:
        outcome.complaints.append(
            f"the file has only {plural(stored.rounds, 'round')} of a benchmark: take at least "
            f"{_FEW_ROUNDS}"
        )
    watch, began = Watch(), perf_counter()
    suite = _Suite.matching(stored)
    common = [name for name in stored.info if name in suite.benchmarks]
    runs = [suite.run(common, stored.rounds)] if common else []
    common = [name for name in common if name in runs[0].info]  # others were skipped
    if not common:
        unknown = "".join(f" {text}" for text in suite.unknown)
        raise UsageError(
            f"Baseline '{stored.name}' and the suite have no benchmark in common.{unknown}"
        )
    _require_same_data(stored, runs[0], common)
    vanished = (name for name in stored.info if name not in common)
    appeared = (name for name in suite.benchmarks if name not in stored.info)
    outcome.vanished = dict.fromkeys(vanished, "only in the file")
    outcome.appeared = dict.fromkeys(appeared, "not in the file")
    subjects = {(stored.info[name]["problem"], stored.info[name]["optimizer"]) for name in common}
    outcome.budget_s = budget_s * len(subjects)

    def launch() -> Array:
        if outcome.launches:  # the first told what there is in common
            watch.begin()
            runs.append(suite.run(common, stored.rounds))
        watch.look()
        now, then = baseline.costs([runs[-1], stored])
        return np.log([[now[name] / then[name] for name in common]])

    limits = [_threshold_of(stored.info[name], threshold) for name in common]
    judged = launch_until_decided(
        outcome, launch, limits, against_one=True,
        launches="runs of the suite", watch=watch, began=began, on_launch=on_launch,
    )  # fmt: skip
    then, *now = baseline.costs([stored, *runs])
    outcome.lines = [
        Line(
            benchmark=name,
            quantity=stored.info[name]["phase"],
            base=then[name],
            head=float(np.exp(np.log([costs[name] for costs in now]).mean())),
            unit="plain gradients",
            base_s=stored.seconds[name],
            head_s=float(np.median([run.seconds[name] for run in runs])),
            judged=one,
            threshold=limit,
        )
        for name, one, limit in zip(common, judged, limits, strict=True)
    ]
    return outcome


def _require_same_data(stored: Stored, run: Stored, names: Sequence[str]) -> None:
    for name in names:
        before, now = stored.info[name]["data"], run.info[name]["data"]
        if before != now:
            raise UsageError(
                f"Baseline '{stored.name}' was measured on the data '{before}', which is not at "
                f"hand: here it is '{now}'. Name its folder with --data-root."
            )


def _threshold_of(extra: Mapping[str, Any], threshold: Threshold) -> float:
    """The threshold of a benchmark, by the names that ``regress`` has for it."""
    label = str(extra["optimizer"]).rpartition(":")[2]
    phase = "total" if extra["phase"] == "iteration" else str(extra["phase"])
    return threshold(f"{extra['problem']}/{label}", phase)


@dataclass(frozen=True)
class _Suite:
    """The suite as it is now, run in processes of its own.

    Attributes:
        options: With which it collects what a stored file holds.
        benchmarks: Names of all that it then has.
        unknown: Why optimizers of the file do not exist here, one sentence each.
    """

    options: tuple[str, ...]
    benchmarks: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @classmethod
    def matching(cls, stored: Stored) -> "_Suite":
        """The suite with the stored optimizers that still exist, and those that came since."""
        timed = (str(e["optimizer"]) for e in stored.info.values())
        names = dict.fromkeys((*timed, *TUTORIAL_OPTIMIZERS))
        reasons = {name: _unknown(name) for name in names}
        unknown = tuple(reason for reason in reasons.values() if reason)
        known = [name for name, reason in reasons.items() if not reason]
        options = tuple(f"--optbench-optimizer={name}" for name in known)
        plain = cls(options, _collect(options), unknown)
        if set(stored.info) <= set(plain.benchmarks):
            return plain
        full = (*options, "--optbench-full")
        more = cls(full, _collect(full), unknown)
        gained = set(stored.info) & set(more.benchmarks) - set(plain.benchmarks)
        return more if gained else plain

    def run(self, names: Sequence[str], rounds: int) -> Stored:
        """Run some of its benchmarks, with as many rounds as the file has."""
        with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
            written = Path(folder) / "head.json"
            _pytest(
                *(f"{_MODULE}::{name}" for name in names), *self.options, "--benchmark-only",
                "--benchmark-json", str(written), f"--optbench-rounds={rounds}",
                "--optbench-no-memory",
            )  # fmt: skip
            return baseline.read(written)


def _unknown(optimizer: str) -> str:
    """Why an optimizer does not exist here; empty if it does."""
    try:
        REGISTRY.get(optimizer)
    except UnknownNameError as error:
        return str(error)
    return ""


def _collect(options: Sequence[str]) -> tuple[str, ...]:
    said = _pytest(str(_MODULE), *options, "--collect-only")
    lines = [line for line in said.splitlines() if "::" in line]
    return tuple(line.partition("::")[2] for line in lines)


def _machine() -> dict[str, Any]:
    """The machine and its libraries, as the suite would describe them."""
    described: dict[str, Any] = json.loads(_python("-c", _MACHINE).splitlines()[-1])
    return described


def _pytest(*arguments: str) -> str:
    """Run pytest on the suite, whatever is configured where the user works; what it says."""
    with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
        configuration = Path(folder) / "pytest.ini"  # pytest 9.2 takes no null device
        configuration.write_text("[pytest]\n")
        return _python(
            "-m", "pytest", *arguments, "-q", "-p", "no:cacheprovider", "--import-mode=importlib",
            "-c", str(configuration), "--rootdir", str(_MODULE.parent),
        )  # fmt: skip


def _python(*arguments: str) -> str:
    """Run an interpreter; what it says.

    Raises:
        SideError: It fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    command = [sys.executable, "-P", *arguments]  # -P: a folder 'bench' here is not optbench's
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    if finished.returncode != 0:
        lines = [line for line in finished.stdout.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("E ", "ERROR", "FAILED"))] or lines
        raise SideError(f"The suite fails; it says: {(said or [finished.stderr.strip()])[0]}")
    return finished.stdout
