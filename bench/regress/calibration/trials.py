"""How often ``optbench regress`` is right on this machine: known changes, measured as it measures.

A trial holds two processes at a time, launched anew as often as the budget allows. One runs the
code as it is (A); the other runs it as it is too (A'), and in other blocks with a known delay, a
share of the iteration spent busily in one phase. Every block of the other has a block of A beside
it, before it in one turn and after it in the next. So each kind of block with those of A is a
comparison as ``regress`` makes it: two processes that run equally often, in equal turns.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.regress.course import period
from bench.regress.launch import Side, Worker, failure
from bench.regress.turns import Arm, Plan, plan, take_turns
from bench.statistics.launches import MIN_LAUNCHES, Array
from bench.support import atomic, git

PHASES = ("forward", "backward", "step")  # which take the delay in turn
TRIALS = "trials"
_SETTINGS = "settings.json"
_SIZING_LAUNCHES, _SIZING_ITERATIONS, _COUNTED = 3, 30, 100
_WITHOUT_SIDES = 5  # dimensions of the blocks in older files


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is calibrated; the same for all trials of a folder.

    Attributes:
        problem: What is trained.
        optimizer: With what.
        budget_s: Time budget of a comparison of two sides, launches included.
        delays: Shares of an iteration; each trial has all of them.
        iteration_s: Seconds of an iteration without delay, measured beforehand.
        period: Iterations after which its work repeats itself; ``None`` if that is not known.
        data: What is trained on.
        threads: Of torch.
        tuned: Whether glibc's allocator is tuned.
        machine: The hardware; see ``bench.machine.environment.machine``.
        versions: Of the libraries.
    """

    problem: str
    optimizer: str
    budget_s: float
    delays: tuple[float, ...]
    iteration_s: float
    data: str
    threads: int
    tuned: bool
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    period: int | None = 1

    @property
    def comparisons(self) -> tuple[float, ...]:
        """The delays of the comparisons of a trial; the first is A against A'."""
        return 0.0, *self.delays

    def phase(self, trial: int) -> str:
        """The phase that a trial delays."""
        return PHASES[trial % len(PHASES)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One trial as it was measured.

    Attributes:
        number: Which one, from 0.
        phase: The phase that was delayed.
        delays: Of each comparison, as a share of the iteration; none for A against A'.
        elapsed_s: When each launch ended, counted as if there had been one comparison only.
        commit: Of the code that was measured, or empty.
        blocks: Seconds, ``[launches, turns, comparisons, sides, iterations, phases]``; of the two
            sides, A is the first.
    """

    number: int
    phase: str
    delays: tuple[float, ...]
    elapsed_s: tuple[float, ...]
    commit: str
    blocks: Array


def open_folder(
    folder: Path, side: Side, fields: Mapping[str, Any], benchmark: Mapping[str, Any]
) -> Settings:
    """Begin a calibration, or go on with the one that a folder holds.

    Args:
        folder: Where it is kept.
        side: What runs the code.
        fields: The settings, except those that a first launch tells: ``iteration_s``, ``period``,
            ``data`` and ``threads``.
        benchmark: Fields of the ``RunSpec``.

    Raises:
        UsageError: The folder holds a calibration with other settings.
    """
    path = folder / _SETTINGS
    if path.is_file():
        stored = read_settings(folder)
        found = asdict(stored)
        differing = [
            name for name, value in fields.items() if _decisive(found[name]) != _decisive(value)
        ]
        if differing:
            name = differing[0]
            raise UsageError(
                f"'{folder}' holds a calibration with another {', another '.join(differing)} "
                f"({name}: {found[name]}, now {fields[name]}): choose another --results folder."
            )
        return stored
    settings = Settings(**fields, **_measured_first(side, benchmark, fields["tuned"]))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.writing(path) as file:
        file.write(json.dumps(asdict(settings), indent=2).encode())
    return settings


def read_settings(folder: Path) -> Settings:
    """Read what a folder's trials have in common.

    Raises:
        UsageError: There is no calibration, or its settings are damaged.
    """
    path = folder / _SETTINGS
    try:
        fields = json.loads(path.read_text())
        return Settings(**(fields | {"delays": tuple(fields["delays"])}))
    except FileNotFoundError:
        raise UsageError(f"'{folder}' holds no calibration: it has no {_SETTINGS}.") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"'{path}' is damaged: {error}.") from error


def missing(folder: Path, trials: int) -> list[int]:
    """Numbers of the trials that are still to be measured."""
    return [number for number in range(trials) if not _trial_path(folder, number).is_file()]


def measure(
    settings: Settings,
    number: int,
    side: Side,
    benchmark: Mapping[str, Any],
    folder: Path,
    on_launch: Callable[[int, float], None],
) -> Trial:
    """Measure one trial and store it; an interrupted trial leaves nothing.

    Args:
        settings: Of the calibration.
        number: Which trial.
        side: What runs the code.
        benchmark: Fields of the ``RunSpec``, without the seed.
        folder: Where it is kept.
        on_launch: Told how many launches there were, and the share of the budget that is gone.
    """
    delays, phase = settings.comparisons, settings.phase(number)
    planned = plan(settings.iteration_s, settings.period)
    launches: list[Array] = []
    ends: list[float] = []
    elapsed = longest = 0.0
    while len(launches) < MIN_LAUNCHES or elapsed + longest <= settings.budget_s:
        setup = {"tuned": settings.tuned, "benchmarks": [{**benchmark, "seed": len(launches)}]}
        began = perf_counter()
        with Worker(side, setup) as first, Worker(side, setup) as second:
            one, other = (first, second) if len(launches) % 2 == 0 else (second, first)
            for worker in (one, other):
                _require_alike(settings, _require_started(worker.ready()))
            started = perf_counter()
            blocks = _compared(
                Arm(one, 0),
                [Arm(other, 0, _delay(share, phase, settings)) for share in delays],
                planned,
                last_first=len(launches) % 2 == 1,
            )
        measured = (perf_counter() - started) / len(delays)
        longest = max(longest, started - began + measured)
        elapsed += started - began + measured
        launches.append(blocks)
        ends.append(elapsed)
        on_launch(len(launches), elapsed / settings.budget_s)
    trial = Trial(
        number=number,
        phase=phase,
        delays=delays,
        elapsed_s=tuple(ends),
        commit=git.commit(side.folder) or "",
        blocks=np.stack(launches),
    )
    _store(trial, folder)
    return trial


def load(folder: Path) -> Iterator[Trial]:
    """The trials of a folder, in order.

    Raises:
        UsageError: A trial's file is damaged.
    """
    for path in sorted((folder / TRIALS).glob("*.npz")):
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                delays, blocks = archive["delays"], archive["blocks_us"] * 1e-6
                if blocks.ndim == _WITHOUT_SIDES:
                    delays, blocks = delays[1:], _beside_the_first(blocks)
                yield Trial(
                    number=int(archive["number"]),
                    phase=str(archive["phase"]),
                    delays=tuple(delays.tolist()),
                    elapsed_s=tuple(archive["elapsed_s"].tolist()),
                    commit=str(archive["commit"]),
                    blocks=blocks,
                )
        except Exception as error:
            raise UsageError(
                f"'{path}' is damaged ({error}): remove it, and the trial is measured again."
            ) from error


def _measured_first(side: Side, benchmark: Mapping[str, Any], tuned: bool) -> dict[str, Any]:
    """What only a launch tells: data, threads, period, and the seconds of an iteration.

    Those are the median over launches of their medians.
    """
    facts: dict[str, Any] = {}
    medians: list[float] = []
    for seed in range(_SIZING_LAUNCHES):
        setup = {"tuned": tuned, "benchmarks": [{**benchmark, "seed": seed}]}
        with Worker(side, setup, offline=False) as worker:
            facts |= _require_started(worker.ready())
            if not medians:
                facts["period"] = period(worker.survey(0, _COUNTED)[0])
            rows = worker.block(0, _SIZING_ITERATIONS, _SIZING_ITERATIONS)
            medians.append(float(np.median(np.sum(rows, axis=1))))
    return facts | {"iteration_s": float(np.median(medians))}


def _require_alike(settings: Settings, facts: Mapping[str, Any]) -> None:
    """Refuse to go on where the data or the number of threads has changed.

    Raises:
        UsageError: It has.
    """
    for name, value in facts.items():
        if value != getattr(settings, name):
            raise UsageError(
                f"This calibration has {name} '{getattr(settings, name)}', now it is '{value}': "
                "choose another --results folder."
            )


def _require_started(described: Mapping[str, Any]) -> dict[str, Any]:
    """Data and threads of a worker.

    Raises:
        UsageError: The benchmark does not exist, or cannot be calibrated.
        SideError: It does not start.
    """
    (state,) = described["benchmarks"]
    if "missing" in state:
        raise UsageError(state["missing"])
    if "error" in state:
        raise failure("this code does not start", state)
    if state["needs_closure"]:
        raise UsageError(
            "This optimizer's step runs forward and backward itself: no phase of it can be delayed "
            "alone. Calibrate with another, such as sgd."
        )
    return {"data": state["data"], "threads": described["threads"]}


def _delay(share: float, phase: str, settings: Settings) -> tuple[str, float] | None:
    return (phase, share * settings.iteration_s) if share else None


def _compared(base: Arm, heads: Sequence[Arm], planned: Plan, *, last_first: bool) -> Array:
    """Measure each head beside the base, ``[turns, comparisons, sides, iterations, phases]``.

    Base and head of every other comparison change places, so that as many blocks of either come
    after one of their own process as in a comparison of two.
    """
    order: list[Arm] = []
    for number, head in enumerate(heads):
        order += (base, head) if number % 2 == 0 else (head, base)
    blocks = take_turns(order, planned, last_first=last_first)
    blocks = blocks.reshape(len(blocks), len(heads), 2, *blocks.shape[2:])
    blocks[:, 1::2] = blocks[:, 1::2, ::-1].copy()
    return blocks


def _beside_the_first(blocks: Array) -> Array:
    """Blocks of a file from before each comparison had blocks of A of its own."""
    heads = blocks[:, :, 1:]
    return np.stack([np.broadcast_to(blocks[:, :, :1], heads.shape), heads], axis=3)


def _trial_path(folder: Path, number: int) -> Path:
    return folder / TRIALS / f"{number:04d}.npz"


def _store(trial: Trial, folder: Path) -> None:
    path = _trial_path(folder, trial.number)
    path.parent.mkdir(exist_ok=True)
    with atomic.writing(path) as file:
        np.savez_compressed(
            file,
            number=trial.number,
            phase=trial.phase,
            delays=np.array(trial.delays),
            elapsed_s=np.array(trial.elapsed_s),
            commit=trial.commit,
            blocks_us=(1e6 * trial.blocks).round(1).astype(np.float32),
        )


def _decisive(value: Any) -> Any:
    """A setting as it is stored; of the machine all but the kernel, which updates now and then."""
    plain = json.loads(json.dumps(value))
    return {k: v for k, v in plain.items() if k != "kernel"} if isinstance(plain, dict) else plain
