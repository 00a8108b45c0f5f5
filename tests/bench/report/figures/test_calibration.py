"""The figure of a calibration shows what the procedure found, by the time that it took."""

from pathlib import Path

import pytest

from bench.regress.calibration import judgements as judging
from bench.regress.calibration.trials import Settings
from bench.report.figures import calibration as figure
from tests.bench.regress.calibration.trials import made_settings, made_trial


@pytest.fixture
def settings() -> Settings:
    return made_settings()


def test_power_by_time_is_the_procedures_own(settings: Settings) -> None:
    """At the full budget, the curve has the alarms of the table."""
    trials = [made_trial(number, settings, 0.02) for number in range(30)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    curve = figure.power_by_time(trials, settings)
    for row in judging.rows(judgements):
        last = curve[curve["delay"] == row["delay"]].iloc[-1]
        slower = sum(j.slower for j in judgements if j.delay == row["delay"])
        assert last["share"] == slower / row["comparisons"]
    assert curve["share"].between(0.01, 0.99).any()


def test_figure_and_judgements_are_written(settings: Settings, tmp_path: Path) -> None:
    trials = [made_trial(number, settings, 0.01) for number in range(4)]
    judgements = [j for trial in trials for j in judging.judge(trial, settings)]
    figure.write(tmp_path, trials, judgements, settings)
    assert (tmp_path / "calibration.png").stat().st_size > 10_000
    assert len((tmp_path / "judgements.csv").read_text().splitlines()) == 17
