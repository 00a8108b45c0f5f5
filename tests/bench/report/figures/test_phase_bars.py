"""Bars of the time by phase."""

import numpy as np
from matplotlib.patches import Rectangle

from bench.report.figures import axes, phase_bars
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record
from tests.bench.report.figures.seen import first, three


def test_bars_are_medians_of_phases() -> None:
    records = [
        made_record(seed=seed, minutes=seed, phase_s=(0.001, 0.002, backward, 0.004))
        for seed, backward in enumerate([0.003, 0.005, 0.010])
    ]
    one = analysed(records)
    figure = phase_bars.phase_bars(one, axes.items(one, axes.series([one])), "stem")
    assert figure is not None
    patches = first([figure]).axes[0].patches
    bars = [patch.get_width() for patch in patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(bars, [1, 2, 5, 4])
    assert phase_bars.phase_bars(analysed(three(shared=True)), [], "stem") is None
