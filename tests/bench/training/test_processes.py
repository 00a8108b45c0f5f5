"""No run reaches the next one: after each poison, SGD gives the bits that it gives alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.errors import LostError, UsageError
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support import forking
from bench.training import processes as where
from bench.training import tasks
from bench.training.identification import identify
from bench.training.processes import Here, Processes
from bench.training.tasks import Conditions
from tests import poison

UNDER = Conditions(session="s")
SGD = RunSpec(problem="quadratic", optimizer="sgd", iterations=10, eval_every=5)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    with Processes() as made:
        yield made


@pytest.fixture(scope="module")
def alone() -> RunRecord:
    with Processes() as made:
        return run(made, SGD)


def run(processes: Processes, spec: RunSpec) -> RunRecord:
    (known,) = identify(processes, [spec], UNDER)
    if known.blank.error:
        return known.blank
    record: RunRecord = processes.call(tasks.run, spec, spec, known.blank.run_id, UNDER)
    return record


@pytest.mark.parametrize("name", poison.NAMES)
def test_after_a_poison_the_next_run_gives_the_bits_that_it_gives_alone(
    processes: Processes, alone: RunRecord, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    poisoned = RunSpec(
        problem="quadratic", optimizer=f"tests.poison:{name}", iterations=10, eval_every=5
    )
    before = Path.cwd()
    try:
        record = run(processes, poisoned)
        said = record.error
    except LostError as error:
        said = str(error)
    if name in poison.FAILS:
        assert poison.FAILS[name] in said
        assert said
    else:
        assert record.status == "completed"
    following = run(processes, SGD)
    assert following.run_id == alone.run_id
    for column in ("loss", "accuracy"):
        np.testing.assert_array_equal(following.values[column], alone.values[column])
    ends = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in one.evaluations]
        for one in (following, alone)
    ]
    assert ends[0] == ends[1]
    assert following.environment["threads"] == alone.environment["threads"]
    assert (Path.cwd(), capfd.readouterr().out) == (before, "")


def test_the_client_imports_no_plug_in(processes: Processes) -> None:
    name = "tests.bench.training.plug_in"
    spec = RunSpec(problem="quadratic", optimizer=f"{name}:Mine", iterations=2)
    assert run(processes, spec).status == "completed"
    assert name not in sys.modules


def test_a_run_in_processes_is_the_run_that_it_is_here(alone: RunRecord) -> None:
    here = Here()
    (known,) = identify(here, [SGD], UNDER)
    record: RunRecord = here.call(tasks.run, SGD, SGD, known.blank.run_id, UNDER)
    assert record.run_id == alone.run_id
    np.testing.assert_array_equal(record.values["loss"], alone.values["loss"])


def test_a_process_of_each_is_made_once(processes: Processes) -> None:
    assert processes.of_problem(SGD) is processes.of_problem(SGD)
    assert processes.of_optimizer(SGD) is processes.of_optimizer(SGD)
    assert where.first() is where.first()


def test_a_problem_whose_process_ends_cannot_be_built(processes: Processes) -> None:
    spec = RunSpec(problem="tests.bench.training.plug_in:vanishing", iterations=1)
    with pytest.raises(UsageError, match=r"'tests.*:vanishing' cannot be built: .*exit code 3"):
        processes.of_problem(spec)


def test_without_a_fork_a_process_is_started_for_each_call(
    alone: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = forking._Started(["bench.training.preloaded"])
    monkeypatch.setattr(where, "first", lambda: started)
    with Processes() as processes:
        (known,) = processes.call(tasks.identify, SGD, [SGD], UNDER, False)
        record = processes.call(tasks.run, SGD, SGD, known.blank.run_id, UNDER)
    np.testing.assert_array_equal(record.values["loss"], alone.values["loss"])


def test_gpus_are_counted_without_torch_here() -> None:
    assert where.count_gpus() >= 0


MINE = """
from pathlib import Path
import torch
from bench.problems import DataSource, Problem, TensorData, evaluate_mean, accuracy

class Mine(torch.optim.SGD):
    def __init__(self, params, lr=0.01):
        super().__init__(params, lr=lr)

def problem(options):
    scale = float(Path(__file__).with_name("scale.txt").read_text())
    data = TensorData(scale * torch.eye(8), torch.arange(8) % 2)
    return Problem(
        make_model=lambda: torch.nn.Linear(8, 2), make_loss=torch.nn.CrossEntropyLoss, train=data,
        held_out=data, source=DataSource(name="mine", detail="mine", checksum="the same"),
        batch_size=8, metrics={"loss": "min", "accuracy": "max"}, batch_metric=accuracy,
        evaluate=evaluate_mean,
    )
"""


def test_an_edit_while_processes_are_warm_is_refused_and_seen_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module, data = tmp_path / "warm_plug_in.py", tmp_path / "scale.txt"
    module.write_text(MINE)
    data.write_text("1.0")
    spec = RunSpec(problem="warm_plug_in:problem", optimizer="warm_plug_in:Mine", iterations=3)
    found: list[RunRecord] = []
    for change in ("nothing", "the data behind its checksum", "the code"):
        with Processes() as warm:
            (known,) = identify(warm, [spec], UNDER)
            arguments = (tasks.run, spec, spec, known.blank.run_id, UNDER)
            found.append(warm.call(*arguments))
            if change == "nothing":
                data.write_text("2.0")
                assert warm.call(*arguments).run_id == found[0].run_id  # it was built before
            elif change == "the data behind its checksum":
                module.write_text(MINE.replace("lr=lr", "lr=2 * lr"))
                with pytest.raises(
                    UsageError, match=r"warm_plug_in\.py' was edited after .* restart"
                ):
                    warm.call(*arguments)
    assert len({record.run_id for record in found}) == 3
    assert len({float(record.values["loss"][-1]) for record in found}) == 3
