"""The structure of heat maps; how they look was judged by eye."""

import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle

from bench.recommend.recommendation import recommend
from bench.recommend.swept import Swept
from bench.report.figures import heat_map, sensitivity
from tests.bench.recommend import cases as cases
from tests.bench.report.figures.seen import drawn, legend, texts


def test_a_heat_map_has_damping_to_the_right_and_lr_upwards() -> None:
    axes = drawn(heat_map.heat_map(recommend(cases.valley()))).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("damping", "lr")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.3", "0.03", "0.003"]
    assert [tick.get_text() for tick in axes.get_xticklabels()][:2] == ["0.0001", "0.001"]


def test_a_heat_map_shows_scores_lost_and_dropped_cells() -> None:
    swept = cases.valley(halved=True)
    figure = drawn(heat_map.heat_map(recommend(swept)))
    shown = texts(figure)
    complete = [trial for trial in swept.trials if not trial.lost]
    assert sum("/3 div." in text for text in shown) == len(swept.trials) - len(complete)
    assert sum("22 it." in text for text in shown) == len(swept.dropped)
    hatched = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_hatch()]
    assert len(hatched) == len(swept.trials) - len(complete)
    assert {"recommended", "best mean", "dropped after so many iterations"} < set(legend(figure))


def test_the_plateau_is_outlined_where_it_ends() -> None:
    """Two neighbouring cells have six outer sides; the side between them is not drawn."""
    found = recommend(cases.line({0.1: (0.1, 0.12), 0.2: (0.11, 0.10), 0.3: (0.9, 0.9)}))
    assert len(found.plateau) == 2
    figure = drawn(heat_map.heat_map(found))
    (outline,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert len(outline.get_segments()) == 6


def test_further_hyperparameters_show_their_best() -> None:
    trials = [
        cases.trial({"lr": lr, "damping": damping, "momentum": momentum}, score, score)
        for lr in (0.1, 1.0, 10.0)
        for damping in (0.1, 1.0, 10.0)
        for momentum, score in ((0.0, 0.5), (0.9, 0.25))
    ]
    axes = {"lr": (0.1, 1.0, 10.0), "momentum": (0.0, 0.9), "damping": (0.1, 1.0, 10.0)}
    swept = Swept(label="x", optimizer="x", axes=axes, measure=cases.LOSS, trials=trials)
    figure = drawn(heat_map.heat_map(recommend(swept)))
    assert texts(figure) == ["0.250"] * 9
    assert figure.get_suptitle().endswith("best over momentum")


@pytest.mark.parametrize(
    "swept",
    [
        cases.line({0.1: (0.1, 0.2), 1.0: (0.3, 0.4)}),
        cases.line({0.1: (), 1.0: ()}, of=2),
        cases.line({0.1: (0.1, 0.1)}),
        cases.valley(measure=cases.ACCURACY, seeds=1),
        cases.scattered(),
    ],
    ids=["one axis", "all diverged", "one cell", "accuracy", "scattered"],
)
def test_every_kind_of_sweep_can_be_drawn(swept: Swept) -> None:
    found = recommend(swept)
    assert swept.label in drawn(heat_map.heat_map(found)).get_suptitle()
    assert swept.label in drawn(sensitivity.sensitivity([found], "lr")).axes[0].get_title()


def test_a_scattered_sweep_is_a_scatter_plot_on_logarithmic_axes() -> None:
    axes = drawn(heat_map.heat_map(recommend(cases.scattered()))).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_nothing_swept_cannot_be_mapped() -> None:
    swept = Swept(label="sgd", optimizer="sgd", axes={}, measure=cases.LOSS,
                  trials=[cases.trial({}, 0.1, 0.2)])  # fmt: skip
    with pytest.raises(ValueError, match="Nothing was swept of sgd"):
        heat_map.heat_map(recommend(swept))
