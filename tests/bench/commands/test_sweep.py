"""``optbench sweep`` as users start it, and what may befall it. All processes are real."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.runs import store

CELLS = 16
SWEEP = (
    "sweep", "-p", "quadratic", "-o", "sgd", "--grid", f"lr=1e-3:1:log{CELLS // 2}",
    "--seeds", "2", "--iterations", "800", "--jobs", "2",
)  # fmt: skip
DEADLY = '''
"""An optimizer that kills its process at one learning rate."""
import os, signal
from torch.optim import SGD

class Deadly(SGD):
    def step(self, closure=None):
        if self.param_groups[0]["lr"] == 0.1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(closure)
'''
LIMIT_S = 120.0


def _hear_interrupts() -> None:
    """Where tests run in the background, Ctrl-C is ignored and processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start optbench as a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=_hear_interrupts,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip


def optbench(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def wait_until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)


def stored(folder: Path) -> int:
    return len(list((folder / "results" / "runs").glob("*.parquet")))


def require_one_record_per_cell(folder: Path, cells: int = CELLS) -> None:
    records = store.load(folder / "results")
    assert len(records) == len({record.run_id for record in records}) == cells
    assert {record.status for record in records} == {"completed"}


@pytest.mark.parametrize("after", [1, 5])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    process = start(tmp_path, *SWEEP)
    wait_until(lambda: stored(tmp_path) >= after, "records")
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = stored(tmp_path)
    wait_until(lambda: not any(worker.is_running() for worker in workers), "workers end")
    assert stored(tmp_path) == before
    finished = optbench(tmp_path, *SWEEP, "--json")
    assert finished.returncode == 0, finished.stderr
    assert f"{CELLS - before} runs of 800 iterations" in finished.stderr
    assert f"({before} more {'is' if before == 1 else 'are'} stored already)" in finished.stderr
    require_one_record_per_cell(tmp_path)
    document = json.loads(finished.stdout)
    assert len(document["labels"][0]["trials"]) == CELLS // 2


def test_ctrl_c_while_workers_start_leaves_no_traceback(tmp_path: Path) -> None:
    process = start(tmp_path, *SWEEP)
    own = psutil.Process(process.pid)
    wait_until(own.children, "the first server begins")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    process = start(tmp_path, *SWEEP)
    wait_until(lambda: stored(tmp_path) >= 2, "records")
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the workers too
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Interrupted: finished runs are stored; the same command goes on" in err
    assert "Traceback" not in err
    wait_until(lambda: not any(worker.is_running() for worker in workers), "workers end")
    said = optbench(tmp_path, "recommend")
    assert said.returncode == 0, said.stderr


def test_a_process_that_is_killed_costs_nobody_a_run(tmp_path: Path) -> None:
    process = start(tmp_path, *SWEEP)
    wait_until(lambda: stored(tmp_path) >= 2, "records")

    def depth(one: psutil.Process) -> int:
        return len(one.parents())

    def deepest() -> psutil.Process | None:
        """A run: below the client, the first server, the problem's and the optimizer's."""
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(process.pid)
            found = [one for one in own.children(recursive=True) if depth(one) == depth(own) + 4]
            return found[0] if found else None
        return None

    wait_until(deepest, "a run is on")
    run = deepest()
    if run is not None:
        run.kill()
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    require_one_record_per_cell(tmp_path)


def test_two_clients_run_each_cell_once(tmp_path: Path) -> None:
    both = [start(tmp_path, *SWEEP) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, err
    require_one_record_per_cell(tmp_path)


def test_a_deadly_setting_is_found_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    finished = optbench(
        tmp_path, "sweep", "-p", "quadratic", "-o", "deadly:Deadly", "--grid", "lr=0.01:1:log3",
        "--seeds", "2", "--iterations", "20", "--jobs", "2",
    )  # fmt: skip
    assert finished.returncode == 1
    last = finished.stderr.strip().splitlines()[-2:]
    assert all("Deadly lr=0.1, seed" in line and "its process died of SIG" in line for line in last)
    assert "Traceback" not in finished.stderr
    records = store.load(tmp_path / "results")
    assert sorted(record.status for record in records) == ["completed"] * 4 + ["failed"] * 2
    assert "2 of 2 failed" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "damping=1e-4:1e2"], "Grid 'damping=1e-4:1e2' is not valid: write KEY=LOW"),
        (["--grid", "damping="], "it lacks a value"),
        (["--grid", "dampin=1,2"], "Unknown hyperparameter 'dampin'. Did you mean 'damping'?"),
        (["-o", "torch.optim:NAdam"], "There is nothing to sweep: give a grid"),
        (["nothing.yaml"], "Experiment 'nothing.yaml' cannot be read"),
        (["--strategy", "random"], "Unknown strategy 'random'"),
        (["--jobs", "0"], "jobs=0 is not valid: it is a whole number >= 1"),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "--jobs is not valid with"),
        (
            ["-p", "quadratic", "-o", "sgd", "--objective", "val_accuracy"],
            "evaluated by val_loss, val_distance",
        ),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    finished = optbench(tmp_path, "sweep", *arguments)
    assert finished.returncode == 2
    (line,) = finished.stderr.strip().splitlines()
    assert line.startswith("optbench: ")
    assert message in line
    assert not (tmp_path / "results" / "sweeps").exists()


