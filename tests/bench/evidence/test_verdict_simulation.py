"""Simulated comparisons of two sides: what verdicts say where the truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.evidence import verdict_simulation as simulation
from bench.regress.calibration import trials as calibration
from tests.bench.evidence.scripts import call
from tests.bench.regress.calibration.trials import made_settings, made_trial


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A calibration of two trials with ten iterations a block."""
    (tmp_path / "trials").mkdir()
    for number in range(2):
        calibration._store(made_trial(number, made_settings(), 0.01), tmp_path)
    return tmp_path


@pytest.mark.parametrize("noise", simulation.NOISE)
def test_made_up_blocks_are_those_of_an_iteration_on_both_sides(noise: str) -> None:
    generator = np.random.default_rng(0)
    drawn = np.stack([simulation.NOISE[noise](generator) for _ in range(20)])
    assert drawn.shape[1:] == (simulation.LAUNCHES, simulation.TURNS, 2, simulation.ITERATIONS, 4)
    medians = np.median(drawn, axis=(0, 1, 2, 4))
    np.testing.assert_allclose(medians, np.stack([simulation.BASE_S] * 2), rtol=0.05)


def test_measured_blocks_are_stored_ones_with_either_side_as_base(folder: Path) -> None:
    pool = np.concatenate([trial.blocks[:, :, 0] for trial in calibration.load(folder)])
    drawn = simulation.measured(folder)(np.random.default_rng(0))
    both = {launch.tobytes() for one in pool for launch in (one, one[:, ::-1])}
    assert {launch.tobytes() for launch in drawn} <= both
    straight = {launch.tobytes() for launch in pool}
    assert 0 < sum(launch.tobytes() in straight for launch in drawn) < simulation.LAUNCHES


@pytest.mark.parametrize(
    ("change", "share", "tolerance"),
    [
        ("none", 0.0, 1e-9),
        ("all phases by the threshold", 0.025, 1e-9),
        ("+5 % in a phase", 0.05, 1e-9),
        ("+5 % in the step, 1 in 10", 0.05, 0.01),
        ("+5 % in the step, 1 in 50", 0.05, 0.02),
    ],
)
def test_a_change_is_as_large_as_it_is_called(change: str, share: float, tolerance: float) -> None:
    blocks = np.ones((simulation.LAUNCHES, 20, 2, simulation.ITERATIONS, 4))
    changed = (
        simulation.CHANGES[change](np.random.default_rng(1), blocks, 0).sum(-1).mean((0, 1, 3))
    )
    assert changed[1] / changed[0] - 1 == pytest.approx(share, abs=tolerance)


def test_rules_judge_a_clear_case_alike() -> None:
    """A quarter more in the step, in noise that is a twentieth of what is made up."""
    blocks = np.exp(np.random.default_rng(0).normal(0, 0.002, (simulation.LAUNCHES, 4, 2, 10, 4)))
    blocks[:, :, 1, :, 3] *= 1.25
    expected = ["unchanged", "unchanged", "slower", "slower"]
    assert simulation.old_rule(blocks) == simulation.new_rule(blocks) == expected
    assert simulation.each_look(blocks) == ["unchanged", "unchanged", "undecided", "undecided"]


def test_shares_are_printed_and_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulation, "LINES", (12,))
    options = ("--trials", "40", "--calibration", str(folder), "--output", str(folder))
    call(simulation.main, monkeypatch, *options)
    table = pd.read_csv(folder / "verdicts.csv")
    assert len(table) == (1 + len(simulation.NOISE)) * len(simulation.CHANGES)
    shares = table.drop(columns=["noise", "change"])
    assert shares.min().min() >= 0
    assert shares.max().max() <= 1
    still = table[(table["change"] == "none") & (table["noise"] == "normal")].iloc[0]
    old, new = (
        np.mean([still[f"unchanged {quantity}, {rule}"] for quantity in simulation.QUANTITIES])
        for rule in ("old", "new")
    )
    assert new > old + 0.1
    files = pd.read_csv(folder / "files.csv")
    alike = files[(files["unlike"] == 0.1) & (files["noise"] == "normal")]
    assert (alike["width, new"] < 0.8 * alike["width, old"]).all()
    assert "\nnormal; none; alarm, old 0" in capsys.readouterr().out
