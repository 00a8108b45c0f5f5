"""Where the level of a series changes for good."""

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.launches import THRESHOLD

MIN_SEGMENT = 4  # points on either side of a change: one spike, or two, are not one
_PENALTY = 2.5


def change_points(values: ArrayLike, threshold: float = THRESHOLD) -> list[int]:
    r"""Where the level of a series of positive numbers changes.

    PELT (Killick, Fearnhead and Eckley, JASA 107, 2012) on their logarithms, with absolute
    deviations from the median as cost: a spike costs the same in whatever segment it lies, so that
    it makes no change point. The penalty of a change is :math:`2.5 \sigma \log n`, with
    :math:`\sigma` from the median absolute difference of neighbours. Fewer than four points at a
    level of their own are no change, nor is one below the threshold. Points scatter independently
    in this model: a slow drift reads as one change or several.

    Args:
        values: By time.
        threshold: The smallest change of the median that counts, as a share.

    Returns:
        Index of the first point after each change; none where a value is not positive.
    """
    import ruptures

    if len(series := np.asarray(values, dtype=float)) < 2 * MIN_SEGMENT or (series <= 0).any():
        return []
    logs = np.log(series)
    sigma = 1.4826 * np.median(np.abs(np.diff(logs))) / np.sqrt(2)
    penalty = _PENALTY * max(float(sigma), 1e-9) * np.log(len(logs))
    search = ruptures.Pelt(model="l1", min_size=2, jump=1).fit(logs)
    ends = [int(end) for end in search.predict(pen=penalty)]
    while len(ends) > 1:
        starts = [0, *ends[:-1]]
        medians = [np.median(logs[a:b]) for a, b in zip(starts, ends, strict=True)]
        steps = np.abs(np.diff(medians))
        sizes = np.diff([0, *ends])
        if sizes.min() < MIN_SEGMENT:  # too short a segment joins the neighbour that is more alike
            short = int(sizes.argmin())
            left = steps[short - 1] if short > 0 else np.inf
            right = steps[short] if short < len(steps) else np.inf
            del ends[short - 1 if left <= right else short]
        elif steps.min() <= np.log1p(threshold):  # and so do those that differ too little
            del ends[int(steps.argmin())]
        else:
            break
    return ends[:-1]
