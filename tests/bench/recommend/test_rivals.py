"""Labels at their recommended settings, one against another, paired over seeds."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from bench.recommend.recommendation import recommend
from bench.recommend.rivals import rivals
from tests.bench.recommend import cases


def test_rivals_are_paired_over_seeds() -> None:
    own = recommend(cases.line({0.1: (0.10, 0.20, 0.40)}, label="ggn"))
    other = recommend(cases.line({0.1: (0.20, 0.38, 0.84), 1.0: (0.9, 0.9, 0.9)}, label="sgd"))
    (found,) = rivals(own, [other])
    differences = np.log([0.10 / 0.20, 0.20 / 0.38, 0.40 / 0.84])
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.effect == pytest.approx(math.exp(differences.mean()), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)
    assert (found.verdict, found.own_cells, found.cells, found.seeds) == ("better", 1, 2, 3)


def test_the_best_rival_comes_first_and_one_seed_decides_nothing() -> None:
    own = recommend(cases.line({0.1: (0.9,)}, label="ggn", measure=cases.ACCURACY))
    good = recommend(cases.line({0.1: (0.95,)}, label="adam", measure=cases.ACCURACY))
    bad = recommend(cases.line({0.1: (0.5,)}, label="sgd", measure=cases.ACCURACY))
    lost = recommend(cases.line({0.1: ()}, label="lost", measure=cases.ACCURACY, of=1))
    found = rivals(own, [bad, lost, good])
    assert [rival.rival for rival in found] == ["adam", "sgd"]
    assert [rival.verdict for rival in found] == ["undecided", "undecided"]
    assert json.loads(json.dumps(found[0].to_json(), allow_nan=False))["low"] is None


def test_rivals_of_another_measure_are_refused() -> None:
    own = recommend(cases.line({0.1: (0.9, 0.8)}, label="ggn", measure=cases.ACCURACY))
    with pytest.raises(ValueError, match="ggn is judged by val_accuracy, sgd by val_loss"):
        rivals(own, [recommend(cases.line({0.1: (0.9, 0.8)}))])
