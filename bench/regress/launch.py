"""A worker process and those of its benchmarks, seen from outside: started, asked, always ended."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchmarkError, SideError
from bench.regress import worker
from bench.support import cache, git
from bench.support.text import short

PATIENCE_S = 300.0  # for one answer: a block, or the start with its imports
_SAID = 300  # characters of what a crashed process said


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two things that are compared.

    Attributes:
        name: What to call it: a revision with its commit, or the working tree.
        python: The interpreter that runs it.
        paths: Folders of its code, first on the worker's ``sys.path``.
        folder: Where its worker runs.
        others: Folders of the other side's code, which nothing here may come from.
        commit: The commit whose code it is; ``None`` for files as they are.
        root: The top of the repository's files, if they are compared.
    """

    name: str
    python: str
    paths: tuple[Path, ...]
    folder: Path
    others: tuple[Path, ...] = ()
    commit: str | None = None
    root: Path | None = None


class Worker:
    """One launch of one side."""

    def __init__(self, side: Side, setup: Mapping[str, Any], *, offline: bool = True) -> None:
        """Start the process; :meth:`ready` waits for it.

        Args:
            side: What it runs.
            setup: What it measures; see ``Measuring``.
            offline: Whether data that is not at hand may not be downloaded.
        """
        self.side = side
        self._names = [
            f"{fields['problem']}/{fields.get('label') or fields['optimizer']}"
            for fields in setup["benchmarks"]
        ]
        self._done = [0] * len(self._names)
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [side.python, "-P", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=side.folder,
            env={
                **git.untied(),
                cache.VARIABLE: str(cache.folder().absolute()),
                **({"OPTBENCH_OFFLINE": "1"} if offline else {}),
            },
            start_new_session=True,  # Ctrl-C is answered here, not by every worker
        )
        paths = {"paths": side.paths, "others": side.others}
        named = {name: [str(path) for path in folders] for name, folders in paths.items()}
        try:
            self._write({**named, **setup})
        except BaseException:  # an interruption among them: nobody else knows of the process yet
            self._end()
            raise

    def __enter__(self) -> "Worker":
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # and whatever the code under test started
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # what was still to be written is lost
                stream.close()

    @property
    def process_id(self) -> int:
        """Of the process."""
        return self._process.pid

    def ready(self) -> dict[str, Any]:
        """What the worker says of itself, once its benchmarks are built; see ``Measuring``.

        A benchmark whose process ended meanwhile has an ``error``, as one whose code raised.

        Raises:
            SideError: It crashed.
        """
        described = self._read()
        if "exit_code" in described:
            raise self._crashed("", described)
        for state in described["benchmarks"]:
            if "exit_code" in state:
                state |= {"error": f"it crashed {_end(state)}", "traceback": state["said"]}
        return described

    def block(
        self, benchmark: int, warm: int, iterations: int, delay: tuple[str, float] | None = None
    ) -> list[list[float]]:
        """Seconds per phase of each iteration of a block.

        Args:
            benchmark: Which of the benchmarks that the worker was set up with.
            warm: Iterations beforehand that are not timed.
            iterations: Iterations that are.
            delay: A phase and seconds by which to lengthen it, for calibration.

        Raises:
            BenchmarkError: It crashed or raised.
            SideError: The whole side did.
        """
        block = {"benchmark": benchmark, "warm": warm, "iterations": iterations, "delay": delay}
        rows: list[list[float]] = self._asked(block)["phases_s"]
        self._done[benchmark] += warm + iterations
        return rows

    def survey(self, benchmark: int, iterations: int) -> tuple[list[int], list[list[float]]]:
        """How many operations each of some more iterations calls, and its seconds per phase.

        Args:
            benchmark: Which of the benchmarks that the worker was set up with.
            iterations: How many.

        Raises:
            BenchmarkError: It crashed or raised.
            SideError: The whole side did.
        """
        answer = self._asked({"benchmark": benchmark, "survey": iterations})
        self._done[benchmark] += iterations
        return answer["operations"], answer["phases_s"]

    def loaded(self, benchmark: int) -> list[Path]:
        """Files of the side's folders that a benchmark's process has loaded."""
        return [
            Path(name) for name in self._asked({"benchmark": benchmark, "loaded": True})["files"]
        ]

    def done(self, benchmark: int) -> int:
        """How many iterations a benchmark has run."""
        return self._done[benchmark]

    def _asked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self._names[request["benchmark"]]
        self._write(request, name)
        answer = self._read(name)
        if "exit_code" in answer:
            raise self._crashed(name, answer, BenchmarkError)
        if "error" in answer:
            raise failure(f"{self.side.name} failed in {name}", answer)
        return answer

    def _write(self, message: Mapping[str, Any], doing: str = "") -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._lost(doing) from None

    def _read(self, doing: str = "") -> dict[str, Any]:
        assert self._process.stdout is not None
        # Nothing is ever left in the buffer: there is one line for each request.
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            where = f" in {doing}" if doing else " while it started"
            raise SideError(f"{self.side.name} has not answered for {PATIENCE_S:.0f} s{where}")
        line = self._process.stdout.readline()
        if not line:
            raise self._lost(doing)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _lost(self, doing: str) -> SideError:
        code = self._process.wait()
        self._errors.seek(0)
        return self._crashed(doing, {"exit_code": code, "said": self._errors.read()})

    def _crashed(
        self, doing: str, ended: Mapping[str, Any], kind: type[SideError] = SideError
    ) -> SideError:
        where = f" in {doing}" if doing else ""
        error = kind(f"{self.side.name} crashed{where} {_end(ended)}")
        error.add_note(ended["said"])
        return error


def _end(ended: Mapping[str, Any]) -> str:
    """How a process ended, and what it said at last."""
    code: int = ended["exit_code"]
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"({how}): {_last_words(ended['said'])}"


def failure(what: str, answer: Mapping[str, Any], hint: str = "") -> BenchmarkError:
    """The error for what a worker answered; its traceback goes into the notes, for ``--debug``.

    Args:
        what: What failed.
        answer: With ``error``, and a ``traceback`` if it has one.
        hint: What may be the reason.
    """
    error = BenchmarkError(f"{what}: {' '.join(answer['error'].split())}{hint}")
    error.add_note(answer.get("traceback", ""))
    return error


def _last_words(text: str) -> str:
    """What a process that crashed said at last: of a fatal error, what and where it was."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "it said nothing"
    fatal = next((at for at, line in enumerate(lines) if line.startswith("Fatal Python")), None)
    if fatal is None:
        return short(lines[-1], _SAID)
    place = next((line for line in lines[fatal:] if line.startswith("File ")), "")
    return short(f"{lines[fatal]} {place}", _SAID)
