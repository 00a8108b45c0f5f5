"""Workers of a Dask cluster, with a client whose answers are made up."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import NotApplicableError
from bench.machine import environment
from bench.sweeps import dask
from bench.sweeps.dask import DaskPool
from optimizers import UsageError


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.sweeps.dask.CONNECT_LIMIT_S", 0.5)
    with pytest.raises(UsageError, match=f"Scheduler '{address}' does not answer within 0.5 s"):
        DaskPool(address, "auto")


class Client:
    """What ``DaskPool`` asks a client of Dask, with answers made up."""

    def __init__(
        self, *, versions: Any = None, threads: int = 1, resources: dict[str, float] | None = None
    ) -> None:
        self._versions = environment.library_versions() if versions is None else versions
        self._threads, self._resources = threads, resources or {}

    def wait_for_workers(self, *_: Any, **__: Any) -> None: ...

    def nthreads(self) -> dict[str, int]:
        return {"tcp://worker": self._threads}

    def scheduler_info(self, **_: Any) -> dict[str, Any]:
        return {"workers": {"tcp://worker": {"resources": self._resources}}}

    def run(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"tcp://worker": self._versions}


def checked(client: Client, device: str = "auto") -> DaskPool:
    pool = object.__new__(DaskPool)
    vars(pool).update(_client=client, _gpu=False)
    pool._check("tcp://scheduler", device)
    return pool


@pytest.mark.parametrize(
    ("client", "device", "message"),
    [
        (
            Client(versions={"torch": "1.0"}),
            "cpu",
            r"Worker 'tcp://worker' has other libraries, .*torch \(1\.0, here .*Install the same",
        ),
        (
            Client(versions=ModuleNotFoundError("No module named 'bench'")),
            "cpu",
            r"Worker 'tcp://worker' cannot run optbench: No module named 'bench'",
        ),
        (Client(threads=4), "cpu", r"runs 4 calls at a time in one process.*--nthreads 1"),
        (Client(), "cuda", r"No worker of 'tcp://scheduler' has a GPU to give: .*GPU=1"),
    ],
    ids=["versions", "no optbench", "threads", "no GPU"],
)
def test_workers_that_cannot_be_used_are_told(client: Client, device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        checked(client, device)


def test_as_many_runs_at_a_time_as_workers_or_their_gpus() -> None:
    assert checked(Client(), "auto").width == 1
    assert checked(Client(resources={"GPU": 2}), "auto").width == 2
    assert checked(Client(resources={"GPU": 2}), "cuda").width == 2
    assert checked(Client(resources={"GPU": 2}), "cpu").width == 1


def test_an_error_says_on_which_worker_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(address="tcp://far:1"))

    def fails(text: str) -> None:
        error = NotApplicableError(text)
        error.add_note("a note")
        raise error

    said = r"^no such thing \(On worker tcp://far:1\.\)"
    with pytest.raises(NotApplicableError, match=said) as told:
        dask._called(fails, "no such thing")
    assert told.value.__notes__ == ["a note"]
    assert dask._called(max, 1, 2) == 2
