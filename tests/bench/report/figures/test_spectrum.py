"""Quantiles of the curvature as they are drawn."""

import math

import numpy as np
import pytest

from bench.report.figures import spectrum
from bench.runs.record import RunRecord
from tests.bench.records import made_record
from tests.bench.report.figures.seen import drawn, legend, texts

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
