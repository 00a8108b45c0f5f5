"""Throughput over stored runs: what an iteration took, and where that changed.

Each session of ``optbench run`` and each file of the benchmark suite is one point of a series.
A series holds what may be compared over time: the same source, benchmark, settings, data, phase,
device and machine. Commits and versions of libraries may change within it: that is what one wants
to see.
"""

import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import errors
from bench.errors import UsageError
from bench.regress import baseline
from bench.runs import store
from bench.runs.record import DONE, RunRecord
from bench.runs.yardsticks import plain_gradient_s
from bench.statistics.change_points import course
from bench.statistics.intervals import per_iteration
from bench.support import git

TOTAL = "total"
_SERIES = (
    "source", "problem", "label", "phase", "device", "batch_size", "machine", "settings", "dtype",
    "threads", "tuned", "data", "optimizer",
)  # fmt: skip
_TELLING = ("optimizer", "machine", "settings", "threads", "tuned", "dtype", "data")  # names apart


@dataclass(frozen=True, kw_only=True)
class Change:
    """Where a series changed for good.

    Attributes:
        first: Index of the first point after the change.
        before: Median before it, back to the change before that.
        after: Median after it.
        commits: The last commit before and the first one after it.
        around: Likewise, where the scatter of sessions leaves it open when it was.
        when: When the first point after it was measured.
    """

    first: int
    before: float
    after: float
    commits: tuple[str | None, str | None]
    around: tuple[str | None, str | None]
    when: pd.Timestamp

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before


@dataclass(frozen=True, kw_only=True)
class Series:
    """One thing measured again and again.

    Attributes:
        name: What it is.
        machine: Where it was measured.
        judged: The column that changes are looked for in: ``relative`` where most points have it,
            else ``seconds``.
        points: By time: ``when``, ``seconds`` (the mean of iterations, in which rare work counts),
            ``median_s``, ``relative`` (multiples of the plain gradient of
            the same session; NaN where there was none), ``commit``, ``versions``.
        changes: Of the judged column; points without it are passed over.
        drift: The last point over the first where it drifts and changes nowhere, else ``None``.
    """

    name: str
    machine: str
    judged: str
    points: pd.DataFrame
    changes: list[Change]
    drift: float | None = None


def load(results: Path, phase: str = TOTAL) -> list[Series]:
    """The series of a results folder.

    Args:
        results: With ``runs/`` and, of the suite, ``baselines/``.
        phase: ``forward``, ``backward``, ``step`` or ``total``.

    Raises:
        UsageError: There is nothing to show.
    """
    records, stored = store.load(results), baselines(results)
    if not stored and not any(_is_point(record) for record in records):
        raise UsageError(
            f"'{results}' holds no timings: run 'optbench run', or pytest bench/ --benchmark-only "
            "--benchmark-autosave."
        )
    return series(records, stored, phase)


def baselines(results: Path) -> list[baseline.Stored]:
    """The files of the benchmark suite in a results folder; damaged ones are named and skipped."""
    found = []
    for path in sorted((results / "baselines").rglob("*.json")):
        try:
            found.append(baseline.read(path))
        except UsageError as error:
            warnings.warn(f"Skipped: {error}", errors.DamagedRecordWarning, stacklevel=2)
    return found


def series(
    records: Iterable[RunRecord], stored: Iterable[baseline.Stored], phase: str = TOTAL
) -> list[Series]:
    """The series of what was read already.

    Args:
        records: In any order.
        stored: Files of the benchmark suite.
        phase: ``forward``, ``backward``, ``step`` or ``total``.

    Returns:
        A series for each thing that was measured; none of nothing.
    """
    rows = [*_from_runs(records, phase), *_from_baselines(stored, phase)]
    if not rows:
        return []
    groups = pd.DataFrame(rows).groupby(list(_SERIES), sort=False)
    ordered = [group.sort_values("when").reset_index(drop=True) for _, group in groups]
    found = []
    for points, name in zip(ordered, _names([one.iloc[0] for one in ordered]), strict=True):
        first = points.iloc[0]
        known = points["relative"].notna().sum()
        judged = "relative" if 2 * known > len(points) else "seconds"
        changes, drift = _course(points, judged)
        found.append(
            Series(
                name=name,
                machine=first["machine"],
                judged=judged,
                points=points,
                changes=changes,
                drift=drift,
            )
        )
    return found


def commits_between(folder: Path, change: Change, most: int = 10) -> list[str]:
    """The commits that may have made a change, one line each; empty outside their repository."""
    before, after = (commit and commit.removesuffix("-dirty") for commit in change.commits)
    if not before or not after:
        return []
    return git.log(folder, before, after, most)


