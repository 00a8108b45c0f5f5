"""A history with one real change: sessions of ``optbench run`` before and after a slow commit.

A scratch repository holds an optimizer; half of the sessions run before, half after a commit that
makes its step clone every gradient thirty times.

    python -m bench.evidence.history_example --sessions 16 --output results/reference/history
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from bench.evidence import scratch

SLOW = scratch.OPTIMIZER.replace(
    "parameter.grad\n", "[parameter.grad.clone() for _ in range(30)][-1]\n"
)


def main() -> None:
    """Make the repository, run the sessions, draw the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scratch.create(folder)
        for session in range(options.sessions):
            if session == 0:
                scratch.commit(folder, scratch.OPTIMIZER, "add Mine")
            if session == options.sessions // 2:
                scratch.commit(folder, SLOW, "copy more")
            scratch.call(
                folder, sys.executable, "-m", "bench", "run", "-p", "mnist_mlp", "-o", "mine:Mine",
                "--seeds", "1", "--fresh", "--eval-every", "0",
            )  # fmt: skip
            print(f"session {session + 1} of {options.sessions}", flush=True)
        print(scratch.call(folder, sys.executable, "-m", "bench", "history"))
        for part in ("runs", "report"):
            shutil.copytree(folder / "results" / part, options.output / part, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
