"""The tutorial's configuration, and intervals of paired ratios."""

import numpy as np
import pytest
from scipy import stats

from bench.evidence import tutorial
from bench.runs.spec import RunSpec


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_an_interval_of_ratios_is_students_of_their_logarithms(confidence: float) -> None:
    ratios = np.random.default_rng(0).lognormal(0.2, 0.3, 7).tolist()
    middle, low, high = tutorial.ratio_interval(ratios, confidence)
    expected = stats.ttest_1samp(np.log(ratios), 0).confidence_interval(confidence)
    assert middle == pytest.approx(stats.gmean(ratios), rel=1e-12)
    assert (low, high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)), rel=1e-12)


def test_every_printed_point_is_within_the_run() -> None:
    assert RunSpec(**tutorial.RUN).iterations == tutorial.ITERATIONS
    assert max(tutorial.PRINTED) < tutorial.ITERATIONS
    assert all(loss > 0 and 0 <= accuracy <= 1 for loss, accuracy in tutorial.PRINTED.values())
