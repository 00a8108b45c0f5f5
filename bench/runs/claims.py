"""Who runs what: of several clients on one results folder, each run is one's.

A claim is a lock on a file of the folder: whoever dies lets go of it. Where the system has no such
locks, everybody may run everything, which is only more work.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from bench.runs.store import runs_folder

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Claim:
    """A run that is this process's to run, until it is released."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let others have it; what they find stored meanwhile they need not run."""
        if fcntl is not None:
            self.path.unlink(missing_ok=True)
            os.close(self.descriptor)


def claim(results: Path, run_id: str) -> Claim | None:
    """Claim a run; ``None`` if somebody else has.

    Args:
        results: The results folder, which can be written.
        run_id: The run.
    """
    path = runs_folder(results) / f".{run_id}.claim"
    if fcntl is None:
        return Claim(path, -1)
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks
            return Claim(path, descriptor)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return Claim(path, descriptor)
        os.close(descriptor)  # of a file that was removed between the two: once more
