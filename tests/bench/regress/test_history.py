"""History: points over time, where they change, and what the command says of it."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import errors
from bench.errors import UsageError
from bench.regress import history
from bench.runs import store
from bench.runs.record import RunRecord
from tests.bench.commands.typed import optbench
from tests.bench.records import made_record
from tests.bench.regress.baselines import document
from tests.bench.regress.sessions import ten_days


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return ten_days(tmp_path)


def test_settings_and_threads_are_series_of_their_own(results: Path) -> None:
    others: list[dict[str, Any]] = [{"settings": {"lr": 9}}, {"threads": 1}, {"dtype": "float64"}]
    for day, fields in enumerate(others):
        store.save(made_record(minutes=day, session="x", run_id=f"{day}", **fields), results)
    assert sorted(len(item.points) for item in history.load(results)) == [1, 1, 1, 10]


def test_runs_that_shared_the_machine_are_no_points(results: Path) -> None:
    (before,) = history.load(results)
    for day, role in enumerate(("training", "plain_gradient")):
        record = made_record(session="day 3", role=role, run_id=f"{day}", shared=True, minutes=day)
        store.save(record, results)
    (after,) = history.load(results)
    assert after.points.equals(before.points)


def test_points_without_commit_or_plain_gradient_do_no_harm(results: Path) -> None:
    for day, minutes in enumerate((1, 24 * 60 * 5 - 1)):  # beside the change
        record = made_record(losses=[1.0] * 20, minutes=minutes, session=f"bare {day}")
        store.save(record, results)
    (series,) = history.load(results)
    assert len(series.points) == 12
    assert series.judged == "relative"
    (change,) = series.changes
    assert series.points["when"][change.first] == change.when
    assert change.ratio == pytest.approx(1.45, rel=0.01)
    said = optbench("history")
    assert said.exit_code == 0, said.output
    assert "slow it down" in said.stdout


def test_files_of_the_suite_are_points_too_and_damaged_ones_are_named(
    results: Path,
) -> None:
    folder = results / "baselines" / "Linux"
    folder.mkdir(parents=True)
    (folder / "0001.json").write_text(json.dumps(document({"adam": 1.2})))
    (folder / "0002.json").write_text("{")
    with pytest.warns(errors.DamagedRecordWarning, match=r"0002.json"):
        series = history.load(results)
    (adam,) = [item for item in series if "(suite)" in item.name]
    assert adam.points["relative"].tolist() == [1.2]
    assert adam.changes == []


def test_series_that_would_be_called_alike_are_told_apart(tmp_path: Path) -> None:
    """Two machines, and two classes of one name in different packages."""
    for number, (optimizer, cpu) in enumerate(
        [("one.of:Mine", "a cpu"), ("another:Mine", "a cpu"), ("one.of:Mine", "b cpu")]
    ):
        path = tmp_path / "baselines" / f"{number}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document({optimizer: 1.0}, cpu=cpu, fingerprint=cpu[0])))
    names = [item.name for item in history.load(tmp_path)]
    start = "mnist_cnn/Mine, batch size 128, cpu (suite; optimizer"
    assert names == [
        f"{start} one.of:Mine; machine a cpu a)",
        f"{start} another:Mine; machine a cpu a)",
        f"{start} one.of:Mine; machine b cpu b)",
    ]


def test_a_drift_is_said_and_no_commit_is_blamed_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for day in range(24):
        factor = 1 + 0.02 * day
        record = made_record(
            phase_s=(0.001, 0.004 * factor, 0.004 * factor, 0.001), losses=[1.0] * 20,
            minutes=24 * 60 * day, session=f"day {day}", run_id=f"{day:016}",
        )  # fmt: skip
        store.save(record, tmp_path / "results")
    (series,) = history.load(tmp_path / "results")
    assert (series.changes, round(series.drift or 0, 1)) == ([], 1.4)
    said = " ".join(optbench("history").stdout.split())
    assert "drifts by +3" in said
    assert "unknown" not in said


def test_without_any_commit_none_is_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for day in range(16):
        record = made_record(
            phase_s=(0.001, 0.004, 0.004 * (2 if day >= 8 else 1), 0.001), losses=[1.0] * 20,
            minutes=24 * 60 * day, session=f"day {day}", run_id=f"{day:016}", commit=None,
        )  # fmt: skip
        store.save(record, tmp_path / "results")
    said = " ".join(optbench("history").stdout.split())
    assert " UTC" in said
    assert "commit" not in said


def made_sessions() -> list[RunRecord]:
    """Three sessions of two problems with two labels and their plain gradients, all different."""
    records: list[RunRecord] = []
    factors = iter(np.random.default_rng(0).uniform(1, 3, 100))
    for session, problem in itertools.product(("a", "b", "c"), ("mnist_cnn", "mnist_mlp")):
        for role, label in (
            ("training", "sgd"), ("training", "adam"), ("training", "adam"),
            ("plain_gradient", "plain gradient"), ("plain_gradient", "plain gradient"),
        ):  # fmt: skip
            phases = (0.001, *(0.003 * next(factors) for _ in range(3)))
            record = made_record(
                problem=problem, label=label, role=role, session=session, phase_s=phases,
                losses=[1.0] * 20, minutes=len(records), run_id=f"{len(records):016}",
            )  # fmt: skip
            records.append(record)
    return records


@pytest.mark.parametrize("phase", ["forward", "backward", "step", "total"])
def test_a_point_is_the_mean_time_and_its_ratio_to_the_session_s_plain_gradient(phase: str) -> None:
    records = made_sessions()
    found = history.series(records[::-1], [], phase)
    assert len(found) == 4
    for item in found:
        problem, label = item.points["problem"][0], item.points["label"][0]
        assert len(item.points) == 3
        for session, (_, point) in zip("abc", item.points.iterrows(), strict=True):
            here = [r for r in records if (r.session, r.config["problem"]) == (session, problem)]
            runs = [r for r in here if r.label == label]
            plain = [
                r.values["forward_s"] + r.values["backward_s"]
                for r in here
                if r.role == "plain_gradient"
            ]
            times = [r.seconds if phase == "total" else r.values[f"{phase}_s"] for r in runs]
            seconds = np.mean(times)
            assert point["seconds"] == pytest.approx(seconds)
            assert point["relative"] == pytest.approx(seconds / np.median(plain))


def test_a_session_s_plain_gradient_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs it is compared with: or time would grow with their square."""
    sizes: list[int] = []

    def counted(yardsticks: list[RunRecord]) -> float:
        sizes.append(len(yardsticks))
        return 0.01

    monkeypatch.setattr(history, "plain_gradient_s", counted)
    assert len(history.series(made_sessions(), [])) == 4
    assert sizes == [2] * 6


def test_nothing_has_no_series(tmp_path: Path) -> None:
    assert history.series([], []) == []
    assert history.baselines(tmp_path) == []


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no timings: run 'optbench run'"):
        history.load(tmp_path)