class Cluster:
    """A Dask scheduler with two workers, as their own command-line tools start them."""

    def __init__(self, folder: Path) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder, self.address = folder, ""

    def start(self, *options: str) -> None:
        file = self._folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        wait_until(file.exists, "the scheduler")
        self.address = str(json.loads(file.read_text())["address"])
        self._worker = self._start("worker", self.address, "--no-dashboard", *options)

    def lose_scheduler(self) -> None:
        self._processes[0].kill()

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        log = (self._folder / f"{arguments[0]}.log").open("wb")
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        process = subprocess.Popen(
            command, cwd=self._folder, stdout=log, stderr=log,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        )  # fmt: skip
        log.close()
        self._processes.append(process)
        return process

    def workers(self) -> list[psutil.Process]:
        """The processes that runs take place in, below their nannies."""
        below = psutil.Process(self._worker.pid).children(recursive=True)
        return [one for one in below if "spawn_main" in " ".join(one.cmdline())]

    def close(self) -> None:
        everyone = [psutil.Process(process.pid) for process in self._processes]
        everyone += [below for one in everyone for below in one.children(recursive=True)]
        for process in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for started in self._processes:
            started.wait(timeout=30)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    folder = tmp_path / "cluster"
    folder.mkdir()
    options: Sequence[str] = getattr(
        request, "param", ("--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder))
    )
    made = Cluster(folder)
    try:
        made.start(*options)
        yield made
    finally:
        made.close()


def on(cluster: Cluster) -> tuple[str, ...]:
    return (*SWEEP[: SWEEP.index("--jobs")], "--scheduler", cluster.address)


def test_a_sweep_on_a_cluster_survives_the_death_of_a_worker(
    tmp_path: Path, cluster: Cluster
) -> None:
    process = start(tmp_path, *on(cluster))
    wait_until(lambda: stored(tmp_path) >= 2, "records")
    cluster.workers()[0].kill()
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    require_one_record_per_cell(tmp_path)
    assert not list((tmp_path / "cluster").rglob("*.parquet"))  # the client is the only writer
    again = optbench(tmp_path, *on(cluster))
    assert f"All {CELLS} runs are stored already" in again.stderr


def test_ctrl_c_on_a_cluster_leaves_it_to_its_owner(tmp_path: Path, cluster: Cluster) -> None:
    process = start(tmp_path, *on(cluster))
    wait_until(lambda: stored(tmp_path) >= 1, "records")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, err
    assert "Interrupted: finished runs are stored" in err
    assert "Traceback" not in err
    assert len(cluster.workers()) == 2


def test_a_lost_scheduler_is_told(tmp_path: Path, cluster: Cluster) -> None:
    process = start(tmp_path, *on(cluster))
    wait_until(lambda: stored(tmp_path) >= 1, "records")
    cluster.lose_scheduler()
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, err
    assert "Finished runs are stored; the same command goes on." in err
    assert "Traceback" not in err


@pytest.mark.parametrize("cluster", [("--nworkers", "1", "--nthreads", "2")], indirect=True)
def test_workers_that_mix_random_numbers_are_refused(tmp_path: Path, cluster: Cluster) -> None:
    finished = optbench(tmp_path, *on(cluster))
    assert finished.returncode == 2
    assert "runs 2 calls at a time in one process" in finished.stderr
    assert "--nthreads 1" in finished.stderr
