"""What the first server imports: torch and the training loop, with what torch imports late."""

import torch

from bench.training import following, loop, memory

__all__ = ["loop", "memory"]

following.project()  # read once for all

# The first optimizer of a process imports torch's compiler, which takes longer than torch itself.
torch.optim.Optimizer([torch.zeros(1)], {})
