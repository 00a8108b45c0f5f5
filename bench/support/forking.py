"""Calls in processes of their own, forked from one that has imported nothing of the user's.

A *server* is a process that forks: each call takes place in a child of it, which inherits all that
the server has imported and built, and whose death is nobody else's. A server may be made of a
child, with more in it. A server computes nothing with threads before it forks (OpenMP's would hang
the children) and touches no GPU; one that did forks no more, and its calls begin afresh from the
server above it.

A child has a session of its own, so that Ctrl-C reaches the client only, which passes it on; what
it prints goes to standard error, and it answers through a pipe. It ends when its client does. Where
there is no safe ``fork``, a process is started for each call.
"""

import atexit
import contextlib
import faulthandler
import importlib
import io
import json
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import bench.errors
from bench.errors import KilledError, LostError

Tell = Callable[[Any], None]

_GRACE_S = 10.0  # for a child to tell what there is of its work, once it is interrupted
_PROBE_S = 2.0  # for a child of a child to compute with threads; else it hangs
_HEAD = struct.Struct("!Q")
_NUMBER = struct.Struct("!i")
_MAIN = (
    "import json, sys; path, sys.path[:] = json.loads(sys.argv[1]); import bench, optimizers; "
    "sys.path[:] = path; from bench.support import forking; forking.main(*sys.argv[2:])"
)
# What an answer may be made of: an object of a plug-in's would import the plug-in here.
_KNOWN = {"bench", "optimizers", "numpy", "datetime", "pathlib", "collections"}
_PLAIN = {"set", "frozenset", "complex", "bytearray", "slice", "range"}
_TOLD, _RETURNED, _RAISED = "told", "returned", "raised"


class InterruptedCallError(KeyboardInterrupt):
    """Ctrl-C ended a call.

    Attributes:
        result: What the call returned nevertheless; ``None`` if nothing.
    """

    def __init__(self, result: Any) -> None:
        """Keep what the call returned."""
        super().__init__()
        self.result = result


class Place(Protocol):
    """Where calls are made, each in a process of its own."""

    @property
    def alive(self) -> bool:
        """Whether calls can be made."""

    def call(self, function: Callable[..., Any], *arguments: Any, told: Tell | None = None) -> Any:
        """Make a call, and wait for its answer.

        Args:
            function: A function of a module of this project's. Its first parameter is a function
                that tells the client something while it runs.
            arguments: The others; picklable, and no objects of plug-ins.
            told: Is called with what the function tells.

        Raises:
            LostError: The process ended without an answer, or raised what is no error of this
                project's; then the traceback is a note of the error.
            InterruptedCallError: Ctrl-C, here.
            Exception: The error of this project's that the function raised.
        """

    def close(self) -> None:
        """End all that goes on there."""


