"""Phases of training timed in rounds, in the state that training leaves them in."""

import time
from collections.abc import Callable

import torch

from bench.runs.record import PHASES
from bench.training.iteration import Training

ITERATION = "iteration"  # all phases in a row, data included


class PhaseRounds:
    """Runs a training loop of which each round times one phase, or the whole iteration.

    ``set_up`` runs whatever comes between the end of the last timed phase and the start of the
    next: ``backward``, say, is always timed right after the forward pass of a fresh mini-batch,
    with the parameters of the last step. What is outside the clock of the training loop is so here.
    """

    def __init__(self, training: Training, phase: str) -> None:
        """Time a phase.

        Args:
            training: The model in training; its optimizer needs no closure.
            phase: ``forward``, ``backward``, ``step`` or ``iteration``.
        """
        self._order: list[Callable[[], None]] = [
            training.draw,
            training.forward,
            training.backward,
            training.step,
            training.judge,
        ]
        whole = phase == ITERATION
        self._first, self._timed = (0, len(PHASES)) if whole else (PHASES.index(phase), 1)
        self._next = 0

    def set_up(self) -> None:
        """Finish the last iteration, and run the next one up to what is timed."""
        while self._next != self._first:
            self._advance()

    def run(self) -> None:
        """Run what is timed."""
        for _ in range(self._timed):
            self._advance()

    def _advance(self) -> None:
        self._order[self._next]()
        self._next = (self._next + 1) % len(self._order)


def synchronised_timer() -> float:
    """Seconds now, after all work on the GPU that was enqueued before is done."""
    torch.cuda.synchronize()
    return time.perf_counter()
