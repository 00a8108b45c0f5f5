"""What a sweep found, from its file and whatever records of its runs there are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.recommend.recommendation import recommend
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps import outcome as outcomes
from bench.sweeps.experiment import Arm, Cell, Experiment
from bench.sweeps.file import SweepRecord
from bench.sweeps.grid import Axis
from bench.sweeps.outcome import Outcome
from tests.bench.records import made_record, made_refusal
from tests.bench.sweeps.inline import Here, read_back, swept


def test_an_interrupted_sweep_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, pool=Here(stops_after=7))
    outcome = read_back(tmp_path)
    (found,) = outcome.swept
    assert len(outcome.full) == 7
    assert found.pending == [1]
    assert all(trial.scores.keys() == {0} and not trial.lost for trial in found.trials)
    assert any("Seed 1 is left out" in text for text in recommend(found).warnings)


def test_records_that_are_loaded_serve_as_well_and_are_asked_for_once(tmp_path: Path) -> None:
    outcome, _, _ = swept(tmp_path)
    loaded = {record.run_id: [record] for record in store.load(tmp_path)}
    asked: list[str] = []

    def executions(run_id: str) -> list[RunRecord]:
        asked.append(run_id)
        return loaded.get(run_id, [])

    again = outcomes.gather(outcome.record, executions)
    assert sorted(asked) == sorted(loaded)
    assert again.swept == outcome.swept
    assert [run.key for _, run in again.full] == [run.key for _, run in outcome.full]
    assert len(again.full) == 12


def test_a_sweep_interrupted_in_its_first_seed_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, pool=Here(stops_after=2))
    (found,) = read_back(tmp_path).swept
    assert found.pending == []
    assert [dict(trial.lost) for trial in found.trials][1:3] == [
        {1: "not run"},
        {0: "not run", 1: "not run"},
    ]


def test_divergence_is_data(tmp_path: Path) -> None:
    experiment = Experiment(
        problem="quadratic", optimizers=("sgd",), grid=("lr=0.1,1e30",), seeds="1", iterations=20
    )
    (found,) = swept(tmp_path, experiment)[0].swept
    assert [dict(trial.lost) for trial in found.trials] == [{}, {0: "diverged"}]


def gathered(
    *settings: Mapping[str, Any], runs: Mapping[str, list[RunRecord]], **fields: Any
) -> Outcome:
    """A sweep of these settings, seed 0, 1, ... in turn; runs are known as their places."""
    given: dict[str, Any] = {"optimizers": ("sgd",), "seeds": str(len(settings)), "iterations": 3}
    values = tuple(setting["nesterov"] for setting in settings)
    record = SweepRecord(
        experiment=Experiment(**given | fields),
        metrics={"loss": "min", "accuracy": "max"},
        arms=[Arm(label="sgd", optimizer="sgd", axes={"nesterov": Axis(values)})],
        cells=[
            (Cell(label="sgd", settings=setting, seed=seed, iterations=3), str(seed))
            for seed, setting in enumerate(settings)
        ],
        fingerprint="abc",
    )
    return outcomes.gather(record, lambda run_id: runs.get(run_id, []))


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), ((1, 0.5), (1.0, 0.5)), ([1, 2], (1, 2))], ids=str
)
def test_settings_of_the_same_values_are_one(one: Any, other: Any) -> None:
    runs = {str(seed): [made_record(seed=seed)] for seed in range(2)}
    outcome = gathered({"nesterov": one}, {"nesterov": other}, runs=runs)
    (trial,) = outcome.swept[0].trials
    assert trial.scores == {0: 0.4, 1: 0.4}
    for settings in ({"nesterov": one}, {"nesterov": other}):
        assert [run.config["seed"] for run in outcome.of("sgd", settings)] == [0, 1]
    assert outcome.of("adam", {"nesterov": one}) == []


def test_true_is_another_setting_than_1() -> None:
    runs = {str(seed): [made_record(seed=seed)] for seed in range(2)}
    outcome = gathered({"nesterov": True}, {"nesterov": 1}, runs=runs)
    first, second = outcome.swept[0].trials
    assert (first.settings, list(first.scores)) == ({"nesterov": True}, [0])
    assert (second.settings, list(second.scores)) == ({"nesterov": 1}, [1])
    assert [run.config["seed"] for run in outcome.of("sgd", {"nesterov": True})] == [0]


@pytest.mark.parametrize(
    ("values", "axis"),
    [((0.5, 0.25, 0.5), (0.25, 0.5)), (("b", "a", "b"), ("a", "b")), ((1, "a"), (1, "a"))],
    ids=str,
)
def test_axes_of_a_scattered_sweep_are_the_values_that_occur(
    values: tuple[Any, ...], axis: tuple[Any, ...]
) -> None:
    settings = [{"nesterov": value} for value in values]
    (found,) = gathered(*settings, runs={}, strategy="tpe").swept
    assert (found.scattered, found.axes) == (True, {"nesterov": axis})


def test_the_newest_finished_execution_counts() -> None:
    done, later = made_record(), made_record(minutes=1, status="failed")
    outcome = gathered({"nesterov": 1}, runs={"0": [later, done]})
    assert [run.key for _, run in outcome.full] == [done.key]
    outcome = gathered({"nesterov": 1}, runs={"0": [later]})
    assert outcome.full == []
    assert [run.key for _, run in outcome.failed] == [later.key]
    assert outcome.swept[0].trials[0].lost == {0: "failed"}


def test_of_a_time_only_this_machine_counts_and_a_run_alone_comes_first() -> None:
    timed: dict[str, Any] = {"objective": "time_to(val_accuracy=0.5)"}
    alone, shared = made_record(), made_record(minutes=1, shared=True)
    elsewhere = made_record(minutes=2, fingerprint="another")
    every = [elsewhere, shared, alone]
    for runs, expected in ((every, [alone]), (every[:2], [shared]), (every[:1], [])):
        outcome = gathered({"nesterov": 1}, runs={"0": runs}, **timed)
        assert [run.key for _, run in outcome.full] == [run.key for run in expected]
    outcome = gathered({"nesterov": 1}, runs={"0": every})
    assert [run.key for _, run in outcome.full] == [elsewhere.key]


def test_a_label_that_is_not_applicable_at_all_is_refused_and_at_some_settings_lost() -> None:
    refused = made_refusal(run_id="0")
    outcome = gathered({"nesterov": 1}, {"nesterov": 2}, runs={"0": [refused], "1": [refused]})
    assert outcome.refused == {"sgd": "sgd: not applicable: no rule for Tanh: use another"}
    assert (outcome.swept, outcome.full, outcome.failed) == ([], [], [])
    assert "sgd: not applicable" in repr(outcome)
    outcome = gathered({"nesterov": 1}, {"nesterov": 2}, runs={"0": [refused], "1": []})
    assert outcome.refused == {}
    assert outcome.swept[0].trials[0].lost[0] == "not applicable"