def is_supported() -> bool:
    """Whether this system forks safely, and hands open files to other processes."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds") and sys.platform != "darwin"


def fork() -> int:
    """What ``os.fork`` does, without its warning."""
    with warnings.catch_warnings():
        # From 3.12 on: of threads that are not told from those of libraries that fork well.
        warnings.filterwarnings("ignore", "This process.*is multi-threaded")
        return os.fork()


def started(preload: Sequence[str]) -> Place:
    """The first server, or where there is no ``fork`` a place that starts a process for each call.

    Args:
        preload: Modules to import there, none of which is the user's.
    """
    return _Server.started(preload) if is_supported() else _Started(preload)


def within(place: Place, prepare: Callable[..., None], *arguments: Any) -> Place:
    """A server made of a child, in which something is prepared that its calls inherit.

    Args:
        place: Where the child is made.
        prepare: Prepares it, and may import what is the user's; a function as for a call.
        arguments: Of ``prepare``.

    Returns:
        The server; or, where what was prepared cannot be inherited, a place that prepares it anew
        for each call.

    Raises:
        Exception: Of ``prepare``; see :meth:`Place.call`.
    """
    server = place.within(prepare, arguments) if isinstance(place, _Server) else None
    return server or _Anew(place, prepare, arguments)


@dataclass(frozen=True)
class _Anew:
    """A place that prepares what its calls need for each of them."""

    place: Place
    prepare: Callable[..., None]
    arguments: tuple[Any, ...]

    @property
    def alive(self) -> bool:
        return self.place.alive

    def call(self, function: Callable[..., Any], *arguments: Any, told: Tell | None = None) -> Any:
        prepared = (self.prepare, self.arguments)
        return self.place.call(_prepare_and_call, prepared, function, arguments, told=told)

    def close(self) -> None:
        """There is nothing between calls."""


def _prepare_and_call(
    tell: Tell,
    prepared: tuple[Callable[..., None], tuple[Any, ...]],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> Any:
    prepare, its = prepared
    prepare(tell, *its)
    return function(tell, *arguments)


class _Started:
    """A place that starts a process for each call."""

    alive = True

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = list(preload)
        self._running: set[subprocess.Popen[bytes]] = set()

    def call(self, function: Callable[..., Any], *arguments: Any, told: Tell | None = None) -> Any:
        process = subprocess.Popen(
            [*_python(), "once", json.dumps(self._preload)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._running.add(process)
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # it may be dead already
                process.stdin.write(pickle.dumps((function, arguments)))
            answer = None
            while (content := _frame(process.stdout.read)) is not None:
                answer = _hear(content, told) or answer
            return _outcome(answer, process.wait())
        except KeyboardInterrupt:  # the terminal has told the process, too
            raise InterruptedCallError(None) from None
        finally:
            self._running.discard(process)
            process.kill()
            process.wait()
            process.stdout.close()

    def close(self) -> None:
        for process in list(self._running):
            process.kill()


class _Server:
    """A process that forks, seen from the client."""

    def __init__(self, control: socket.socket, process: "_Call | subprocess.Popen[bytes]") -> None:
        """Know a server.

        Args:
            control: Where it takes requests.
            process: What it is itself: a call of another server, or the first process.
        """
        self._control, self._process = control, process
        self._sending = threading.Lock()

    @classmethod
    def started(cls, preload: Sequence[str]) -> "_Server":
        mine, its = socket.socketpair()
        with its:
            process = subprocess.Popen(
                [*_python(), "serve", json.dumps(list(preload)), str(its.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        server = cls(mine, process)
        atexit.register(server.close)
        return server

    @property
    def alive(self) -> bool:
        return self._control.fileno() >= 0 and self._process.poll() is None

    def call(self, function: Callable[..., Any], *arguments: Any, told: Tell | None = None) -> Any:
        with self._begin(function, arguments) as call:
            try:
                return call.answer(told)
            except KeyboardInterrupt:
                raise InterruptedCallError(call.interrupted(told)) from None

    def within(self, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> "_Server | None":
        """A server made of a child; ``None`` if it cannot fork once it is prepared."""
        mine, its = socket.socketpair()
        with its, contextlib.ExitStack() as stack:
            stack.callback(mine.close)
            call = stack.enter_context(self._begin(_become, (prepare, arguments), its.fileno()))
            said: list[bool] = []
            if not call.answer(said.append, until_told=True):
                return None
            stack.pop_all()
            return _Server(mine, call)

    def close(self) -> None:
        self._control.close()  # by this it knows
        self._process.wait()

    def _begin(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], *handed: int
    ) -> "_Call":
        answers, its_answers = os.pipe()
        status, its_status = os.pipe()
        call = _Call(answers, status)
        content = pickle.dumps((function, arguments))
        try:
            with self._sending:
                socket.send_fds(
                    self._control,
                    [_HEAD.pack(len(content))],
                    [its_answers, its_status, *handed],
                )
                self._control.sendall(content)
        except OSError as error:
            call.end()
            raise LostError(f"the process that starts others is gone: {error}") from error
        finally:
            os.close(its_answers)
            os.close(its_status)
        return call


class _Call:
    """A call to a server, seen from the client."""

    def __init__(self, answers: int, status: int) -> None:
        self._answers, self._status, self._pid = answers, status, 0
        self._ended = False

    def __enter__(self) -> "_Call":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def answer(
        self, told: Tell | None, *, within_s: float | None = None, until_told: bool = False
    ) -> Any:
        """Wait for the answer.

        Args:
            told: Is called with what the function tells.
            within_s: For how long; for ever if ``None``.
            until_told: Return the first thing that the function tells.
        """
        end = None if within_s is None else time.monotonic() + within_s
        answer: tuple[str, Any] | None = None
        waiting = {self._answers, self._status}
        exit_code: int | None = None
        while self._status in waiting:
            rest = None if end is None else max(0.0, end - time.monotonic())
            ready = _readable(waiting, rest)
            if not ready:
                raise LostError(f"its process has not ended within {within_s:g} s")
            if self._answers in ready:
                content = _frame(self._read)
                if content is None:
                    waiting.discard(self._answers)
                elif answer is None:
                    heard = _hear(content, None if until_told else told)
                    if until_told and heard is None:
                        return pickle.loads(content)[1]
                    answer = heard
            elif self._status in ready:
                number = os.read(self._status, _NUMBER.size)
                if len(number) < _NUMBER.size:
                    waiting.discard(self._status)  # the server is dead
                elif self._pid:
                    (exit_code,) = _NUMBER.unpack(number)
                    waiting.discard(self._status)
                else:
                    (self._pid,) = _NUMBER.unpack(number)
        while answer is None and _readable([self._answers], 0.0):
            content = _frame(self._read)
            if content is None:
                break
            answer = _hear(content, told)
        self._ended = True
        return _outcome(answer, exit_code)

    def interrupted(self, told: Tell | None) -> Any:
        """Pass Ctrl-C on, and wait a while for what there is; ``None`` if nothing."""
        self._signal(signal.SIGINT)
        try:
            return self.answer(told, within_s=_GRACE_S)
        except (Exception, KeyboardInterrupt):  # of a call that is given up, for whatever reason
            return None

    def poll(self) -> int | None:
        """Something, if the process of a call whose answer nobody waits for has ended."""
        self._learn(0.0)
        return 0 if self._status < 0 or _readable([self._status], 0.0) else None

    def wait(self) -> None:
        """Wait until a process that was told to end has ended, but not for ever."""
        self._learn(_GRACE_S)
        if self._status >= 0:
            _readable([self._status], _GRACE_S)
        self.end()

    def end(self) -> None:
        """Let go of the call, and end its process if it goes on."""
        if not self._ended:
            self._signal(signal.SIGKILL)
        for descriptor in (self._answers, self._status):
            if descriptor >= 0:
                os.close(descriptor)
        self._answers = self._status = -1

    def _read(self, size: int) -> bytes:
        return os.read(self._answers, size)

    def _learn(self, within_s: float) -> None:
        """Read which process it is, if nobody has: a child may tell something before that."""
        if not self._pid and self._status >= 0 and _readable([self._status], within_s):
            content = os.read(self._status, _NUMBER.size)
            self._pid = _NUMBER.unpack(content)[0] if len(content) == _NUMBER.size else 0

    def _signal(self, number: int) -> None:
        self._learn(1.0)
        if self._pid and not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)


def _readable(descriptors: Iterable[int], within_s: float | None) -> set[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {found for found, _ in poll.poll(None if within_s is None else 1e3 * within_s)}


def _frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next message of a pipe; ``None`` at its end, also if it ends within the message."""
    head = _exactly(_HEAD.size, read)
    return None if head is None else _exactly(_HEAD.unpack(head)[0], read)


