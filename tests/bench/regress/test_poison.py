"""No benchmark reaches the next one of a launch: after each poison, SGD steps as it does alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import SideError
from bench.regress import worker as script
from bench.regress.launch import Worker
from tests import poison
from tests.bench.regress.repositories import OPTIMIZER, made
from tests.bench.regress.workers import BENCHMARK, side

SUBJECT = """
    import json, os, pathlib, torch

    class First(torch.optim.SGD):
        def __init__(self, params, lr=0.01):
            super().__init__(params, lr=lr)

        def step(self, closure=None):
            super().step()
            seen = [
                os.getcwd(), str(torch.get_default_dtype()), str(torch.get_default_device()),
                torch.get_num_threads(), torch.is_grad_enabled(),
                [p.grad.tolist() + p.tolist() for g in self.param_groups for p in g["params"]],
            ]
            with open(pathlib.Path(__file__).with_name(type(self).__name__), "a") as trail:
                print(json.dumps(seen), file=trail)

    class Last(First):
        pass
"""
LATE = """
    import os, pathlib, sys, torch
    import poison

    NOW = pathlib.Path(__file__).with_name("now")

    class Silent(poison._Poison):
        def poison(self):
            if NOW.exists():
                os._exit(9)

    class Heard(poison._Poison):
        def poison(self):
            if NOW.exists():
                print("farewell", file=sys.stderr)
                os.abort()

    class Held(poison._Poison):  # by a process that it leaves behind, whatever it does to pipes
        def poison(self):
            import ctypes
            if NOW.exists():
                if ctypes.CDLL(None).fork() == 0:
                    ctypes.CDLL(None).sleep(600)
                os._exit(4)
"""
IMPORTED = "import os\nprint('hello', flush=True)\nos._exit(5)\n"
ENDED = {"late:Silent": 9, "late:Heard": "SIGABRT", "late:Held": 4}
POISONS = [*(f"poison:{name}" for name in poison.NAMES), "imported:It"]


@pytest.fixture(scope="module")
def launch(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Worker, list[dict[str, Any]], list[str]]]:
    """One launch of SGD, all poisons, and SGD again."""
    folder = tmp_path_factory.mktemp("poisoned")
    made(folder, subject=SUBJECT, late=LATE, imported=IMPORTED)
    (folder / "poison.py").write_text(Path(poison.__file__).read_text())
    names = ["subject:First", *POISONS, *ENDED, "subject:Last"]
    benchmarks = [BENCHMARK | {"optimizer": name} for name in names]
    with Worker(side(folder), {"tuned": False, "benchmarks": benchmarks}) as worker:
        yield worker, worker.ready()["benchmarks"], names


def test_after_every_poison_sgd_steps_as_it_does_alone(
    launch: tuple[Worker, list[dict[str, Any]], list[str]],
) -> None:
    worker, states, names = launch
    said = {}
    for number, name in enumerate(names):
        said[name] = states[number].get("error", "")
        if not said[name]:
            try:
                assert len(worker.block(number, 1, 2)) == 2
            except SideError as error:
                said[name] = str(error)
    (worker.side.folder / "now").touch()
    for name, how in ENDED.items():
        assert said[name] == ""
        with pytest.raises(SideError, match=f"this side crashed in quadratic/{name} .*{how}"):
            worker.block(names.index(name), 0, 1)
        with pytest.raises(SideError, match=f"this side crashed in quadratic/{name} .*{how}"):
            worker.survey(names.index(name), 5)  # it stays so
    worker.block(len(names) - 1, 3, 4)
    worker.block(0, 3, 4)
    trails = [(worker.side.folder / name).read_text().splitlines() for name in ("First", "Last")]
    assert trails[0] == trails[1]
    assert len(trails[0]) == 10
    folder, *_ = json.loads(trails[0][-1])
    assert Path(folder) == worker.side.folder
    fails = {f"poison:{name}": why for name, why in poison.FAILS.items() if name != "Dtype"}
    for name in POISONS[:-1]:
        assert (said[name] != "") == (name in fails), (name, said[name])
        assert fails.get(name, "") in said[name]
    assert said["imported:It"] == "it crashed (exit code 5): hello"
    assert len({state["threads"] for state in states if "threads" in state}) == 1


def test_what_a_benchmark_says_before_it_dies_is_told_and_only_that(
    launch: tuple[Worker, list[dict[str, Any]], list[str]],
) -> None:
    worker, _, names = launch
    (worker.side.folder / "now").touch()
    with pytest.raises(SideError, match="Fatal Python error: Aborted") as caught:
        worker.block(names.index("late:Heard"), 0, 1)
    (note,) = caught.value.__notes__
    assert "farewell" in note
    assert "here I am" not in note
    with pytest.raises(SideError, match=r"\(exit code 9\): it said nothing"):
        worker.block(names.index("late:Silent"), 0, 1)


def test_without_a_fork_each_benchmark_has_a_process_that_is_started(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, mine=OPTIMIZER)
    setup = {"paths": [str(tmp_path)], "others": [], "tuned": False, "benchmarks": []}
    one = {**setup, "benchmark": BENCHMARK, "benchmarks": [BENCHMARK]}
    child = script._Child(one, [], forked=False)
    assert json.loads(child.answer())["own"] is True
    child.ask(json.dumps({"benchmark": 0, "warm": 0, "iterations": 2, "delay": None}) + "\n")
    assert len(json.loads(child.answer())["phases_s"]) == 2
    child.close()
    assert json.loads(child.answer())["exit_code"] == 0
    for file in child.files:
        file.close()
    assert capfd.readouterr().out == ""
