"""Simulated rankings: false where labels are equal, found where one is better."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.evidence import ranking_simulation as simulation
from tests.bench.evidence.scripts import call


def test_rules_judge_a_clear_case_alike() -> None:
    costs = np.array([[0.0, 0.1, 0.2], [9.0, 9.1, 9.3], [0.0, 0.1, 0.2]])
    for judge in simulation.RULES.values():
        best, worse = judge(costs)
        assert (best, worse.tolist()) == (0, [False, True, False])


@pytest.mark.parametrize("noise", simulation.NOISE)
def test_noise_has_no_mean_but_what_makes_it_so(noise: str) -> None:
    drawn = simulation.NOISE[noise](np.random.default_rng(0), (4, 50_000))
    assert abs(drawn.mean() - (0.5 if noise == "stuck" else 0)) < 0.05


def test_shares_are_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulation, "SIZES", ((2, 3), (6, 5)))
    call(simulation.main, monkeypatch, "--trials", "50", "--output", str(tmp_path))
    table = pd.read_csv(tmp_path / "ranking.csv")
    assert len(table) == 2 * len(simulation.NOISE)
    shares = table.drop(columns=["noise", "labels", "seeds"])
    assert shares.min().min() >= 0
    assert shares.max().max() <= 1
    stuck = table[(table["noise"] == "stuck") & (table["labels"] == 6)].iloc[0]
    assert stuck["equal, old"] > stuck["equal, new"]
    said = capsys.readouterr().out
    low, high = shares["equal, new"][table["noise"] == "normal"].agg(["min", "max"])
    assert f"normal, equal, new: {low:.3f} to {high:.3f}" in said
