"""Lines of the score against one hyperparameter."""

import numpy as np
import pytest

from bench.recommend.recommendation import recommend
from bench.report.figures import sensitivity
from tests.bench.recommend import cases
from tests.bench.report.figures.seen import drawn, legend


def test_of_one_label_there_is_a_line_per_value_of_the_other_axis() -> None:
    figure = drawn(sensitivity.sensitivity([recommend(cases.valley())]))
    assert {"lr=0.003", "lr=0.03", "lr=0.3", "recommended", "runs lost"} <= set(legend(figure))


def test_of_many_values_the_best_seven_are_shown() -> None:
    swept = cases.valley(lrs=tuple(0.001 * 2.0**k for k in range(10)))
    figure = drawn(sensitivity.sensitivity([recommend(swept)]))
    assert sum(label.startswith("lr=") for label in legend(figure)) == sensitivity.MAX_LINES


def test_several_labels_have_a_profile_each_and_a_level_without_the_axis() -> None:
    found = [
        recommend(cases.valley()),
        recommend(cases.valley(label="diag_ggn_exact", seed=2)),
        recommend(cases.line({0.1: (0.1, 0.2, 0.15)})),
    ]
    figure = drawn(sensitivity.sensitivity(found))
    assert {"diag_ggn_mc", "diag_ggn_exact", "sgd (no damping)"} <= set(legend(figure))
    profile = next(x for x in figure.axes[0].lines if x.get_label() == "diag_ggn_mc")
    swept = found[0].swept
    best = {
        damping: min(swept.score(t) for t in swept.usable if t.settings["damping"] == damping)
        for damping in {t.settings["damping"] for t in swept.usable}
    }
    assert dict(np.asarray(profile.get_xydata()).tolist()) == pytest.approx(best)


def test_an_axis_that_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match="damping is no swept number"):
        sensitivity.sensitivity([recommend(cases.line({0.1: (0.1, 0.2)}))])
