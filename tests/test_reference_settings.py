"""The settings that the registry and the README rest on are those of the committed sweep."""

from functools import cache
from pathlib import Path

import pytest

from bench.recommend.recommendation import recommend
from bench.runs import store
from bench.runs.settings import setting_key
from bench.sweeps import file as records
from bench.sweeps import outcome as outcomes
from bench.sweeps.outcome import Outcome
from optimizers import OPTIMIZERS

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"
SWEPT = {"damping": ["diag_ggn_mc", "diag_ggn_exact", "sgd", "adam"], "muon": ["adamw", "muon"]}


@cache
def outcome(name: str) -> Outcome:
    """What the committed sweep of a folder found."""
    folder = REFERENCE / name
    record = records.read(records.find(folder, None))
    return outcomes.gather(record, store.Index(folder).executions)


def test_every_optimizer_was_swept() -> None:
    assert {label for labels in SWEPT.values() for label in labels} == OPTIMIZERS.keys()


@pytest.mark.parametrize("name", SWEPT)
def test_every_optimizer_was_swept_over_its_search_space_on_the_same_seeds(name: str) -> None:
    found = outcome(name)
    assert [swept.label for swept in found.swept] == SWEPT[name]
    for swept in found.swept:
        assert dict(swept.axes) == dict(OPTIMIZERS[swept.label].search_space)
        assert swept.cells == len(swept.trials) == 21
        assert swept.seeds == [100, 101, 102]
        assert not {"failed", "not run"} & {r for t in swept.trials for r in t.lost.values()}
    assert not found.failed
    assert {run.config["split"] for _, run in found.full} == {"validation"}
    assert {run.data["name"] for _, run in found.full} == {"mnist"}


@pytest.mark.parametrize(
    ("folder", "name"),
    [("damping", "adam"), ("damping", "sgd"), ("muon", "adamw"), ("muon", "muon")],
)
def test_first_order_defaults_cannot_be_told_from_the_best(folder: str, name: str) -> None:
    swept = next(swept for swept in outcome(folder).swept if swept.label == name)
    plateau = [setting_key(trial.settings) for trial in recommend(swept).plateau]
    assert setting_key(OPTIMIZERS[name].defaults) in plateau
