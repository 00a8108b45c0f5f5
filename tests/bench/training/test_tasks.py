"""What is done in the processes of a session, seen from within one."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import WorkersError
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.training import tasks
from bench.training.tasks import Conditions, Surroundings

UNDER = Conditions(session="s")
SGD = RunSpec(problem="quadratic", optimizer="sgd", iterations=5)


def test_surroundings_are_brought_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "/somewhere"])
    monkeypatch.setenv("MINE", "1")
    monkeypatch.delenv("PYTORCH_NVML_BASED_CUDA_CHECK", raising=False)
    here = Surroundings.here()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINE", "2")
    monkeypatch.setenv("ANOTHER", "3")
    sys.path.remove("/somewhere")
    here.apply()
    assert (os.getcwd(), os.environ["MINE"]) == (here.folder, "1")
    assert "ANOTHER" not in os.environ
    assert sys.path[-1] == "/somewhere"
    assert os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"


def test_a_gpu_is_chosen_before_torch_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    replace(UNDER, gpu="1").apply()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_run_is_the_one_that_was_identified_and_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "_TELL_S", 0.0)
    told: list[Any] = []
    (known,) = tasks.identify(told.append, [SGD], UNDER)
    assert told == [[known]]
    record = tasks.run_beside_yardstick(told.append, SGD, known.blank.run_id, UNDER)
    yardstick = told[1]
    assert isinstance(yardstick, RunRecord)
    assert (yardstick.role, yardstick.run_id) == ("plain_gradient", known.yardstick)
    assert told[2:] == [1, 2, 3, 4, 5]
    assert (record.run_id, record.session) == (known.blank.run_id, "s")
    with pytest.raises(WorkersError, match=r"sgd, seed 0 would be another run .*source, data or"):
        tasks.run(told.append, SGD, "0" * 16, UNDER)


def test_nothing_is_tried_where_it_is_not_asked_for() -> None:
    wrong = replace(SGD, hyperparameters={"lr": -1.0})
    (known,) = tasks.identify(lambda _: None, [wrong], UNDER, False)
    assert known.blank.status == "failed"
    assert known.blank.error == ""
