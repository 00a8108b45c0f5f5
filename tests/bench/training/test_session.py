"""A comparison runs what is missing, keeps what is finished, and resumes."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor, nn

import bench
from bench.machine import allocator
from bench.runs import store, yardsticks
from bench.runs.record import RunRecord
from bench.runs.settings import comparison_specs
from bench.runs.spec import MEMORY_RUNS, RunSpec
from bench.training import loop, memory, session, tasks
from bench.training.prepare import Prepared
from bench.training.processes import Here, Processes
from bench.training.session import Comparison
from bench.training.tasks import Conditions
from optimizers import OPTIMIZERS, DiagGGN, OptimizerSpec, UsageError

pytestmark = pytest.mark.usefixtures("_no_memory_runs")


@pytest.fixture
def _no_memory_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs take a process each and yardsticks time; neither matters here."""
    monkeypatch.setattr(memory, "is_supported", lambda: False)
    monkeypatch.setattr(yardsticks, "YARDSTICK_S", 0.01)
    monkeypatch.setattr(tasks, "_TELL_S", 0.0)


UNDER = Conditions(session="s")


def compare(
    specs: Sequence[RunSpec], results: Path, *, fresh: bool, observer: "Silent"
) -> Comparison:
    """A comparison whose runs take place here: what is patched here holds for them."""
    under = replace(UNDER, session=f"s{len(list(results.glob('runs/*')))}")
    return session.compare(
        specs, results, under=under, fresh=fresh, observer=observer, processes=Here()
    )


