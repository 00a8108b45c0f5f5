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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.regress.launch import SideError
from bench.regress.procedure import Estimate, Monitor, Verdict
from optimizers import OPTIMIZERS, REGISTRY
from optimizers.errors import UnknownNameError, UsageError

ROUNDS = 20
_MODULE = Path(__file__).parents[1] / "suite" / "test_step_throughput.py"
_MACHINE = ("cpu", "logical_cores", "memory_gib", "gpu", "threads")
_NEEDED = ("phase", "optimizer", "problem", "batch_size", "device", "relative_cost")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A pytest-benchmark file of this suite.

    Attributes:
        name: Of the file.
        machine: What ``machine_info`` says of the machine and its libraries.
        commit: Of the code that it was made from, or ``None``.
        when: When it was made, UTC.
        costs: Relative cost by benchmark.
        seconds: Median by benchmark.
        info: ``extra_info`` by benchmark.
    """

    name: str
    machine: Mapping[str, Any]
    commit: str | None
    when: datetime
    costs: Mapping[str, float]
    seconds: Mapping[str, float]
    info: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class BaselineLine:
    """What is said of one benchmark.

    Attributes:
        benchmark: Its name in the suite.
        phase: What it times.
        base_cost: Relative cost in the file.
        head_cost: Now; the geometric mean over launches.
        base_s: Seconds in the file.
        head_s: Seconds now: advice only.
        estimate: The ratio of the costs.
        threshold: The smallest change that counts, as a share.
        verdict: What follows.
    """

    benchmark: str
    phase: str
    base_cost: float
    head_cost: float
    base_s: float
    head_s: float
    estimate: Estimate
    threshold: float
    verdict: Verdict


@dataclass(kw_only=True)
class BaselineOutcome:
    """What a comparison with a stored file found.

    Attributes:
        base: The file.
        lines: One per benchmark that both have.
        appeared: Benchmarks that the file lacks.
        vanished: Benchmarks of the file that the suite no longer has.
        launches: How often the suite was run.
        elapsed_s: How long that took.
        differing: Fields in which machine or libraries differ, where the user went on regardless.
        budget_s: How long it might have taken.
    """

    base: str
    lines: list[BaselineLine] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    launches: int = 0
    elapsed_s: float = 0.0
    differing: list[str] = field(default_factory=list)
    budget_s: float = 0.0

    @property
    def slower(self) -> list[BaselineLine]:
        """The regressions."""
        return [line for line in self.lines if line.verdict == "slower"]


def read(path: Path) -> Stored:
    """Read a file that ``--benchmark-json`` or ``--benchmark-autosave`` made of this suite.

    Raises:
        UsageError: It is not there, is truncated, or is something else.
    """
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"Baseline '{path}' does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Baseline '{path}' cannot be read: {error}.") from None
    except json.JSONDecodeError as error:
        raise UsageError(
            f"Baseline '{path}' is no complete JSON file ({error}): it was cut short, or is "
            "something else."
        ) from None
    try:
        benchmarks = {item["name"]: item for item in document["benchmarks"]}
        machine = document["machine_info"]["optbench"]
        info = {name: item["extra_info"] for name, item in benchmarks.items()}
        lacking = [key for extra in info.values() for key in _NEEDED if key not in extra]
        if lacking or not benchmarks:
            raise KeyError(lacking[0] if lacking else "benchmarks")
        return Stored(
            name=str(path),
            machine=machine,
            commit=_commit(document.get("commit_info", {})),
            when=datetime.fromisoformat(document["datetime"]),
            costs={name: float(extra["relative_cost"]) for name, extra in info.items()},
            seconds={name: float(b["stats"]["median"]) for name, b in benchmarks.items()},
            info=info,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"Baseline '{path}' is not of optbench's suite (it lacks {error}): make one with "
            "pytest bench/ --benchmark-only --benchmark-json FILE."
        ) from None


def _commit(info: Mapping[str, Any]) -> str | None:
    name = info.get("id")
    if not name or name == "unknown":
        return None
    return f"{name}-dirty" if info.get("dirty") else str(name)


def differences(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """Fields of the machine and its libraries in which two files differ, with both values."""
    found = [
        f"{name} ({base.get(name)}, now {head.get(name)})"
        for name in _MACHINE
        if base.get(name) != head.get(name)
    ]
    before, now = base.get("versions", {}), head.get("versions", {})
    found += [
        f"{name} ({before.get(name)}, now {now.get(name)})"
        for name in dict.fromkeys((*before, *now))
        if name != "optbench" and before.get(name) != now.get(name)
    ]
    if base.get("allocator") != head.get("allocator"):
        found.append(f"allocator ({base.get('allocator')}, now {head.get('allocator')})")
    return found


def compare(
    stored: Stored,
    *,
    threshold: Callable[[str, str], float],
    budget_s: float,
    any_machine: bool,
    on_launch: Callable[[int, float], None],
) -> BaselineOutcome:
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
    began, longest = perf_counter(), 0.0
    suite = _Suite.matching(stored)
    common = [name for name in stored.info if name in suite.benchmarks]
    if not common:
        raise UsageError(f"Baseline '{stored.name}' and the suite have no benchmark in common.")
    outcome = BaselineOutcome(
        base=stored.name,
        vanished=[name for name in stored.info if name not in suite.benchmarks],
        appeared=[name for name in suite.benchmarks if name not in stored.info],
    )
    limits = [
        threshold(f"{extra['problem']}/{extra['optimizer']}", extra["phase"])
        for extra in (stored.info[name] for name in common)
    ]
    monitor = Monitor(limits, against_one=True)
    subjects = {(stored.info[name]["problem"], stored.info[name]["optimizer"]) for name in common}
    budget_s *= len(subjects)
    outcome.budget_s = budget_s
    base = np.array([stored.costs[name] for name in common])
    runs: list[Stored] = []
    while True:
        launched = perf_counter()
        runs.append(suite.run(common))
        now = perf_counter()
        if len(runs) == 1:
            outcome.differing = differences(stored.machine, runs[0].machine)
            if outcome.differing and not any_machine:
                raise UsageError(
                    f"Baseline '{stored.name}' is from another machine or other libraries: they "
                    f"differ in {'; '.join(outcome.differing)}. --any-machine compares regardless."
                )
        outcome.launches, outcome.elapsed_s = len(runs), now - began
        longest = max(longest, now - launched)
        gone = outcome.elapsed_s / budget_s
        on_launch(len(runs), gone)
        costs = np.array([[run.costs[name] for name in common] for run in runs])
        last = outcome.elapsed_s + longest > budget_s
        if monitor.stops(np.log(costs / base), gone, last=last):
            break
    assert monitor.estimates is not None
    found = zip(common, monitor.estimates, monitor.verdicts(), limits, costs.T, strict=True)
    for name, estimate, verdict, limit, cost in found:
        outcome.lines.append(
            BaselineLine(
                benchmark=name,
                phase=stored.info[name]["phase"],
                base_cost=stored.costs[name],
                head_cost=float(np.exp(np.log(cost).mean())),
                base_s=stored.seconds[name],
                head_s=float(np.median([run.seconds[name] for run in runs])),
                estimate=estimate,
                threshold=limit,
                verdict=verdict,
            )
        )
    return outcome


@dataclass(frozen=True)
class _Suite:
    """The suite as it is now, run in processes of its own.

    Attributes:
        options: With which it collects what a stored file holds.
        benchmarks: Names of all that it then has.
    """

    options: tuple[str, ...]
    benchmarks: tuple[str, ...]

    @classmethod
    def matching(cls, stored: Stored) -> "_Suite":
        """The suite with the stored optimizers that still exist, and those that came since."""
        names = dict.fromkeys((*(str(e["optimizer"]) for e in stored.info.values()), *OPTIMIZERS))
        known = [name for name in names if _exists(name)]
        options = tuple(f"--optbench-optimizer={name}" for name in known)
        plain = cls(options, _collect(options))
        if set(stored.info) <= set(plain.benchmarks):
            return plain
        full = (*options, "--optbench-full")
        more = cls(full, _collect(full))
        gained = set(stored.info) & set(more.benchmarks) - set(plain.benchmarks)
        return more if gained else plain

    def run(self, names: Sequence[str]) -> Stored:
        """Run some of its benchmarks."""
        with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
            written = Path(folder) / "head.json"
            _pytest(
                *(f"{_MODULE}::{name}" for name in names), *self.options, "--benchmark-only",
                "--benchmark-json", str(written), f"--optbench-rounds={ROUNDS}",
                "--optbench-no-memory",
            )  # fmt: skip
            return read(written)


def _exists(optimizer: str) -> bool:
    try:
        REGISTRY.get(optimizer)
    except UnknownNameError:
        return False
    return True


def _collect(options: Sequence[str]) -> tuple[str, ...]:
    said = _pytest(str(_MODULE), *options, "--collect-only")
    lines = [line for line in said.splitlines() if "::" in line]
    return tuple(line.partition("::")[2] for line in lines)


def _pytest(*arguments: str) -> str:
    """Run pytest on the suite; what it says.

    Raises:
        SideError: It fails.
    """
    command = [sys.executable, "-m", "pytest", *arguments, "-q", "-p", "no:cacheprovider"]
    command += ["--import-mode=importlib", "-c", os.devnull, "--rootdir", str(_MODULE.parent)]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        lines = [line for line in finished.stdout.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("E ", "ERROR", "FAILED"))] or lines
        raise SideError(f"The suite fails; it says: {(said or [finished.stderr.strip()])[0]}")
    return finished.stdout