def _exactly(size: int, read: Callable[[int], bytes]) -> bytes | None:
    content = bytearray()
    while len(content) < size:
        part = read(min(size - len(content), 1 << 20))
        if not part:
            return None
        content += part
    return bytes(content)


def _hear(content: bytes, told: Tell | None) -> tuple[str, Any] | None:
    """Read a message: pass on what is told by the way, and return an answer."""
    kind, value = _Known(io.BytesIO(content)).load()
    if kind != _TOLD:
        return kind, value
    if told is not None:
        told(value)
    return None


def _outcome(answer: tuple[str, Any] | None, exit_code: int | None) -> Any:
    """What a call returned, or the error for what became of it."""
    match answer:
        case (kind, value) if kind == _RETURNED:
            return value
        case (_, (name, text, note)):
            error = getattr(bench.errors, name, LostError)(text)
            if note:
                error.add_note(note)
            raise error
    if exit_code is None:
        raise LostError("its process was lost together with the one that started it")
    if exit_code >= 0:
        raise LostError(f"it ended its own process, with exit code {exit_code}")
    name = signal.Signals(-exit_code).name
    why = ": killed, or out of memory" if -exit_code == signal.SIGKILL else ""
    raise KilledError(f"its process died of {name}{why}")


class _Known(pickle.Unpickler):
    """Reads answers that are made of numbers, texts, arrays and this project's own classes."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] in _KNOWN or (module == "builtins" and name in _PLAIN):
            return super().find_class(module, name)
        raise LostError(f"its answer holds an object of another library: {module}.{name}")


class _Answers:
    """Where a child answers; a process that is forked from it has nothing to say."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._owner = descriptor, os.getpid()
        os.register_at_fork(after_in_child=self._shut)

    def _shut(self) -> None:
        if self._owner != os.getpid() and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def tell(self, value: Any) -> None:
        """Tell the client something by the way."""
        self.send(_TOLD, value)

    def send(self, kind: str, value: Any) -> None:
        if self._descriptor < 0 or self._owner != os.getpid():
            os._exit(1)  # forked by a plug-in within a call, which is not its to answer
        content = pickle.dumps((kind, value))
        view = memoryview(_HEAD.pack(len(content)) + content)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more


