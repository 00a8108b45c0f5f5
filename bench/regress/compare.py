"""Base against head: launches in pairs, blocks in turns, until the procedure has seen enough."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from bench.errors import BenchmarkError, UsageError
from bench.machine import environment
from bench.machine.watch import Watch
from bench.regress.course import Course
from bench.regress.launch import Side, Worker, failure
from bench.regress.outcome import Line, OnLaunch, Outcome, Threshold, launch_until_decided
from bench.regress.sides import not_in_git
from bench.regress.turns import Arm, Plan, size, take_turns
from bench.runs.spec import RunSpec
from bench.statistics.launches import (
    KINDS,
    MIN_LAUNCHES,
    QUANTITIES,
    Array,
    block_means,
    launch_effects,
)
from bench.support import git
from bench.support.numbers import milliseconds
from bench.support.text import plural

_FEW = 8  # launches: Student's t is wide below
_UNSTEADY = 0.15
_BEGINNING_S = 0.1  # lost in it, below which a slow beginning is not worth a word
_NOT_CHECKED_OUT = " (files that git ignores, and submodules, are not in a checkout)"
_LACKING = ("No module named", "cannot import name")
_NAMED = 3  # files in a message


@dataclass(kw_only=True)
class Comparison:
    """Two sides as they were measured.

    Attributes:
        outcome: What was found.
        when: The start, UTC.
        machine: The hardware; see ``bench.machine.environment.machine``.
        benchmarks: Those that both sides have, by key.
        described: Versions, threads, GPU and commit of ``base`` and ``head``.
        data: By benchmark, the device and the data.
        blocks: By benchmark and launch, seconds per iteration of each block,
            ``[kinds, turns, sides, quantities]``; see ``bench.statistics.launches.block_means``.
        measured: By benchmark, the first and the last iteration of training that counted.
        surveyed: By benchmark, how many iterations were looked at for rare work.
    """

    outcome: Outcome
    when: str
    machine: dict[str, Any]
    benchmarks: dict[str, RunSpec] = field(default_factory=dict)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, list[Array]] = field(default_factory=dict)
    measured: dict[str, tuple[int, int]] = field(default_factory=dict)
    surveyed: dict[str, int] = field(default_factory=dict)


def key(spec: RunSpec) -> str:
    """How a benchmark is called: problem and label."""
    return f"{spec.problem}/{spec.label}"


def own_optimizers(side: Side) -> list[str]:
    """The registered optimizers whose code comes from a side's folders.

    Raises:
        SideError: It does not start.
    """
    with Worker(side, {"tuned": False, "benchmarks": []}) as worker:
        names: list[str] = worker.ready()["optimizers"]
    return names


def compare(
    base: Side,
    head: Side,
    specs: Sequence[RunSpec],
    *,
    threshold: Threshold,
    budget_s: float,
    tuned: bool,
    own: bool,
    allow_ignored: bool = False,
    on_launch: OnLaunch,
    on_notice: Callable[[str], None],
) -> Comparison:
    """Measure both sides and judge.

    Args:
        base: What is compared with.
        head: What is judged.
        specs: The benchmarks.
        threshold: The smallest change that counts, by benchmark key and quantity.
        budget_s: Seconds per benchmark, launches included.
        tuned: Whether workers tune glibc's allocator.
        own: Whether some code of every benchmark has to come from the sides' folders.
        allow_ignored: Whether one side may load files that the other lacks since git ignores them.
        on_launch: Told after each launch how many there were and the share of the budget gone.
        on_notice: Told what the user should know at once.

    Raises:
        UsageError: There is nothing to compare.
        SideError: A side does not import or crashes, or the code of every benchmark fails.
    """
    outcome = Outcome(base=base.name, head=head.name)
    found = Comparison(
        outcome=outcome,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=environment.machine(),
    )
    plans = _survey(
        found, base, head, specs, budget_s, tuned=tuned, own=own, allow_ignored=allow_ignored
    )
    outcome.budget_s = budget_s * len(found.benchmarks)
    watch, began = Watch(), perf_counter()

    def launch() -> Array:
        setup = _setup(specs, tuned=tuned, seed=outcome.launches)
        pair = (base, head) if outcome.launches % 2 == 0 else (head, base)
        watch.begin()
        with Worker(pair[0], setup) as first, Worker(pair[1], setup) as second:
            workers = (first, second) if pair[0] is base else (second, first)
            _note_failed(found, base, head, specs, [worker.ready() for worker in workers])
            effects = _launch(found, workers, specs, plans)
            watch.look([worker.process_id for worker in workers])
        return effects

    def launched(launches: int, gone: float) -> None:
        if launches == 1 and MIN_LAUNCHES * gone > 1:
            on_notice(
                f"The least, {MIN_LAUNCHES} launches of each side, takes about "
                f"{MIN_LAUNCHES * outcome.elapsed_s:.0f} s, longer than the budget of "
                f"{outcome.budget_s:.0f} s."
            )
        on_launch(launches, gone)

    quantities = [(name, quantity) for name in found.benchmarks for quantity in QUANTITIES]
    limits = [threshold(name, quantity) for name, quantity in quantities]
    judged = launch_until_decided(
        outcome, launch, limits,
        launches="launches", watch=watch, began=began, on_launch=launched,
    )  # fmt: skip
    for at, ((name, quantity), one) in enumerate(zip(quantities, judged, strict=True)):
        if name in outcome.failed:
            continue
        levels = _levels(found.blocks[name])[KINDS.index(one.estimate.kind)]
        base_s, head_s = levels[:, QUANTITIES.index(quantity)].tolist()
        outcome.lines.append(
            Line(
                benchmark=name,
                quantity=quantity,
                base=base_s,
                head=head_s,
                unit="s",
                judged=one,
                threshold=limits[at],
            )
        )
    for name, (first, last) in found.measured.items():
        if name not in outcome.failed:
            outcome.remarks.append(
                f"{name}: iterations {first} to {last} of training. Work that comes less often "
                f"than every {found.surveyed[name] // 2} iterations was not looked for."
            )
    spread = _spread(found)
    if spread > _UNSTEADY:
        outcome.complaints.append(
            f"blocks of the same code differed by {spread:.0%} (interquartile range)"
        )
    if outcome.launches < _FEW and not outcome.decided:
        outcome.complaints.append(
            f"only {outcome.launches} launches fitted into the budget: the intervals are wide"
        )
    return found


def _setup(specs: Sequence[RunSpec], *, tuned: bool, seed: int) -> dict[str, Any]:
    return {"tuned": tuned, "benchmarks": [{**asdict(spec), "seed": seed} for spec in specs]}


def _survey(
    found: Comparison,
    base: Side,
    head: Side,
    specs: Sequence[RunSpec],
    budget_s: float,
    *,
    tuned: bool,
    own: bool,
    allow_ignored: bool,
) -> dict[str, Plan]:
    """Start both sides once, before anything counts: data is fetched, and code compiled.

    Returns:
        How each common benchmark is measured.
    """
    setup = _setup(specs, tuned=tuned, seed=0)
    plans: dict[str, Plan] = {}
    with Worker(head, setup, offline=False) as after:
        described = [after.ready()]
        with Worker(base, setup) as before:
            described.insert(0, before.ready())
            _note_failed(found, base, head, specs, described)
            _sort_out(found, specs, described, own=own)
            for name, side in (("base", base), ("head", head)):
                commit = side.commit or git.commit(side.folder)
                found.described[name]["commit"] = commit
            for number, spec in enumerate(specs):
                if (name := key(spec)) not in found.benchmarks:
                    continue
                try:
                    arms = [Arm(worker, number) for worker in (before, after)]
                    plans[name], courses = size(arms, budget_s)
                except BenchmarkError as error:
                    _fail(found, name, error)
                    continue
                _note_ignored(found.outcome, name, base, head, arms, allowed=allow_ignored)
                found.surveyed[name] = min(course.seen for course in courses)
                _tell(found.outcome, name, plans[name], courses, budget_s)
    return plans


def _tell(
    outcome: Outcome, name: str, planned: Plan, courses: Sequence[Course], budget_s: float
) -> None:
    """Note what a survey showed that decides what the verdicts are of."""
    if not planned.even:
        rare = f"iterations of {name} do not all do the same"
        if planned.period is not None:
            needed = budget_s * planned.period * planned.iteration_s / planned.longest_s
            rare = (
                f"{name} does something every {planned.period} iterations only, which --budget "
                f"{math.ceil(needed)} would hold"
            )
        outcome.complaints.append(
            f"{rare}, and blocks of {planned.iterations} do not hold each kind in the proportion "
            "in which it comes: a change of rare work may be missed"
        )
    elif planned.period != 1:
        outcome.remarks.append(f"{name}: blocks hold whole periods of {planned.period} iterations.")
    sides = zip((outcome.base, outcome.head), courses, strict=True)
    for side, course in sides:
        lost_s = course.settled * (course.slowness - 1) * planned.iteration_s
        if lost_s > _BEGINNING_S:
            left = "they are left out" if planned.skipped else "a longer --budget leaves them out"
            outcome.remarks.append(
                f"{name}: a slow beginning: the first {course.settled} iterations of {side} take "
                f"{course.slowness:.2g} times as long as later ones; {left}."
            )
        if (grown := course.growth) is not None:
            outcome.remarks.append(
                f"{name}: {grown.quantity} of {side} takes longer and longer: "
                f"{milliseconds(grown.early_s)} ms about iteration {grown.early}, "
                f"{milliseconds(grown.late_s)} ms about {grown.late}."
            )


def _note_ignored(
    outcome: Outcome, name: str, base: Side, head: Side, arms: Sequence[Arm], *, allowed: bool
) -> None:
    """Refuse, or note, what one side has loaded and git does not bring to the other.

    Raises:
        UsageError: There is such a file, and that is not allowed.
    """
    for side, other, arm in zip((base, head), (head, base), arms, strict=True):
        files = not_in_git(side, other, arm.worker.loaded(arm.benchmark))
        if not files:
            continue
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        lacks = (
            f"{side.name} loaded {', '.join(files[:_NAMED])}{more}, which {other.name} lacks: git "
            "ignores it, or it is in a submodule"
        )
        if not allowed:
            raise UsageError(
                f"{name} is not compared: {lacks}. The two would run different code. Two built "
                "environments can be compared with --python; --allow-ignored goes on regardless."
            )
        outcome.complaints.append(f"{name}: {lacks}")


def _fail(found: Comparison, name: str, error: BenchmarkError) -> None:
    """Go on without a benchmark, unless no other is left.

    Raises:
        BenchmarkError: None is.
    """
    found.outcome.failed[name] = str(error)
    if found.benchmarks and found.benchmarks.keys() <= found.outcome.failed.keys():
        raise error


def _note_failed(
    found: Comparison,
    base: Side,
    head: Side,
    specs: Sequence[RunSpec],
    described: Sequence[dict[str, Any]],
) -> None:
    """Go on without benchmarks that exist but do not start.

    Raises:
        UsageError: One does not on both sides, for the same reason, which is no error of the code.
        BenchmarkError: No benchmark is left.
    """
    errors: dict[str, BenchmarkError] = {}
    for number, spec in enumerate(specs):
        states = [answer["benchmarks"][number] for answer in described]
        reasons = {state.get("error") for state in states}
        if len(reasons) == 1 and None not in reasons and "traceback" not in states[0]:
            raise UsageError(f"{key(spec)}: {states[0]['error']}")
        for side, state in zip((base, head), states, strict=True):
            if "error" not in state or key(spec) in found.outcome.failed:
                continue
            lacks = side.commit is not None and any(text in state["error"] for text in _LACKING)
            hint = _NOT_CHECKED_OUT if lacks else ""
            error = failure(f"{side.name}: {key(spec)} does not start", state, hint)
            errors.setdefault(key(spec), error)
    if errors and len(errors) == len(specs):
        raise next(iter(errors.values()))
    for name, error in errors.items():
        _fail(found, name, error)


def _sort_out(
    found: Comparison, specs: Sequence[RunSpec], described: Sequence[dict[str, Any]], *, own: bool
) -> None:
    """Tell the benchmarks that both sides have from those of one side."""
    for side, answer in zip(("base", "head"), described, strict=True):
        found.described[side] = {k: answer[k] for k in ("versions", "threads", "gpu")}
    states = (answer["benchmarks"] for answer in described)
    threads: dict[tuple[int, int], list[str]] = {}
    for spec, base, head in zip(specs, *states, strict=True):
        name = key(spec)
        if name in found.outcome.failed:
            continue
        if "missing" in base and "missing" in head:
            raise UsageError(f"{name} exists on neither side. {head['missing']}")
        if "missing" in base:
            found.outcome.appeared[name] = base["missing"]
        elif "missing" in head:
            found.outcome.vanished[name] = head["missing"]
        else:
            _require_alike(name, base, head, own=own)
            found.benchmarks[name] = spec
            found.data[name] = f"{head['device']}, {head['data']}"
            threads.setdefault((base["threads"], head["threads"]), []).append(name)
    if not found.benchmarks and found.outcome.failed:
        raise BenchmarkError(next(iter(found.outcome.failed.values())))
    if not found.benchmarks:
        only = [f"{name} appeared (base: {why})" for name, why in found.outcome.appeared.items()]
        only += [f"{name} vanished (head: {why})" for name, why in found.outcome.vanished.items()]
        raise UsageError(f"The two sides have no benchmark in common: {'; '.join(only)}")
    for (before, after), names in threads.items():
        if before != after:
            where = "" if len(names) == len(found.benchmarks) else f"in {', '.join(names)}, "
            found.outcome.complaints.append(
                f"{where}the base has {plural(before, 'thread')}, the head {after}"
            )


def _require_alike(name: str, base: dict[str, Any], head: dict[str, Any], *, own: bool) -> None:
    """Refuse to compare what does not differ, or differs in more than its code.

    Raises:
        UsageError: It does.
    """
    for fact in ("device", "data"):
        if base[fact] != head[fact]:
            raise UsageError(
                f"{name} cannot be compared: its {fact} is '{base[fact]}' for the base, "
                f"'{head[fact]}' for the head."
            )
    if own and not (base["own"] and head["own"]):
        where = "either side's" if base["own"] == head["own"] else "one side's"
        raise UsageError(
            f"{name} is not compared: none of its code comes from {where} folders. Name an "
            "optimizer of this repository with -o package.module:Class, from the folder that it "
            "is imported from."
        )


def _launch(
    found: Comparison,
    workers: Sequence[Worker],
    specs: Sequence[RunSpec],
    plans: dict[str, Plan],
) -> Array:
    """Measure all common benchmarks in one launch.

    Returns:
        The effects, ``[kinds, benchmarks * quantities]``.
    """
    effects = []
    for number, spec in enumerate(specs):
        name = key(spec)
        if name not in found.benchmarks:
            continue
        effect = np.full((len(KINDS), len(QUANTITIES)), np.nan)
        if name not in found.outcome.failed:
            try:
                effect = _launch_one(found, workers, number, name, plans)
            except BenchmarkError as error:
                _fail(found, name, error)
        effects.append(effect)
    return np.concatenate(effects, axis=-1)


def _launch_one(
    found: Comparison, workers: Sequence[Worker], number: int, name: str, plans: dict[str, Plan]
) -> Array:
    """Measure one benchmark in one launch; ``[kinds, quantities]``."""
    planned, odd = plans[name], found.outcome.launches % 2 == 1
    arms = [Arm(worker, number) for worker in workers]
    blocks = block_means(take_turns(arms, planned, last_first=odd), planned.whole)
    found.blocks.setdefault(name, []).append(blocks)
    last = max(worker.done(number) for worker in workers)
    found.measured[name] = (planned.skipped + 2 * planned.warm + 1, last)
    plans[name] = planned.adapted(float(np.median(blocks[..., -1])))
    return launch_effects(blocks[:, :, 0], blocks[:, :, 1])


def _levels(launches: Sequence[Array]) -> Array:
    """Seconds per iteration, the median over launches; ``[kinds, sides, quantities]``.

    Of a launch it is the median of its blocks, and the mean where nothing is to be left out.
    """
    trimmed = [np.median(blocks[0], axis=0) for blocks in launches]
    return np.stack([np.median(trimmed, axis=0), np.mean([b[1].mean(axis=0) for b in launches], 0)])


def _spread(found: Comparison) -> float:
    """Interquartile range of the base's blocks, as a share of their median; the worst benchmark."""
    shares = []
    for name, launches in found.blocks.items():
        if name in found.outcome.failed:
            continue
        base = np.concatenate([blocks[1, :, 0, -1] for blocks in launches])
        low, middle, high = np.percentile(base, [25, 50, 75])
        shares.append((high - low) / middle)
    return float(max(shares))
