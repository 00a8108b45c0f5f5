"""A history with one real change: sessions of ``optbench run`` before and after a slow commit.

A scratch repository holds an optimizer; half of the sessions run before, half after a commit that
makes its step clone every gradient thirty times.

    python -m bench.suite.history_example --sessions 16 --output results/reference/history
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OPTIMIZER = '''
import torch


class Mine(torch.optim.Optimizer):
    """Gradient descent."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                parameter.sub_(gradient, alpha=group["lr"])
'''
SLOW = OPTIMIZER.replace("parameter.grad\n", "[parameter.grad.clone() for _ in range(30)][-1]\n")


def main() -> None:
    """Make the repository, run the sessions, draw the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _call(folder, "git", "init", "-q", "-b", "main")
        for session in range(options.sessions):
            if session in (0, options.sessions // 2):
                source, message = (OPTIMIZER, "add Mine") if not session else (SLOW, "copy more")
                (Path(folder) / "mine.py").write_text(source)
                _call(folder, "git", "add", "mine.py")
                identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
                _call(folder, "git", *identity, "commit", "-q", "-m", message)
            _call(
                folder, sys.executable, "-m", "bench", "run", "-p", "mnist_mlp", "-o", "mine:Mine",
                "--seeds", "1", "--fresh", "--eval-every", "0",
            )  # fmt: skip
            print(f"session {session + 1} of {options.sessions}", flush=True)
        print(_call(folder, sys.executable, "-m", "bench", "history"))
        for part in ("runs", "report"):
            made = Path(folder) / "results" / part
            shutil.copytree(made, options.output / part, dirs_exist_ok=True)


def _call(folder: str, *command: str) -> str:
    finished = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return finished.stdout


if __name__ == "__main__":
    main()
