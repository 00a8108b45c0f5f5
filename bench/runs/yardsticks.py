"""Plain-gradient runs: what times are held against, and how steady they were."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec

YARDSTICK_WARMUP = 5


def yardstick_blocks_s(yardsticks: Sequence[RunRecord]) -> list[float]:
    """Seconds per plain gradient of each yardstick run: the median, which bursts do not move."""
    return [float(np.median(_gradients([one]))) for one in yardsticks if len(one.seconds)]


class Yardsticks:
    """Plain-gradient runs, to be found by the training runs that they stand around."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        """Index records by session and time.

        Args:
            records: Plain-gradient records; empty ones are left out.
        """
        sessions: dict[str, list[RunRecord]] = {}
        for record in sorted(records, key=lambda record: record.started_at):
            if len(record.seconds):
                sessions.setdefault(record.session, []).append(record)
        self._sessions: dict[str, tuple[list[datetime], list[RunRecord]]] = {
            session: ([record.started_at for record in own], own)
            for session, own in sessions.items()
        }

    def around(self, record: RunRecord) -> float:
        """Seconds of a plain gradient right before and after a run: drift hits both alike.

        Args:
            record: A training run.

        Returns:
            The mean of the session's yardsticks next to it; NaN if it has none.
        """
        starts, own = self._sessions.get(record.session, ([], []))
        place = bisect.bisect_right(starts, record.started_at)
        near = own[max(0, place - 1) : place + 1]
        return plain_gradient_s(near) if near else math.nan


def plain_gradient_s(yardsticks: Sequence[RunRecord]) -> float:
    """Seconds of a plain gradient: forward and backward, warmed up.

    The mean over iterations, as of the runs that are held against it: a mean over a median would
    be too large by what bursts add, which is 1 to 5 %.
    """
    return float(np.mean(_gradients(yardsticks)))


def _gradients(yardsticks: Sequence[RunRecord]) -> NDArray[np.float64]:
    """Seconds of forward and backward of each iteration but the first few."""
    gradients = [r.values["forward_s"] + r.values["backward_s"] for r in yardsticks]
    warm = [run[min(YARDSTICK_WARMUP, len(run) // 2) :] for run in gradients]
    return np.concatenate(warm)


PLAIN_GRADIENT = "optimizers.plain_gradient:PlainGradient"
YARDSTICK_S = 0.5


def yardstick_spec(spec: RunSpec) -> RunSpec:
    """The plain-gradient run that a training run is measured against: same model, no curvature."""
    return replace(
        spec,
        optimizer=PLAIN_GRADIENT,
        label="plain gradient",
        hyperparameters={},
        groups=(),
        step="",
        role="plain_gradient",
        iterations=None,
        seconds=YARDSTICK_S,
        until=None,
        eval_every=0,
        curvature_every=0,
    )


_STEADY = 1.10


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """How steady the machine was while a session ran, from its own yardsticks.

    Attributes:
        low_s: The fastest plain gradient of a yardstick run; NaN without one.
        high_s: The slowest.
        count: How many yardstick runs there are.
    """

    low_s: float
    high_s: float
    count: int

    @property
    def unsteady(self) -> bool:
        """Whether the yardsticks differ so much that times mean little."""
        return self.count > 1 and self.high_s > _STEADY * self.low_s

    @property
    def sentence(self) -> str:
        """One honest sentence on how much the timings can be trusted."""
        if self.count < 2:
            return (
                "Timings: too few plain-gradient measurements to tell how steady the machine was."
            )
        measured = (
            f"the plain gradient took {1e3 * self.low_s:.3g} to {1e3 * self.high_s:.3g} ms in "
            f"{self.count} measurements spread over the session"
        )
        if not self.unsteady:
            return f"Timings were steady: {measured}."
        return (
            f"Timings may be unstable: {measured}. Ratios below {self.high_s / self.low_s:.2f} "
            "mean little; 'optbench doctor' tells what disturbs this machine."
        )


def steadiness(yardsticks: Sequence[RunRecord]) -> Steadiness:
    """How steady a session was.

    Args:
        yardsticks: Its plain-gradient records, which were measured all through it.
    """
    blocks = yardstick_blocks_s(yardsticks)
    low, high = min(blocks, default=math.nan), max(blocks, default=math.nan)
    return Steadiness(low_s=low, high_s=high, count=len(blocks))
