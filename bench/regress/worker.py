"""The process that measures one side. It is run as a script, by the side's own interpreter.

The harness (``bench``, and ``optimizers`` unless the side's tree holds its own) comes from where
this file lies, whatever is installed beside the side's interpreter; everything else comes from the
side's tree first. So what differs between two sides is the code under test. Beyond torch and numpy
it needs only what the benchmarks themselves import.

It reads one JSON request per line from its standard input and answers each with one line. Each
benchmark has a process of its own, forked from this one, which has imported the harness and torch
and computes nothing: whatever a benchmark's code does to its process, it reaches no other one.
Requests are passed on to the benchmark's process, and its answers back; those whose turn it is not
sleep. Where there is no safe ``fork``, this script is started once more for each benchmark.

What the code under test prints is kept for the case that its process ends, and its own standard
input is empty.
"""

import faulthandler
import importlib.util
import json
import os
import select
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, Any

HARNESS = Path(__file__).resolve().parents[2]
_LOOK_S = 1.0  # between two looks whether a process has ended whose pipe a helper of its holds


def main() -> None:
    """Answer requests until the input ends."""
    faulthandler.enable()
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    setup = json.loads(requests.readline())
    import_harness(setup["paths"])
    try:
        from bench.regress import measuring
        from bench.support import forking
    except Exception as error:
        hidden = _hiding(setup["paths"])
        hint = f" ({', '.join(hidden)} hides a module that others need)" if hidden else ""
        raise SystemExit(f"this side does not fit optbench's harness: {error}{hint}") from None
    forking.leave_cuda_alone()
    if "benchmark" in setup:
        _measure(setup, requests, answers)
    measuring.preload()
    _relay(setup, requests, answers, forked=forking.is_supported() and forking.forks_safely())


def _relay(setup: Mapping[str, Any], requests: IO[str], answers: IO[str], *, forked: bool) -> None:
    """Begin a process for each benchmark, tell what it holds, and pass requests on to it."""
    held: list[IO[Any]] = [requests, answers]
    about = _Child({**setup, "benchmark": None}, held, forked=forked)
    described = json.loads(about.answer())
    about.close()
    children = []
    for fields in setup["benchmarks"]:
        child = _Child({**setup, "benchmark": fields}, held, forked=forked)
        children.append(child)
        held += child.files
        described.setdefault("benchmarks", []).append(json.loads(child.answer()))
    print(json.dumps({"benchmarks": [], **described}), file=answers)
    for line in requests:
        child = children[json.loads(line)["benchmark"]]
        child.ask(line)
        answers.write(child.answer())


class _Child:
    """The process of one benchmark, seen from the one that began it.

    Attributes:
        files: What of it is open here.
    """

    def __init__(self, setup: Mapping[str, Any], held: Iterable[IO[Any]], *, forked: bool) -> None:
        """Begin it; its first answer is what it says of itself.

        Args:
            setup: What it measures; see ``Measuring``.
            held: Files that it is not to hold, since an end of a pipe shows when nobody does.
            forked: Whether it is forked, or else started.
        """
        its_requests, requests = os.pipe()
        answers, its_answers = os.pipe()
        self._requests = os.fdopen(requests, "w", buffering=1)
        self._answers = os.fdopen(answers)
        self._said = tempfile.TemporaryFile("a+", errors="replace")  # noqa: SIM115
        self._ended: dict[str, Any] | None = None
        self.files: list[IO[Any]] = [self._requests, self._answers, self._said]
        said = self._said.fileno()
        if forked:
            from bench.support import forking

            sys.stdout.flush()
            sys.stderr.flush()
            self._process = forking.fork()
            if self._process == 0:
                os.dup2(said, 1)
                os.dup2(said, 2)
                for file in (*held, *self.files):
                    file.close()
                _measure(setup, os.fdopen(its_requests), os.fdopen(its_answers, "w", buffering=1))
        else:
            ends = zip((its_requests, its_answers, said), range(3), strict=True)
            self._process = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", __file__],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for end, number in ends],
            )
            self.ask(json.dumps(setup) + "\n")
        os.close(its_requests)
        os.close(its_answers)

    def ask(self, line: str) -> None:
        """Pass a request on, unless it has ended."""
        try:
            if self._ended is None:
                self._requests.write(line)
        except BrokenPipeError:
            self._end()

    def answer(self) -> str:
        """The line that it answers; or once it has ended, how it did and all that it said."""
        while self._ended is None:
            if select.select([self._answers], [], [], _LOOK_S)[0]:
                line = self._answers.readline()
                if line.endswith("\n"):
                    return line
                self._end()
            else:
                self._end(os.WNOHANG)
        return json.dumps(self._ended) + "\n"

    def close(self) -> None:
        """Let it end."""
        self._requests.close()
        if self._ended is None:
            self._end()

    def _end(self, options: int = 0) -> None:
        process, status = os.waitpid(self._process, options)
        if process:
            self._said.seek(0)
            code = os.waitstatus_to_exitcode(status)
            self._ended = {"exit_code": code, "said": self._said.read()}


def _measure(setup: Mapping[str, Any], requests: IO[str], answers: IO[str]) -> None:
    """Be the process of one benchmark until there are no more requests; does not return."""
    from bench.regress.measuring import Measuring

    owner = os.getpid()

    def answer(content: dict[str, Any]) -> None:
        if os.getpid() != owner:
            os._exit(1)  # forked by the code under test in the middle of a call: not its to answer
        print(json.dumps(content), file=answers)

    measuring = Measuring(setup)
    answer(measuring.describe())
    for line in requests:
        answer(measuring.answer(json.loads(line)))
    os._exit(0)


def import_harness(paths: list[str]) -> None:
    """Put a side's folders first on ``sys.path``, and load the harness from beside this file."""
    sys.path[:0] = paths
    if not any((Path(path) / "optimizers" / "spec.py").is_file() for path in paths):
        _load("optimizers")
    _load("bench")


def _hiding(paths: list[str]) -> list[str]:
    """Files of a side that take the place of a module of the standard library, torch or numpy."""
    names = {*sys.stdlib_module_names, "torch", "numpy"}
    files = [file for path in paths for file in sorted(Path(path).glob("*.py"))]
    return [str(file) for file in files if file.stem in names]


def _load(package: str) -> ModuleType:
    folder = HARNESS / package
    found: Any = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(found)
    sys.modules[package] = module
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
