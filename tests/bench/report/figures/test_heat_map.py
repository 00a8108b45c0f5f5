"""The figures' structure; how they look was judged by eye."""

import io
import math

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.recommend.recommendation import recommend
from bench.recommend.swept import Swept
from bench.report.figures import heat_map, sensitivity, spectrum
from bench.runs.record import RunRecord
from tests.bench.recommend import cases as cases
from tests.bench.records import made_record


def drawn(figure: Figure) -> Figure:
    figure.savefig(io.BytesIO(), format="svg")
    return figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


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


LEVELS = {f"q{level:02}": 10.0 ** (level / 25 - 6) for level in (1, 5, 25, 50, 75, 95, 99)}


def run(
    layers: list[str], *, label: str = "diag_ggn_mc", seed: int = 0, scale: float = 1.0,
    **fields: float,
) -> RunRecord:  # fmt: skip
    """A run whose diagonal does not change, with fields of its rows replaced."""
    levels = {name: scale * level for name, level in LEVELS.items()}
    row = {"damping": 0.01, "share": 0.2, "weighted_share": math.nan, **levels, **fields}
    curvature = [
        {"iteration": iteration, "layer": layer, **row}
        for iteration in (0, 20, 40)
        for layer in [*layers, "all"]
    ]
    hyperparameters = {"lr": 0.05, "damping": 0.01}
    return made_record(label=label, seed=seed, hyperparameters=hyperparameters, curvature=curvature)


def test_a_spectrum_has_a_panel_for_all_and_one_per_layer() -> None:
    figure = drawn(spectrum.spectrum([run(["conv1", "fc"])]))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["all parameters", "conv1", "fc"]
    assert figure.get_suptitle() == "diag_ggn_mc, lr=0.05, damping=0.01"
    assert figure.axes[0].get_yscale() == "log"
    assert legend(figure) == ["median", "25 to 75 %", "5 to 95 %", "1 to 99 %", "damping"]


def test_of_many_layers_an_even_choice_is_shown() -> None:
    figure = drawn(spectrum.spectrum([run([f"layer{k}" for k in range(11)])]))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["all parameters", "layer0", "layer2", "layer5", "layer8", "layer10"]
    assert figure.get_suptitle().endswith("5 of 11 layers")


def test_a_spectrum_is_the_median_over_seeds() -> None:
    runs = [run(["fc"], seed=seed, scale=scale) for seed, scale in enumerate((1.0, 2.0, 50.0))]
    figure = drawn(spectrum.spectrum(runs))
    median = np.asarray(figure.axes[0].lines[0].get_ydata())
    assert median == pytest.approx([2e-4] * 3)
    assert figure.get_suptitle().endswith("(medians over 3 seeds)")


def test_zeros_are_at_the_lower_edge_and_said_to_be() -> None:
    figure = drawn(spectrum.spectrum([run(["fc"], q01=0.0, q05=0.0)]))
    assert texts(figure) == ["smaller ones and zeros: lower edge"]
    figure = drawn(spectrum.spectrum([run(["fc"], scale=0.0)]))
    assert texts(figure) == ["no positive curvature"]


def test_missing_numbers_leave_gaps() -> None:
    drawn(spectrum.spectrum([run(["fc"], damping=math.nan, q50=math.nan)]))


def test_only_runs_of_one_setting_with_curvature_have_a_spectrum() -> None:
    with pytest.raises(ValueError, match="No run has curvature"):
        spectrum.spectrum([made_record()])
    with pytest.raises(ValueError, match="differ in label or settings"):
        spectrum.spectrum([run(["fc"]), run(["fc"], label="other")])
