"""A scratch git repository with an optimizer in it, for examples of ``history`` and ``regress``."""

import subprocess
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
_IDENTITY = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")


def create(folder: Path) -> None:
    """An empty repository."""
    call(folder, "git", "init", "-q", "-b", "main")


def commit(folder: Path, source: str, message: str) -> None:
    """Commit the module ``mine``."""
    (folder / "mine.py").write_text(source)
    call(folder, "git", "add", "mine.py")
    call(folder, "git", *_IDENTITY, "commit", "-q", "-m", message)


def call(folder: Path, *command: str, fine: tuple[int, ...] = (0,)) -> str:
    """Run a command there; what it prints.

    Raises:
        CalledProcessError: Its exit code is none of the fine ones.
    """
    finished = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if finished.returncode not in fine:
        finished.check_returncode()
    return finished.stdout
