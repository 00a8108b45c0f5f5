"""Calls in processes of their own: what they inherit, how they die, and that nobody else does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from bench.errors import LostError, UnknownNameError
from bench.support import forking
from bench.support.forking import InterruptedCallError, Place
from tests.bench.support import forking_deeds as deeds

forks = pytest.mark.skipif(not forking.is_supported(), reason="no safe fork here")


@pytest.fixture(scope="module", params=[pytest.param("forked", marks=forks), "started"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where a process is forked for each call, and where one is started."""
    made = forking.started([]) if request.param == "forked" else forking._Started([])
    yield made
    made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Place]:
    made = forking.started(["numpy", "torch"])
    yield made
    made.close()


def test_a_call_tells_things_by_the_way_and_answers(place: Place) -> None:
    told: list[int] = []
    answer = place.call(deeds.count, 3, told=told.append)
    assert told == [0, 1, 2]
    assert answer.shape == (1 << 20,)


def test_what_is_prepared_is_inherited_and_what_a_call_changes_is_not(place: Place) -> None:
    one = forking.within(place, deeds.prepare, 1)
    two = forking.within(one, deeds.prepare, 2)
    assert two.call(deeds.change, 3) == [1, 2, 3]
    assert two.call(deeds.state) == [1, 2]
    assert one.call(deeds.state) == [1]
    assert place.call(deeds.state) == []
    two.close()
    one.close()


@pytest.mark.parametrize(
    ("deed", "error", "message"),
    [
        (deeds.vanish, LostError, "it ended its own process, with exit code 0"),
        (deeds.kill_itself, LostError, "its process died of SIGKILL: killed, or out of memory"),
        (deeds.leave, LostError, "it raised SystemExit: 3"),
        (deeds.fail, LostError, "it raised RuntimeError: no good"),
        (deeds.refuse, UnknownNameError, "there is no such thing"),
        (deeds.answer_something_foreign, LostError, r"another library: tests.*deeds\.Foreign"),
    ],
)
def test_an_end_without_an_answer_is_told_and_nobody_elses(
    place: Place, deed: Callable[..., Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        place.call(deed)
    assert place.call(deeds.state) == []


def test_a_traceback_comes_with_the_error(place: Place) -> None:
    with pytest.raises(LostError) as caught:
        place.call(deeds.fail)
    assert caught.value.whole.startswith("Traceback")
    assert caught.value.whole.endswith("RuntimeError: no good\n")


@pytest.mark.parametrize(
    ("deed", "error"), [(deeds.refuse, UnknownNameError), (deeds.vanish, LostError)]
)
@forks
def test_a_server_that_does_not_come_about_is_told(
    server: Place, deed: Callable[..., Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        forking.within(server, deed)
    assert server.alive
    assert server.call(deeds.state) == []


@forks
def test_children_of_a_server_compute_with_threads(server: Place) -> None:
    inner = forking.within(server, deeds.prepare, 1)
    assert isinstance(inner, forking._Server)
    assert inner.call(deeds.backward) == 2.7183
    inner.close()


@forks
def test_what_has_used_threads_is_prepared_anew_for_each_call(server: Place) -> None:
    inner = forking.within(server, deeds.compute_with_threads, 1)
    assert isinstance(inner, forking._Anew)
    assert inner.call(deeds.backward) == 2.7183
    assert inner.call(deeds.state) == [1]


@forks
def test_of_a_call_that_forks_one_answers(server: Place) -> None:
    assert server.call(deeds.fork) == 5
    assert server.call(deeds.state) == []


@forks
def test_what_a_call_leaves_behind_ends_with_it(server: Place) -> None:
    left = server.call(deeds.leave_a_process_behind)
    _until(lambda: not psutil.pid_exists(left) or _is_zombie(left))


@pytest.mark.parametrize("start", [pytest.param(forking.started, marks=forks), forking._Started])
def test_what_a_call_prints_is_no_output(
    start: Callable[[list[str]], Place], capfd: pytest.CaptureFixture[str]
) -> None:
    place = start([])
    place.call(deeds.shout)
    place.close()
    said = capfd.readouterr()
    assert said.out == ""
    assert "AND HERE" in said.err


@forks
@pytest.mark.parametrize(("deed", "result"), [(deeds.wait, "interrupted"), (deeds.sleep, None)])
def test_ctrl_c_reaches_the_call_and_brings_what_there_is(
    server: Place, monkeypatch: pytest.MonkeyPatch, deed: Callable[..., Any], result: str | None
) -> None:
    monkeypatch.setattr(forking, "_GRACE_S", 0.3 if result is None else 10.0)
    with pytest.raises(InterruptedCallError) as caught:
        server.call(deed, told=lambda _: os.kill(os.getpid(), signal.SIGINT))
    assert caught.value.result == result


@forks
def test_calls_end_when_their_client_is_killed() -> None:
    script = (
        "from bench.support import forking; from tests.bench.support import forking_deeds as d\n"
        "inner = forking.within(forking.started([]), d.prepare, 1)\n"
        "inner.call(d.wait, told=lambda pid: print(pid, flush=True))"
    )
    client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    pid = int(client.stdout.readline())
    client.kill()
    client.wait()
    client.stdout.close()
    _until(lambda: not psutil.pid_exists(pid))


@forks
def test_a_server_that_is_killed_is_known_to_be_gone(server: Place) -> None:
    inner = forking.within(server, deeds.prepare, 1)
    assert inner.alive
    assert isinstance(inner, forking._Server)
    assert isinstance(inner._process, forking._Call)
    os.kill(inner._process._pid, signal.SIGKILL)
    _until(lambda: not inner.alive)
    with pytest.raises(LostError, match=r"gone|together with"):
        inner.call(deeds.state)
    inner.close()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_server_that_speaks_before_its_number_is_known_is_alive() -> None:
    """Whoever forked it may be slower to say which process it is than it is to say something."""
    _, answers = ends = os.pipe()
    status, its_status = os.pipe()
    call = forking._Call(ends[0], status)
    try:
        assert call.poll() is None
        os.write(its_status, forking._NUMBER.pack(2**22 + 1))  # no process has it
        assert call.poll() is None
        os.write(its_status, forking._NUMBER.pack(0))
        assert call.poll() == 0
    finally:
        os.close(its_status)
        os.close(answers)
        call._ended = True
        call.end()
    assert call.poll() == 0


def test_a_server_whose_own_is_gone_is_not_alive() -> None:
    answers, its_answers = os.pipe()
    status, its_status = os.pipe()
    call = forking._Call(answers, status)
    os.close(its_answers)
    os.close(its_status)
    assert call.poll() == 0
    call.end()
