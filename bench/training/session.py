"""A comparison: the runs of several optimizers over seeds, their yardstick and their memory."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.errors import LostError, UsageError
from bench.runs import conditions, store
from bench.runs.record import DONE, RunRecord
from bench.runs.spec import MEMORY_RUNS, RunSpec
from bench.support.forking import InterruptedCallError
from bench.training import memory, tasks
from bench.training.identification import identify
from bench.training.processes import Here, Processes
from bench.training.tasks import Conditions, Known


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
        training: One record per label and seed, newly run or stored before; where the optimizer
            cannot do it, one that says so.
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
    specs: Sequence[RunSpec],
    results: Path,
    *,
    under: Conditions,
    fresh: bool,
    observer: Observer,
    processes: Processes | Here,
) -> Comparison:
    """Run what is not stored yet, and gather the rest.

    Every run has a process of its own, so that it reaches no other. Short plain-gradient runs stand
    before, between and after the new runs, so that the yardstick is measured all through the
    session. Finished runs are stored one by one; after Ctrl-C or a failure the same call goes on
    from there.

    Args:
        specs: Training runs, in the order in which to run them.
        results: The results folder.
        under: The conditions under which they take place.
        fresh: Run everything, whatever is stored.
        observer: Is told how it goes.
        processes: Where they take place.

    Raises:
        UsageError: A run cannot begin; nothing was run then.
    """
    session = _Session(results.absolute(), under, fresh, observer, processes)
    known = identify(processes, specs, under)
    outcome = session.outcome
    try:
        session.run(specs, known)
        session.measure_memory(specs, known)
    except KeyboardInterrupt:
        outcome.interrupted = True
    sessions = {record.session for record in outcome.training}
    outcome.yardsticks = [
        record
        for run_id in sorted({one.yardstick for one in known})
        for record in store.executions(session.results, run_id)
        if record.session in sessions
    ]
    return outcome


@dataclass(frozen=True)
class _Session:
    """A comparison under way; see :func:`compare`."""

    results: Path
    under: Conditions
    fresh: bool
    observer: Observer
    processes: Processes | Here
    outcome: Comparison = field(default_factory=Comparison)

    def run(self, specs: Sequence[RunSpec], known: Sequence[Known]) -> None:
        """Run what is not stored, and note what cannot be run."""
        store.require_writable(self.results)
        data = known[0].blank.data
        self.observer.note(f"Data: {data['detail']} ({data['origin']})")
        notes = [one.blank.environment.get("note") for one in known]
        for note in dict.fromkeys(filter(None, notes)):
            self.observer.note(note)
        stored = [None if self.fresh or one.blank.error else self._stored(one) for one in known]
        runnable = [
            not one.blank.error and found is None for one, found in zip(known, stored, strict=True)
        ]
        self.observer.planned([spec for spec, will in zip(specs, runnable, strict=True) if will])
        last = None
        for spec, one, found in zip(specs, known, stored, strict=True):
            if one.blank.error:
                self.outcome.training.append(store.note(one.blank, self.results))
            elif found is not None:
                self.outcome.training.append(found.relabelled(spec.label))
                self.outcome.reused += 1
            else:
                last = spec
                self._run(spec, one)
        if last is not None:
            yardstick = self.processes.call(tasks.run_yardstick, last, last, self.under)
            store.save(yardstick, self.results)

    def _stored(self, one: Known) -> RunRecord | None:
        times = conditions.values(one.blank, "times")
        return store.find(self.results, one.blank.run_id, times)

    def _run(self, spec: RunSpec, one: Known) -> None:
        def told(what: int | RunRecord) -> None:
            if isinstance(what, RunRecord):
                store.save(what, self.results)
            else:
                self.observer.iterated(what)

        self.observer.started(spec)
        began, expected = datetime.now(UTC), one.blank.run_id
        interrupted = False
        try:
            record = self.processes.call(
                tasks.run_beside_yardstick, spec, spec, expected, self.under, told=told
            )
        except LostError as error:
            record = replace(one.blank, started_at=began, error=error.whole)
        except InterruptedCallError as interruption:
            interrupted = True
            if interruption.result is None:
                raise
            record = interruption.result
        record = one.told(record)
        store.save(record, self.results)
        self.outcome.training.append(record)
        self.observer.finished(record)
        if interrupted or record.status == "interrupted":
            raise KeyboardInterrupt

    def measure_memory(self, specs: Sequence[RunSpec], known: Sequence[Known]) -> None:
        """Peak memory by label: from the training runs on CUDA, from memory runs on the CPU.

        These are not timed: as many go on side by side as the cores have room for, since threads
        that share a core slow each other down.
        """
        for record in self.outcome.training:
            if record.peak_memory_bytes is not None:
                self.outcome.memory.setdefault(record.label, []).append(record.peak_memory_bytes)
        if not memory.is_supported():
            return
        usable = {r.label for r in self.outcome.training if r.status in DONE}
        first = {
            spec.label: spec
            for spec, one in reversed([*zip(specs, known, strict=True)])
            if spec.label in usable - self.outcome.memory.keys()
        }
        if not first:
            return
        under = replace(self.under, tuned=False)
        todo: list[tuple[str, RunSpec]] = []
        for label, spec in first.items():
            spec = memory.memory_spec(spec)
            (one,) = self.processes.call(tasks.identify, spec, [spec], under, False)
            there = [] if self.fresh else self._stored_memory(one)
            self.outcome.memory[label] = there
            todo += [(label, spec)] * (MEMORY_RUNS - len(there))
        if todo:
            labels = ", ".join(dict.fromkeys(label for label, _ in todo))
            self.observer.note(f"Measuring the peak memory of {labels}")
        threads = int(known[0].blank.environment["threads"])
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // threads)) as side_by_side:
            measure = self.processes.measure_memory
            futures = [(label, side_by_side.submit(measure, spec, under)) for label, spec in todo]
            try:
                for label, future in futures:
                    try:
                        record = future.result()
                    except (LostError, UsageError) as error:
                        self.observer.note(f"Peak memory of '{label}': {error}")
                        continue
                    store.save(record, self.results)
                    self.outcome.memory[label].append(record.peak_memory_bytes or 0)
            except KeyboardInterrupt:
                self.processes.close()
                raise
        measured = self.outcome.memory
        self.outcome.memory = {label: sorted(found) for label, found in measured.items() if found}

    def _stored_memory(self, one: Known) -> list[int]:
        wanted = conditions.values(one.blank, "memory")
        found = [
            record.peak_memory_bytes
            for record in store.executions(self.results, one.blank.run_id)
            if record.status in DONE
            and record.peak_memory_bytes is not None
            and conditions.values(record, "memory") == wanted
        ]
        return found[:MEMORY_RUNS]
