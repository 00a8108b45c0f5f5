"""Performance profiles: how often each solver is within a factor of the best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Performance profiles as step functions; see :func:`profile`.

    Attributes:
        ratios: Where any of them steps: all finite ratios to the best, ascending from 1, ``[k]``.
        shares: Share of the instances that a solver solves within each ratio, ``[k, solvers]``. It
            holds from that ratio up to the next; the last one is the share that it solves at all.
            All zero without an instance.
        instances: How many instances some solver solves: what the shares are of.
        unsolved: How many instances no solver solves; they are left out.
    """

    ratios: NDArray[np.float64]
    shares: NDArray[np.float64]
    instances: int
    unsolved: int


def profile(times: ArrayLike) -> Profile:
    r"""Performance profiles of solvers over instances.

    With the time :math:`t_{is}` of solver s on instance i of n,

    .. math::
        r_{is} = t_{is} / \min_{s'} t_{is'}, \qquad
        \rho_s(\tau) = \#\{i : r_{is} \le \tau\} / n.

    Where the best time is 0, other times of 0 have the ratio 1, and longer ones are misses.

    Source: Dolan and Moré, "Benchmarking optimization software with performance profiles", Math.
    Program. 91 (2002).

    Args:
        times: What each solver needed, infinite if it never succeeded, ``[instances, solvers]``.

    Raises:
        ValueError: It is not a table with a solver, or a time is negative or NaN.
    """
    needed = np.asarray(times, dtype=float)
    if needed.ndim != 2 or not needed.shape[1]:
        raise ValueError(f"times has shape {needed.shape}: it is [instances, solvers], 1 or more.")
    if not (needed >= 0).all():
        raise ValueError("A time is negative or NaN: times are at least 0, misses are infinite.")
    solved = needed[np.isfinite(needed).any(axis=1)]
    least = solved.min(axis=1, keepdims=True)
    ratios = np.where(solved == 0, 1.0, np.inf)
    with np.errstate(over="ignore"):  # a ratio too large for a float is a miss
        np.divide(solved, least, out=ratios, where=least > 0)
    steps = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    counts = [np.searchsorted(np.sort(column), steps, side="right") for column in ratios.T]
    return Profile(
        ratios=steps,
        shares=np.stack(counts, axis=1) / max(1, len(solved)),
        instances=len(solved),
        unsolved=len(needed) - len(solved),
    )