def _names(firsts: Sequence[pd.Series]) -> list[str]:
    """What series are called; those that would be called alike by what they differ in, too."""
    names = [
        f"{first['problem']}/{first['label']}, batch size {first['batch_size']}, "
        f"{first['device']} ({first['source']})"
        for first in firsts
    ]
    for name in [name for name, count in Counter(names).items() if count > 1]:
        alike = [at for at, one in enumerate(names) if one == name]
        facts = [fact for fact in _TELLING if len({str(firsts[at][fact]) for at in alike}) > 1]
        for at in alike:
            told = "; ".join(f"{fact} {firsts[at][fact]}" for fact in facts)
            names[at] = f"{name[:-1]}; {told})"
    return names


def _course(points: pd.DataFrame, column: str) -> tuple[list[Change], float | None]:
    known = points[points[column].notna()]
    values, where = known[column].tolist(), known.index
    commits = [commit if isinstance(commit, str) else None for commit in points["commit"]]
    found = course(values)
    edges = [0, *(change.first for change in found.changes), len(values)]
    changes = [
        Change(
            first=int(where[change.first]),
            before=float(np.median(values[start : change.first])),
            after=float(np.median(values[change.first : end])),
            commits=(commits[where[change.first - 1]], commits[where[change.first]]),
            around=(commits[where[change.earliest - 1]], commits[where[change.latest]]),
            when=points["when"][where[change.first]],
        )
        for start, change, end in zip(edges, found.changes, edges[2:], strict=False)
    ]
    return changes, found.drift


def _is_point(record: RunRecord) -> bool:
    """Whether a run tells a time; one that shared the machine does not."""
    return (
        record.role == "training"
        and record.status in DONE
        and not record.shared
        and len(record.values["loss"]) > 0
    )


def _from_runs(records: Iterable[RunRecord], phase: str) -> Iterator[dict[str, Any]]:
    """One point per session and label."""
    groups: defaultdict[tuple[Any, ...], list[RunRecord]] = defaultdict(list)
    yardsticks: defaultdict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.started_at):
        if _is_point(record):
            groups[record.session or record.key, *_facts(record).values()].append(record)
        elif record.role == "plain_gradient" and not record.shared and len(record.values["loss"]):
            yardsticks[record.session, record.config["problem"]].append(record)
    plain = {key: plain_gradient_s(around) for key, around in yardsticks.items()}
    for group in groups.values():
        first = group[0]
        seconds = per_iteration([_seconds(record, phase) for record in group])
        yield _facts(first) | {
            "phase": phase,
            "when": pd.Timestamp(first.started_at),
            "commit": first.environment["commit"],
            "versions": first.environment["versions"],
            "seconds": seconds,
            "median_s": float(np.median(np.concatenate([_seconds(r, phase) for r in group]))),
            "relative": seconds / plain.get((first.session, first.config["problem"]), np.nan),
        }


def _seconds(record: RunRecord, phase: str) -> np.ndarray:
    return record.seconds if phase == TOTAL else record.values[f"{phase}_s"]


def _facts(record: RunRecord) -> dict[str, Any]:
    """What has to be equal for two sessions to belong to the same series."""
    config, environment_ = record.config, record.environment
    return {
        "source": "optbench run",
        "problem": config["problem"],
        "label": record.label,
        "device": config["device"],
        "batch_size": config["batch_size"],
        "machine": f"{environment_['cpu']} {environment_['fingerprint']}",
        "settings": json.dumps(config["settings"], sort_keys=True),
        "dtype": config["dtype"],
        "threads": environment_["threads"],
        "tuned": environment_["allocator"]["tuned"],
        "data": record.data["name"],
        "optimizer": config["optimizer"],
    }


def _from_baselines(stored: Iterable[baseline.Stored], phase: str) -> Iterator[dict[str, Any]]:
    """One point per benchmark of each file of the suite."""
    files = list(stored)
    for file, costs in zip(files, baseline.costs(files), strict=True):
        for name, extra in file.info.items():
            if (TOTAL if extra["phase"] == "iteration" else extra["phase"]) != phase:
                continue
            yield {
                "source": "suite",
                "problem": extra["problem"],
                "label": extra["optimizer"].rpartition(":")[2],
                "phase": phase,
                "device": extra["device"],
                "batch_size": extra["batch_size"],
                "machine": f"{file.machine['cpu']} {file.machine['fingerprint']}",
                "settings": "",
                "dtype": "float32",
                "threads": file.machine["threads"],
                "tuned": file.machine["allocator"]["tuned"],
                "data": extra["data"],
                "optimizer": extra["optimizer"],
                "when": file.when,
                "commit": file.commit,
                "versions": file.machine["versions"],
                "seconds": file.mean_seconds[name],
                "median_s": file.seconds[name],
                "relative": costs[name],
            }
