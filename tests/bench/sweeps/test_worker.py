"""What a worker does: identify runs, and run them as identified."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from bench.errors import NotApplicableError, WorkersError
from bench.runs.spec import RunSpec
from bench.sweeps import worker
from bench.sweeps.worker import identify
from bench.sweeps.worker import run as run_cell
from bench.training import prepare
from bench.training.processes import Here, Processes
from tests.bench.sweeps.inline import CONDITIONS, EXPERIMENT


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_worker_that_would_run_something_else_refuses() -> None:
    spec = EXPERIMENT.base(None)
    (known,) = identify([spec], CONDITIONS)
    assert known.blank.status == "failed"
    assert len(known.blank.values["loss"]) == 0
    with pytest.raises(WorkersError, match=r"would be another run in process .* \(id "):
        run_cell(spec, "0" * 16, CONDITIONS)


def test_threads_of_a_worker_are_part_of_what_it_runs() -> None:
    spec = EXPERIMENT.base(None)
    one, two = (identify([spec], replace(CONDITIONS, threads=n))[0].blank for n in (1, 2))
    assert one.run_id != two.run_id
    assert (one.environment["threads"], two.environment["threads"]) == (1, 2)


def test_a_setting_is_tried_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, tried = replace(EXPERIMENT.base(None), optimizer="sgd"), list[RunSpec]()
    monkeypatch.setattr(prepare, "check", lambda prepared: tried.append(prepared.asked))
    specs = [replace(spec, seed=seed) for seed in (3, 5)]
    known = identify([*specs, replace(spec, hyperparameters={"lr": 0.5})], CONDITIONS)
    settings = [(one.optimizer, one.seed, one.hyperparameters) for one in tried]
    assert settings[-2:] == [("sgd", 3, {}), ("sgd", 0, {"lr": 0.5})]
    assert len({one.blank.run_id for one in known}) == 3
    record = run_cell(specs[1], known[1].blank.run_id, CONDITIONS)
    assert (record.run_id, record.config["seed"]) == (known[1].blank.run_id, 5)
    assert (record.session, record.shared) == ("s", True)


def test_what_an_optimizer_cannot_do_is_known_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(prepared: prepare.Prepared) -> None:
        if prepared.resolved.optimizer == "adam":
            raise NotApplicableError("not for this")

    monkeypatch.setattr(prepare, "check", check)
    spec = EXPERIMENT.base(None)
    specs = [replace(spec, optimizer=name) for name in ("sgd", "adam")]
    sgd, adam = (known.blank for known in identify(specs, CONDITIONS))
    assert (sgd.status, sgd.error) == ("failed", "")
    assert (adam.status, adam.error) == ("not_applicable", "not for this")


def test_processes_are_kept_during_a_launch_and_a_few_launches_more() -> None:
    apart = replace(CONDITIONS, isolated=True)
    first = worker._processes(replace(apart, launch="0"))
    assert isinstance(first, Processes)
    assert worker._processes(replace(apart, launch="0")) is first
    for number in range(1, 5):
        worker._processes(replace(apart, launch=str(number)))
    assert worker._processes(replace(apart, launch="0")) is not first
    assert isinstance(worker._processes(replace(CONDITIONS, launch="here")), Here)
    for launch in list(worker._OPEN):
        worker.forget(launch)
