"""The critical value that comparisons with one of many share."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_Z_NODES, _U_NODES = 48, 96


Array = NDArray[np.float64]


@lru_cache(maxsize=1024)
def critical_value(comparisons: int, degrees: int, confidence: float = CONFIDENCE) -> float:
    r"""One-sided Dunnett critical value for comparisons that correlate by one half.

    The root d of

    .. math::
        E_U\, E_Z\left[\Phi(Z + \sqrt 2\, d\, U)^{p}\right] = c,
        \qquad U = \sqrt{\chi^2_\nu / \nu},\ Z \sim N(0, 1),

    by Gauss-Hermite nodes for Z and Gauss-Legendre nodes for the quantiles of U.

    Source: Dunnett, "A multiple comparison procedure for comparing several treatments with a
    control", JASA 50 (1955).

    Args:
        comparisons: Number p of settings that are compared with one.
        degrees: Degrees of freedom of the pooled variance.
        confidence: Probability c that all comparisons hold.

    Raises:
        ValueError: There is no comparison, no degree of freedom, or no such probability.
    """
    from scipy.optimize import brentq
    from scipy.special import chdtri, ndtr

    if comparisons < 1 or degrees < 1 or not 0.5 <= confidence < 1:
        raise ValueError(
            f"comparisons={comparisons}, degrees={degrees}, confidence={confidence} are not valid: "
            "they are at least 1, at least 1, and a probability from 0.5 up to 1."
        )
    z, z_weights, levels, u_weights = _nodes()
    u = np.sqrt(chdtri(degrees, 1 - levels) / degrees)

    def missing(d: float) -> float:
        inside = ndtr(z[None, :] + math.sqrt(2) * d * u[:, None]) ** comparisons
        return float(u_weights @ inside @ z_weights) - confidence

    return float(brentq(missing, -1.0, 1e4, xtol=1e-6))


@lru_cache(maxsize=1)
def _nodes() -> tuple[Array, Array, Array, Array]:
    """Nodes and weights of a standard normal variable, and of a uniform one.

    The latter are dense near 0, where the quantile function of chi with few degrees is steep.
    """
    z, z_weights = np.polynomial.hermite_e.hermegauss(_Z_NODES)
    nodes, weights = np.polynomial.legendre.leggauss(_U_NODES)
    unit = (nodes + 1) / 2
    return z, z_weights / math.sqrt(2 * math.pi), unit**3, 1.5 * weights * unit**2
