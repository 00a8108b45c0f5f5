"""What the throughput suite times: subjects, their trainings, their unit and their memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter
from typing import Any

import torch

from bench.errors import LostError, UsageError
from bench.problems import REGISTRY as PROBLEM_REGISTRY
from bench.problems.data import TensorData
from bench.runs.spec import TUTORIAL_OPTIMIZERS, RunSpec
from bench.runs.yardsticks import PLAIN_GRADIENT
from bench.suite.rounds import synchronised_timer
from bench.training import memory, tasks
from bench.training.clock import PhaseClock, phase_clock
from bench.training.iteration import Training
from bench.training.prepare import Prepared, prepare
from bench.training.processes import Processes
from optimizers import OPTIMIZERS, REGISTRY

PROBLEMS = ("mnist_cnn", "mnist_logreg")
BATCH_SIZES = (32, 128, 512)  # with --optbench-full, beside the problem's own
_AT_LEAST, _AT_LEAST_S = 5, 0.1  # iterations that warm up, or that measure a plain gradient


@dataclass(frozen=True)
class Subject:
    """An optimizer at work on a problem, at one batch size (``None``: the problem's own)."""

    problem: str
    optimizer: str
    batch_size: int | None
    device: str

    @property
    def spec(self) -> RunSpec:
        """The run whose iterations are timed."""
        return RunSpec(
            problem=self.problem,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            device=self.device,
            eval_every=0,
        )

    @property
    def is_plain_gradient(self) -> bool:
        """Whether it is the unit that costs are given in."""
        return self.optimizer == PLAIN_GRADIENT

    def __str__(self) -> str:
        """How it is called in the name of a test."""
        name = "plain_gradient" if self.is_plain_gradient else self.optimizer.rpartition(":")[2]
        size = "" if self.batch_size is None else f"-{self.batch_size}"
        return f"{self.problem}{size}-{self.device}-{name}"


def subjects(optimizers: Sequence[str], *, full: bool) -> Iterator[Subject]:
    """Everything to time on every device at hand, the plain gradient first.

    Args:
        optimizers: Which; the tutorial's if empty.
        full: Every registered optimizer too, on every registered problem, at more batch sizes.
    """
    wanted, problems = list(optimizers or TUTORIAL_OPTIMIZERS), list(PROBLEMS)
    if full:
        wanted += [*OPTIMIZERS, *(point.name for point in REGISTRY.installed())]
        problems = [*PROBLEM_REGISTRY.entries, *(p.name for p in PROBLEM_REGISTRY.installed())]
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    for device in devices:
        for problem in problems:
            for size in _sizes(problem) if full else [None]:
                for optimizer in dict.fromkeys([PLAIN_GRADIENT, *wanted]):
                    yield Subject(problem, optimizer, size, device)


@cache
def prepared(subject: Subject) -> Prepared:
    """The subject's run, its values checked."""
    return prepare(subject.spec)


def training(subject: Subject) -> Training:
    """A fresh model in training, its caches warm and its threads awake."""
    train = _train(subject)
    clock: PhaseClock[Any] = phase_clock(train.device)
    fresh = Training(prepared(subject), train, clock)
    done, end = 0, perf_counter() + _AT_LEAST_S
    while done < _AT_LEAST or perf_counter() < end:
        fresh.iterate()
        done += 1
    clock.read()
    return fresh


def timer(subject: Subject) -> Callable[[], float]:
    """Seconds now, on the subject's device."""
    return synchronised_timer if subject.device == "cuda" else perf_counter


def plain_gradient_s(subject: Subject) -> list[float]:
    """Seconds of a few plain gradients, forward and backward, right now."""
    plain, now = _plain_training(replace(subject, optimizer=PLAIN_GRADIENT)), timer(subject)
    times: list[float] = []
    while len(times) < _AT_LEAST or sum(times) < _AT_LEAST_S:
        plain.draw()
        start = now()
        plain.forward()
        plain.backward()
        times.append(now() - start)
        plain.judge()
    plain.accuracies.clear()
    return times


@cache
def peak_memory_bytes(subject: Subject) -> int | None:
    """Peak memory of training; on the CPU measured by a process of its own."""
    device = _train(subject).device
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        training(subject)
        return torch.cuda.max_memory_allocated(device) - before
    if not memory.is_supported():
        return None
    spec, under = memory.memory_spec(subject.spec), tasks.Conditions(session="suite")
    try:
        with Processes() as processes:
            return processes.measure_memory(spec, under).peak_memory_bytes
    except (UsageError, LostError):
        return None  # a plug-in that lives in this process only, or a peak that grows and grows


def _train(subject: Subject) -> TensorData:
    return _data(subject.problem, prepared(subject).resolved.device)


@cache  # one copy on each device
def _data(problem: str, device: str) -> TensorData:
    run = prepared(Subject(problem, PLAIN_GRADIENT, None, device))
    return run.problem.train.to(torch.device(device), getattr(torch, run.resolved.dtype))


@cache
def _plain_training(subject: Subject) -> Training:
    return training(subject)


def _sizes(problem: str) -> list[int | None]:
    """The problem's own batch size, and others that its data allows."""
    built = prepared(Subject(problem, PLAIN_GRADIENT, None, "cpu")).problem
    others = [size for size in BATCH_SIZES if size != built.batch_size]
    return [None, *(size for size in others if size < len(built.train))]
