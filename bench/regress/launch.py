"""A worker process seen from outside: started, asked, and always ended."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cache
from bench.regress import worker


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
    """

    name: str
    python: str
    paths: tuple[Path, ...]
    folder: Path
    others: tuple[Path, ...] = ()
    commit: str | None = None


class SideError(Exception):
    """A side did not start, crashed, or raised."""


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
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [side.python, "-P", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=side.folder,
            env={
                **os.environ,
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
        """What the worker says of itself, once its benchmarks are built."""
        return self._read()

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
            SideError: It crashed or raised.
        """
        block = {"benchmark": benchmark, "warm": warm, "iterations": iterations, "delay": delay}
        rows: list[list[float]] = self._asked(block)["phases_s"]
        return rows

    def operations(self, benchmark: int) -> list[int]:
        """How many operations each of some more iterations calls; they are not timed.

        Args:
            benchmark: Which of the benchmarks that the worker was set up with.

        Raises:
            SideError: It crashed or raised.
        """
        counts: list[int] = self._asked({"benchmark": benchmark})["operations"]
        return counts

    def _asked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._write(request)
        answer = self._read()
        if "error" in answer:
            raise SideError(f"{self.side.name} failed: {last_line(answer['error'])}")
        return answer

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._crashed() from None

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._crashed()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _crashed(self) -> SideError:
        code = self._process.wait()
        self._errors.seek(0)
        said = last_line(self._errors.read())
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return SideError(f"{self.side.name} crashed ({how}): {said}")


def last_line(text: str) -> str:
    """The last line that says something: of a traceback, the exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
