"""What workers are told to do in tests: importable, since they are processes of their own."""

import os
import signal
import time
from pathlib import Path

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
