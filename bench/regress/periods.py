"""Work that comes round in only some iterations, such as refreshing a curvature.

Blocks have to hold such work in the same proportion, or what is done in every thirtieth iteration
looks like a disturbance. It is found by counting operations, which no noise reaches.
"""

from collections.abc import Sequence

_SETTLED = 3  # iterations after which an optimizer has made its buffers


def period(counts: Sequence[int]) -> int | None:
    r"""The smallest k with :math:`c_n = c_{n+k}` for all iterations n but the first three.

    Args:
        counts: Operations of each iteration, from the first on.

    Returns:
        1 if all iterations are alike; ``None`` if they are not and no period is seen twice.
    """
    settled = list(counts[_SETTLED:])
    if len(set(settled)) <= 1:
        return 1
    for k in range(2, len(settled) // 2 + 1):
        if settled[k:] == settled[:-k]:
            return k
    return None