class Silent:
    """An observer that remembers, and interrupts after so many finished runs."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.left: list[RunSpec] = []
        self.done: list[RunRecord] = []
        self.notes: list[str] = []
        self._interrupt_after = interrupt_after

    def planned(self, runs: Sequence[RunSpec]) -> None:
        self.left = list(runs)

    def started(self, spec: RunSpec) -> None:
        pass

    def iterated(self, done: int) -> None:
        if len(self.done) == self._interrupt_after and done == 3:
            raise KeyboardInterrupt

    def finished(self, record: RunRecord) -> None:
        self.done.append(record)

    def note(self, message: str) -> None:
        self.notes.append(message)


def specs(*optimizers: str, **fields: object) -> list[RunSpec]:
    base = replace(RunSpec(problem="quadratic", iterations=10), **fields)  # type: ignore[arg-type]
    return comparison_specs(base, optimizers or ["adam", "sgd"], [], seeds=[0, 1])


def test_a_comparison_stores_training_runs_and_yardsticks(tmp_path: Path) -> None:
    outcome = compare(specs(), tmp_path, fresh=False, observer=Silent())
    assert [(r.label, r.config["seed"]) for r in outcome.training] == [
        ("adam", 0),
        ("sgd", 0),
        ("adam", 1),
        ("sgd", 1),
    ]
    assert len(outcome.yardsticks) == 5  # before, between and after the four runs
    times = sorted([*outcome.training, *outcome.yardsticks], key=lambda record: record.started_at)
    assert [r.role for r in times] == ["plain_gradient", "training"] * 4 + ["plain_gradient"]
    assert len(bench.load(tmp_path)) == 9


def test_finished_runs_are_not_run_again_unless_asked(tmp_path: Path) -> None:
    first = compare(specs(), tmp_path, fresh=False, observer=Silent())
    again = compare(specs(), tmp_path, fresh=False, observer=Silent())
    assert again.reused == 4
    assert [r.key for r in again.training] == [r.key for r in first.training]
    assert {r.key for r in again.yardsticks} == {r.key for r in first.yardsticks}
    assert compare(specs(), tmp_path, fresh=True, observer=Silent()).reused == 0


def test_a_stored_run_appears_under_the_label_that_is_asked_for(tmp_path: Path) -> None:
    compare(specs("adam"), tmp_path, fresh=False, observer=Silent())
    outcome = compare(specs("mine=adam"), tmp_path, fresh=False, observer=Silent())
    assert (outcome.reused, {r.label for r in outcome.training}) == (2, {"mine"})


def test_ctrl_c_keeps_finished_runs_and_the_same_call_resumes(tmp_path: Path) -> None:
    outcome = compare(specs(), tmp_path, fresh=False, observer=Silent(interrupt_after=2))
    assert outcome.interrupted
    assert [r.status for r in outcome.training] == ["completed", "completed", "interrupted"]
    observer = Silent()
    resumed = compare(specs(), tmp_path, fresh=False, observer=observer)
    assert (resumed.reused, len(observer.done)) == (2, 2)
    assert [r.status for r in resumed.training] == ["completed"] * 4


def test_runs_of_another_machine_are_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(specs("adam"), tmp_path, fresh=False, observer=Silent())
    monkeypatch.setitem(bench.machine.environment.machine(), "cpu", "Another processor")
    observer = Silent()
    outcome = compare(specs("adam"), tmp_path, fresh=False, observer=observer)
    assert (outcome.reused, len(observer.done)) == (0, 2)


def test_runs_with_another_allocator_are_not_taken_for_this_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(specs("adam"), tmp_path, fresh=False, observer=Silent())
    monkeypatch.setattr(allocator, "_tuned", not allocator.describe()["tuned"])
    assert compare(specs("adam"), tmp_path, fresh=False, observer=Silent()).reused == 0
    assert compare(specs("adam"), tmp_path, fresh=False, observer=Silent()).reused == 2


def test_nothing_runs_where_one_of_the_runs_cannot(tmp_path: Path) -> None:
    wrong = [*specs("adam"), RunSpec(problem="quadratic", optimizer="agam")]
    with pytest.raises(UsageError, match="agam"):
        compare(wrong, tmp_path, fresh=False, observer=Silent())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = loop.execute

    def fail_once(prepared: Prepared, **options: object) -> RunRecord:
        record = execute(prepared, **options)  # type: ignore[arg-type]
        broken = record.label == "adam" and record.config["seed"] == 0
        return replace(record, status="failed", error="Traceback") if broken else record

    monkeypatch.setattr(loop, "execute", fail_once)
    outcome = compare(specs(), tmp_path, fresh=False, observer=Silent())
    assert [r.status for r in outcome.training] == ["failed", *["completed"] * 3]
    monkeypatch.setattr(loop, "execute", execute)
    retried = compare(specs(), tmp_path, fresh=False, observer=Silent())
    assert (retried.reused, retried.training[0].status) == (3, "completed")


class Undeclared:
    """A curvature that does not say what it estimates."""

    def extend(self, model: nn.Module, loss_fn: nn.Module) -> tuple[nn.Module, nn.Module]:
        return model, loss_fn

    def watch(self, parameter: nn.Parameter) -> None:
        pass

    def context(self, *, refresh: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def take(self, parameter: nn.Parameter) -> Tensor | None:
        return parameter.grad


def test_what_is_unchecked_is_told_once_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undeclared = OptimizerSpec(name="undeclared", factory=DiagGGN, curvature=Undeclared)
    monkeypatch.setitem(OPTIMIZERS, "undeclared", undeclared)
    observer = Silent()
    asked = specs("undeclared", "diag_ggn_exact")
    outcome = compare(asked, tmp_path, fresh=False, observer=observer)
    (note,) = (note for note in observer.notes if "unchecked" in note)
    assert note.startswith("The curvature of 'undeclared' is unchecked: it declares nothing")
    found = [(record.label, record.environment.get("note")) for record in outcome.training]
    assert set(found) == {("undeclared", note), ("diag_ggn_exact", None)}


def test_a_foreign_file_in_the_results_folder_is_left_alone(tmp_path: Path) -> None:
    foreign = store.runs_folder(tmp_path) / "notes.parquet"
    foreign.parent.mkdir()
    foreign.write_bytes(b"mine")
    compare(specs("adam"), tmp_path, fresh=False, observer=Silent())
    assert foreign.read_bytes() == b"mine"


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_peak_memory_is_measured_in_a_process_of_its_own_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "is_supported", lambda: True)
    asked: list[Comparison] = []
    observer = Silent()
    with Processes() as processes:
        for _ in range(2):
            observer.notes.clear()
            asked.append(
                session.compare(
                    specs("sgd"),
                    tmp_path,
                    under=UNDER,
                    fresh=False,
                    observer=observer,
                    processes=processes,
                )
            )
    first, again = asked
    assert first.memory == again.memory
    assert len(first.memory["sgd"]) == MEMORY_RUNS
    assert max(first.memory["sgd"]) < 2**20
    assert not any("peak memory" in note for note in observer.notes)
