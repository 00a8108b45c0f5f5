"""What the suite times: which subjects, warmed up how, in which unit."""

from time import perf_counter
from typing import Any

import pytest
import torch

from bench.errors import UsageError
from bench.runs.spec import TUTORIAL_OPTIMIZERS
from bench.runs.yardsticks import PLAIN_GRADIENT
from bench.suite import cases
from bench.suite.cases import Subject
from bench.suite.rounds import synchronised_timer
from bench.training.processes import Processes
from tests.bench.records import made_record

SGD = Subject("quadratic", "sgd", None, "cpu")


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (SGD, "quadratic-cpu-sgd"),
        (Subject("mnist_cnn", "sgd", 32, "cuda"), "mnist_cnn-32-cuda-sgd"),
        (Subject("quadratic", "mymodule:Mine", None, "cpu"), "quadratic-cpu-Mine"),
        (Subject("quadratic", PLAIN_GRADIENT, None, "cpu"), "quadratic-cpu-plain_gradient"),
    ],
)
def test_a_subject_is_named_by_what_it_is(subject: Subject, name: str) -> None:
    assert str(subject) == name
    assert subject.is_plain_gradient == name.endswith("plain_gradient")


def test_its_run_is_the_one_that_is_asked_for_without_evaluation() -> None:
    spec = Subject("mnist_cnn", "adam", 32, "cuda").spec
    assert (spec.problem, spec.optimizer, spec.batch_size, spec.device, spec.eval_every) == (
        "mnist_cnn", "adam", 32, "cuda", 0,
    )  # fmt: skip


def test_every_problem_has_the_plain_gradient_first_and_each_optimizer_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = list(cases.subjects(["adam", "mine:Mine", "adam"], full=False))
    assert [(one.device, one.problem, one.optimizer) for one in found] == [
        (device, problem, optimizer)
        for device in ("cpu", "cuda")
        for problem in cases.PROBLEMS
        for optimizer in (PLAIN_GRADIENT, "adam", "mine:Mine")
    ]
    assert {one.batch_size for one in found} == {None}


def test_without_names_the_tutorial_s_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = list(cases.subjects([], full=False))
    assert [one.optimizer for one in found if one.problem == "mnist_cnn"] == [
        PLAIN_GRADIENT, *TUTORIAL_OPTIMIZERS,
    ]  # fmt: skip
    assert {one.device for one in found} == {"cpu"}


def test_batch_sizes_are_the_problem_s_own_and_those_that_its_data_allow() -> None:
    """The quadratic has 64 rows, all of which are a batch."""
    assert cases._sizes("quadratic") == [None, 32]


def test_every_training_is_fresh_and_warm() -> None:
    """It begins where every other began, and has left the first iterations behind."""
    one, other = cases.training(SGD), cases.training(SGD)
    assert one.bound.model is not other.bound.model
    first, again = (torch.stack(built.losses[: cases._AT_LEAST]).tolist() for built in (one, other))
    assert first == again
    assert len(first) == cases._AT_LEAST
    assert first[-1] < first[0]


def test_plain_gradients_are_several_and_of_the_same_problem() -> None:
    times = cases.plain_gradient_s(SGD)
    assert len(times) >= cases._AT_LEAST
    assert min(times) > 0
    assert sum(times) >= cases._AT_LEAST_S
    plain = cases._plain_training(Subject("quadratic", PLAIN_GRADIENT, None, "cpu"))
    assert plain.accuracies == []


def test_the_clock_waits_for_the_device() -> None:
    assert cases.timer(SGD) is perf_counter
    assert cases.timer(Subject("quadratic", "sgd", None, "cuda")) is synchronised_timer


@pytest.mark.parametrize(
    ("supported", "measured", "expected"),
    [
        (True, made_record(peak_memory_bytes=17), 17),
        (True, UsageError("in this process only"), None),
        (False, AssertionError("not asked for"), None),
    ],
    ids=["measured", "not importable", "not supported"],
)
def test_peak_memory_is_that_of_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, supported: bool, measured: Any, expected: int | None
) -> None:
    def measure(self: Processes, spec: Any, _: Any) -> Any:
        assert spec.role == "memory"
        if isinstance(measured, Exception):
            raise measured
        return measured

    monkeypatch.setattr(cases.memory, "is_supported", lambda: supported)
    monkeypatch.setattr(Processes, "measure_memory", measure)
    cases.peak_memory_bytes.cache_clear()
    assert cases.peak_memory_bytes(SGD) == expected
