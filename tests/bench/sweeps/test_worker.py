"""What a worker does: identify runs, run them as identified, and start well."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from bench.errors import WorkersError
from bench.runs.spec import RunSpec
from bench.sweeps import worker
from bench.sweeps.worker import Conditions, identify
from bench.sweeps.worker import run as run_cell
from bench.training import prepare
from tests.bench.sweeps.inline import CONDITIONS, EXPERIMENT


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_worker_that_would_run_something_else_refuses() -> None:
    spec = EXPERIMENT.base(None)
    (blank,) = identify([spec], CONDITIONS)
    assert blank.status == "failed"
    assert len(blank.values["loss"]) == 0
    with pytest.raises(WorkersError, match=r"would run something else .*It has python"):
        run_cell(spec, "0" * 16, CONDITIONS)


def test_threads_of_a_worker_are_part_of_what_it_runs() -> None:
    spec = EXPERIMENT.base(None)
    one, two = (
        identify([spec], Conditions(session="s", threads=n, shared=True, tuned=False))[0]
        for n in (1, 2)
    )
    assert one.run_id != two.run_id
    assert (one.environment["threads"], two.environment["threads"]) == (1, 2)


def test_a_setting_is_prepared_once_for_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, asked = replace(EXPERIMENT.base(None), optimizer="sgd"), list[RunSpec]()
    original = prepare.prepare

    def noted(spec: RunSpec) -> prepare.Prepared:
        asked.append(spec)
        return original(spec)

    monkeypatch.setattr(prepare, "prepare", noted)
    monkeypatch.setattr(worker, "_PREPARED", {})
    specs = [replace(spec, seed=seed) for seed in (3, 5)]
    blanks = identify([*specs, replace(spec, hyperparameters={"lr": 0.5})], CONDITIONS)
    assert [one.seed for one in asked] == [3, 0]
    assert [blank.run_id for blank in blanks[:2]] == [original(one).run_id for one in specs]
    record = run_cell(specs[1], blanks[1].run_id, CONDITIONS)
    assert (record.run_id, record.config["seed"]) == (blanks[1].run_id, 5)
    assert (record.session, record.shared, len(asked)) == ("s", True, 2)


def test_local_workers_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    counter, seen = multiprocessing.Value("i", 0), []
    for _ in range(3):
        worker.start_local_worker(counter, ["3", "5"])
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert (seen, counter.value) == (["3", "5", "3"], 3)
    assert sys.path[-1] == os.getcwd()
