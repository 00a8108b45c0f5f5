"""The catalogue of conditions: what each decides, and that a new one is one row."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.comparison import groups
from bench.comparison.summary import require_comparable
from bench.errors import UsageError
from bench.runs import conditions, store
from bench.runs.conditions import CONDITIONS, Condition
from bench.runs.record import RunRecord
from tests.bench.records import made_record

EXECUTION = Condition(
    key="execution",
    part="config",
    get=lambda config: config["execution"],
    decides=frozenset({"losses", "times", "comparison"}),
    phrase=lambda how: f"executed as {how}",
    default="eager",
)


def executed(how: str, **fields: Any) -> RunRecord:
    """A record that knows the new condition."""
    record = made_record(**fields)
    return replace(record, config={**record.config, "execution": how})


@pytest.fixture
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "CONDITIONS", (*CONDITIONS, EXECUTION))
    monkeypatch.setitem(conditions.BY_KEY, "execution", EXECUTION)


def test_keys_are_unique_and_each_decides_something() -> None:
    assert len({condition.key for condition in CONDITIONS}) == len(CONDITIONS)
    assert all(condition.decides for condition in CONDITIONS)


def test_every_condition_of_comparability_names_a_comparison_but_for_the_problem() -> None:
    unnamed = [c.key for c in conditions.that_decide("comparison") if c.phrase is None]
    assert unnamed == ["problem"]  # every name begins with it


def test_what_decides_what() -> None:
    """Word for word, so that a row that moves is seen."""

    def keys(what: Any) -> list[str]:
        return [condition.key for condition in conditions.that_decide(what)]

    assert keys("losses") == ["data", "data checksum", "threads", "versions"]
    assert keys("times") == ["machine", "allocator tuning", "warm-up"]
    assert keys("memory") == ["problem", "device", "batch size", "dtype", "machine", "torch"]
    assert keys("baseline") == [
        "cpu", "logical_cores", "memory_gib", "gpu", "threads", "allocator",
    ]  # fmt: skip


@pytest.mark.usefixtures("_one_more")
def test_a_new_condition_is_one_row(tmp_path: Path) -> None:
    """An old record is at the default; then refusals, names and what is stored already know it."""
    old, graphs = made_record(), executed("graphs", seed=1)
    with pytest.raises(UsageError, match=r"differ in execution \(eager, graphs\)"):
        require_comparable([old, graphs])
    names = [group.name for group in groups.split([old, graphs])]
    assert any("executed as graphs" in name for name in names)
    store.save(old, tmp_path)
    asked = conditions.values(old, "times")
    assert asked["execution"] == "eager"
    assert store.find(tmp_path, old.run_id, asked) is not None
    assert store.find(tmp_path, old.run_id, asked | {"execution": "graphs"}) is None


@pytest.mark.usefixtures("_one_more")
def test_a_condition_at_its_default_changes_no_run_id() -> None:
    before = conditions.hashed(made_record())
    assert "execution" not in before
    assert conditions.hashed(executed("eager")) == before
    assert conditions.hashed(executed("graphs")) == before | {"execution": "graphs"}


def test_another_warm_up_is_another_timing(tmp_path: Path) -> None:
    """Records that do not tell it were warmed up by one iteration."""
    old = made_record()
    store.save(old, tmp_path)
    asked = conditions.values(old, "times")
    assert store.find(tmp_path, old.run_id, asked | {"warm-up": 1}) is not None
    for other in (5, None):
        assert store.find(tmp_path, old.run_id, asked | {"warm-up": other}) is None
    new = replace(old, config={**old.config, "warmup": None})
    assert conditions.values(new, "times")["warm-up"] is None
    assert conditions.differing([old, new]) == {}


def test_a_record_that_lacks_what_has_no_default_is_told() -> None:
    record = made_record()
    lacking = {name: value for name, value in record.environment.items() if name != "threads"}
    with pytest.raises(KeyError, match="threads"):
        conditions.BY_KEY["threads"].of(lacking)
