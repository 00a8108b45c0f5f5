"""How steady the machine was while a session ran, from its own yardsticks."""

from collections.abc import Sequence

from bench.comparison.summary import yardstick_blocks_s
from bench.runs.record import RunRecord

_STEADY = 1.10


def verdict(yardsticks: Sequence[RunRecord]) -> str:
    """One honest sentence on how much the timings can be trusted.

    Args:
        yardsticks: The plain-gradient records of a session; they were measured all through it.
    """
    blocks = yardstick_blocks_s(yardsticks)
    if len(blocks) < 2:
        return "Timings: too few plain-gradient measurements to tell how steady the machine was."
    low, high = min(blocks), max(blocks)
    measured = (
        f"the plain gradient took {1e3 * low:.3g} to {1e3 * high:.3g} ms in {len(blocks)} "
        "measurements spread over the session"
    )
    if high <= _STEADY * low:
        return f"Timings were steady: {measured}."
    return (
        f"Timings may be unstable: {measured}. Ratios below {high / low:.2f} mean little; "
        "'optbench doctor' tells what disturbs this machine."
    )
