"""A comparison: the runs of several optimizers over seeds, their yardstick and their memory."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.errors import UsageError
from bench.runs import conditions, store
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.runs.yardsticks import yardstick_spec
from bench.training import loop, memory
from bench.training.prepare import Prepared, prepare


class Observer(Protocol):
    """Is told how a comparison goes."""

    def planned(self, runs: Sequence[RunSpec]) -> None:
        """These runs are left to do."""

    def started(self, spec: RunSpec) -> None:
        """A run begins."""

    def iterated(self, done: int) -> None:
        """The run has done so many iterations."""

    def finished(self, record: RunRecord) -> None:
        """A run ended and is stored."""

    def note(self, message: str) -> None:
        """Something worth a line."""


@dataclass(kw_only=True)
class Comparison:
    """What a comparison yields.

    Attributes:
        training: One record per label and seed, newly run or stored before.
        yardsticks: Plain-gradient records of the sessions that the training records belong to.
        memory: Peak memory by label, in bytes, of every run that measured it; labels that were not
            measured are absent.
        reused: How many training records were stored before.
        interrupted: Ctrl-C ended it early.
    """

    training: list[RunRecord] = field(default_factory=list)
    yardsticks: list[RunRecord] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=dict)
    reused: int = 0
    interrupted: bool = False


def compare(
    specs: Sequence[RunSpec], results: Path, *, fresh: bool, observer: Observer
) -> Comparison:
    """Run what is not stored yet, and gather the rest.

    Short plain-gradient runs stand before, between and after the new runs, so that the yardstick
    is measured all through the session. Finished runs are stored one by one; after Ctrl-C or a
    failure the same call goes on from there.

    Args:
        specs: Training runs, in the order in which to run them.
        results: The results folder.
        fresh: Run everything, whatever is stored.
        observer: Is told how it goes.

    Raises:
        UsageError: A run cannot begin; nothing was run then.
    """
    outcome = Comparison()
    session = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    prepared = [prepare(spec) for spec in specs]
    store.require_writable(results)
    stored = [
        None if fresh else store.find(results, plan.run_id, conditions.values(plan, "times"))
        for plan in prepared
    ]
    source = prepared[0].problem.source
    observer.note(f"Data: {source.detail} ({source.origin})")
    observer.planned(
        [plan.asked for plan, found in zip(prepared, stored, strict=True) if found is None]
    )
    try:
        for plan, found in zip(prepared, stored, strict=True):
            if found is not None:
                outcome.training.append(found.relabelled(plan.asked.label))
                outcome.reused += 1
                continue
            record = _run_with_yardstick(plan, results, session, observer)
            outcome.training.append(record)
            if record.status == "interrupted":
                outcome.interrupted = True
                break
        if not outcome.interrupted:
            if outcome.reused < len(prepared):
                _run_yardstick(prepared[-1].asked, results, session)
            _measure_memory(outcome, prepared, results, session, fresh=fresh, observer=observer)
    except KeyboardInterrupt:
        outcome.interrupted = True
    sessions = {record.session for record in outcome.training}
    yardstick_ids = {prepare(yardstick_spec(plan.asked)).run_id for plan in prepared}
    outcome.yardsticks = [
        record
        for run_id in sorted(yardstick_ids)
        for record in store.executions(results, run_id)
        if record.session in sessions
    ]
    return outcome


def _run_with_yardstick(
    plan: Prepared, results: Path, session: str, observer: Observer
) -> RunRecord:
    _run_yardstick(plan.asked, results, session)
    observer.started(plan.asked)
    record = loop.execute(plan, session=session, on_iteration=observer.iterated)
    store.save(record, results)
    observer.finished(record)
    return record


def _run_yardstick(spec: RunSpec, results: Path, session: str) -> None:
    yardstick = loop.run(yardstick_spec(spec), session=session)
    if yardstick.status == "interrupted":
        raise KeyboardInterrupt
    store.save(yardstick, results)


def _measure_memory(
    outcome: Comparison,
    prepared: Sequence[Prepared],
    results: Path,
    session: str,
    *,
    fresh: bool,
    observer: Observer,
) -> None:
    """Peak memory by label: from the training runs on CUDA, from memory runs on the CPU."""
    for record in outcome.training:
        if record.peak_memory_bytes is not None:
            outcome.memory.setdefault(record.label, []).append(record.peak_memory_bytes)
    if not memory.is_supported():
        return
    usable = dict.fromkeys(r.label for r in outcome.training if r.status != "failed")
    first = {plan.asked.label: plan for plan in reversed(prepared)}
    for label in (label for label in usable if label not in outcome.memory):
        plan = first[label]
        spec = memory.memory_spec(plan.asked)
        expected = prepare(spec)
        where = conditions.values(expected, "memory")
        found = None if fresh else store.find(results, expected.run_id, where)
        if found is None:
            observer.note(f"Measuring the peak memory of {label}")
            try:
                found = memory.measure(spec, results, session)
            except UsageError as error:
                observer.note(str(error))
                continue
        if found.peak_memory_bytes is not None:
            outcome.memory[label] = [found.peak_memory_bytes]
