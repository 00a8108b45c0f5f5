"""Scratch git repositories with an optimizer in them."""

import subprocess
import textwrap
from pathlib import Path

OPTIMIZER = """
    import torch


    class Mine(torch.optim.Optimizer):
        '''Gradient descent.'''

        def __init__(self, params, lr=0.01):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.sub_(parameter.grad, alpha=group["lr"])
"""


STEP = "            for group"


def stepping(statement: str) -> str:
    """The optimizer with a statement at the start of its step."""
    return OPTIMIZER.replace(STEP, f"            {statement}\n{STEP}")


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, message: str, **modules: str) -> str:
    """Write modules and commit them; the commit's hash."""
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source).lstrip())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def made(folder: Path, **modules: str) -> Path:
    """A repository whose first commit holds modules."""
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "first", **modules)
    return folder