def _python() -> list[str]:
    """The beginning of a command that calls :func:`main`, with this process's path."""
    path, here = [folder or os.getcwd() for folder in sys.path], os.getcwd()
    # A folder 'bench' or 'optimizers' where the user works is not this project's.
    first = [folder for folder in path if folder != here] + [str(Path(__file__).parents[2])]
    return [sys.executable, "-P", "-c", _MAIN, json.dumps([path, first])]


def leave_cuda_alone() -> None:
    """Let torch, when it is asked for GPUs, not begin with CUDA, which no child can go on with."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")


def main(how: str, preload: str, control: str = "") -> None:
    """Be the first server, or answer one call.

    Args:
        how: ``serve`` or ``once``.
        preload: Modules to import, as JSON.
        control: The socket where a server takes requests.
    """
    faulthandler.enable()
    leave_cuda_alone()
    answers = None
    if how == "once":
        answers = _Answers(os.dup(1))
        content = sys.stdin.buffer.read()
    os.dup2(2, 1)
    for name in json.loads(preload):
        importlib.import_module(name)
    if answers is None:
        _serve(socket.socket(fileno=int(control)))
    _answer(answers, content)


def _serve(control: socket.socket) -> NoReturn:
    """Fork a child for each request, until the client is gone."""
    children: dict[int, int] = {}  # where the end of each is told
    servers: set[int] = set()  # which of them end by themselves when the client does
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = _readable([control.fileno(), woken], None)
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            _tell_ends(children)
        if control.fileno() not in ready:
            continue
        request = _request(control)
        if request is None:
            for process in children.keys() - servers:
                _kill_group(process)
            os._exit(0)
        content, (its_answers, its_status, *handed) = request
        process = fork()
        if process == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.setsid()
            control.close()
            for descriptor in (woken, wake, its_status, *children.values()):
                os.close(descriptor)
            _answer(_Answers(its_answers), content, *handed)
        children[process] = its_status
        if handed:
            servers.add(process)
        os.write(its_status, _NUMBER.pack(process))
        for descriptor in (its_answers, *handed):
            os.close(descriptor)


def _request(control: socket.socket) -> tuple[bytes, list[int]] | None:
    """The next request and the files that came with it; ``None`` when the client is gone."""
    head, descriptors, _, _ = socket.recv_fds(control, _HEAD.size, 3)
    if len(head) < _HEAD.size:
        return None
    content = _exactly(_HEAD.unpack(head)[0], control.recv)
    return None if content is None else (content, descriptors)


def _tell_ends(children: dict[int, int]) -> None:
    while children:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        if process not in children:
            continue
        _kill_group(process)  # what it started and left behind
        descriptor = children.pop(process)
        with contextlib.suppress(BrokenPipeError):
            os.write(descriptor, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
        os.close(descriptor)


def _kill_group(process: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _answer(answers: _Answers, content: bytes, *handed: int) -> NoReturn:
    """Make a call in this process, answer, and end."""
    try:
        function, arguments = pickle.loads(content)
        answers.send(_RETURNED, function(answers.tell, *arguments, *handed))
    except BaseException as error:
        answers.send(_RAISED, _told(error))
    with contextlib.suppress(Exception):  # a stream that a plug-in has put in their place
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _told(error: BaseException) -> tuple[str, str, str]:
    """An error by the name of its class, its text and its traceback, if that is of use."""
    for kind in type(error).__mro__:
        if getattr(bench.errors, kind.__name__, None) is kind:
            return kind.__name__, str(error), ""
    text = f"it raised {type(error).__name__}: {error}"
    return LostError.__name__, text, "".join(traceback.format_exception(error))


def _become(
    tell: Tell, prepare: Callable[..., None], arguments: Sequence[Any], control: int
) -> Any:
    """Be a server: prepare, say whether forking is safe, and serve."""
    prepare(tell, *arguments)
    safe = forks_safely()
    tell(safe)
    if safe:
        _serve(socket.socket(fileno=control))


def forks_safely() -> bool:
    """Whether a child of this process can compute: no threads or GPU are lost in a fork."""
    if threading.active_count() > 1:
        return False
    torch = sys.modules.get("torch")
    if torch is None:
        return True
    if torch.cuda.is_initialized():
        return False
    tasks = "/proc/self/task"
    if os.path.isdir(tasks) and len(os.listdir(tasks)) == 1:
        return True
    # There are threads, perhaps such as BLAS libraries stop before a fork: try.
    process = os.fork()
    if process == 0:
        signal.alarm(int(_PROBE_S))
        torch.ones(1 << 17).exp().sum()
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0
