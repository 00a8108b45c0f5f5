"""What workers are told to do in tests: importable, since they are processes of their own."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from bench.sweeps.workers import Finished
from optimizers import UsageError


def double(number: int) -> int:
    return 2 * number


def die(number: int, *, folder: str, culprit: int, always: bool) -> int:
    """Double a number; the culprit kills its own process, always or the first time only."""
    time.sleep(0.05)
    marker = Path(folder) / "died"
    if number == culprit and (always or not marker.exists()):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path(folder, f"ran-{number}-{time.monotonic_ns()}").touch()
    return 2 * number


def refuse(number: int) -> int:
    raise UsageError(f"{number} is not valid.")


def calls(count: int) -> list[tuple[int, tuple[int]]]:
    return [(number, (number,)) for number in range(count)]


def results(found: list[Any]) -> dict[int, int]:
    return {one.key: one.result for one in found if isinstance(one, Finished)}
