"""Simulated histories: what is put into them, and what both rules say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.evidence import history_simulation as simulation
from tests.bench.evidence.scripts import call


@pytest.mark.parametrize("noise", simulation.NOISE)
def test_noise_scatters_by_two_percent_about_one_level(noise: str) -> None:
    generator = np.random.default_rng(0)
    drawn = np.concatenate([simulation.NOISE[noise](generator, 80) for _ in range(300)])
    quarters = np.subtract(*np.quantile(drawn, [0.75, 0.25]))
    assert 0.01 < quarters < 0.06
    if noise == "spikes":
        assert (drawn > 0.15).mean() == pytest.approx(0.15, abs=0.02)
    if noise == "related":
        series = simulation.NOISE[noise](generator, 5000)
        assert np.corrcoef(series[1:], series[:-1])[0, 1] == pytest.approx(0.5, abs=0.06)
        assert series.std() == pytest.approx(simulation.SCATTER, rel=0.1)


def test_shapes_are_what_they_are_called() -> None:
    assert not simulation.shaped("none", 20).any()
    assert np.exp(simulation.shaped("+10 % half-way", 20)).tolist() == pytest.approx(
        [1.0] * 10 + [1.1] * 10
    )
    assert np.exp(simulation.shaped("drift by 10 %", 20))[[0, -1]].tolist() == pytest.approx(
        [1, 1.1]
    )


def test_both_rules_find_a_clear_change_where_it_is() -> None:
    values = np.exp(0.001 * np.random.default_rng(0).standard_normal(20))
    values[10:] *= 1.2
    assert simulation.old_rule(values) == [10]
    assert simulation.change_points.course(values).changes[0].first == 10


def test_shares_are_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(simulation, "SESSIONS", (20,))
    call(simulation.main, monkeypatch, "--trials", "20", "--output", str(tmp_path))
    table = pd.read_csv(tmp_path / "histories.csv")
    assert len(table) == len(simulation.NOISE) * len(simulation.SHAPES)
    clear = table[(table["noise"] == "normal") & (table["shape"] == "+10 % half-way")].iloc[0]
    assert clear["found, new"] > 0.8
    assert "normal; none; 20; old 0." in capsys.readouterr().out
