"""The settings that the registry and the README rest on are those of the committed sweep."""

from pathlib import Path

import pytest

from bench.recommend.recommendation import recommend
from bench.runs import store
from bench.runs.settings import setting_key
from bench.sweeps import file as records
from bench.sweeps import outcome as outcomes
from bench.sweeps.outcome import Outcome
from optimizers import OPTIMIZERS

FOLDER = Path(__file__).resolve().parents[1] / "results" / "reference" / "damping"


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    record = records.read(records.find(FOLDER, None))
    return outcomes.gather(record, store.Index(FOLDER).executions)


def test_every_optimizer_was_swept_over_its_search_space_on_the_same_seeds(
    outcome: Outcome,
) -> None:
    assert {swept.label for swept in outcome.swept} == OPTIMIZERS.keys()
    for swept in outcome.swept:
        assert dict(swept.axes) == dict(OPTIMIZERS[swept.label].search_space)
        assert swept.cells == len(swept.trials) == 21
        assert swept.seeds == [100, 101, 102]
        assert not {"failed", "not run"} & {r for t in swept.trials for r in t.lost.values()}
    assert not outcome.failed
    assert {run.config["split"] for _, run in outcome.full} == {"validation"}
    assert {run.data["name"] for _, run in outcome.full} == {"mnist"}


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_first_order_defaults_cannot_be_told_from_the_best(outcome: Outcome, name: str) -> None:
    swept = next(swept for swept in outcome.swept if swept.label == name)
    plateau = [setting_key(trial.settings) for trial in recommend(swept).plateau]
    assert setting_key(OPTIMIZERS[name].defaults) in plateau
