"""A comparison as a frame: a row per label, numbers in columns, intervals beside them."""

import math

import numpy as np

from bench.comparison import groups
from bench.comparison.analysis import analyse
from bench.comparison.frame import frame
from tests.bench.records import made_record, made_refusal


def test_a_row_per_label_has_medians_and_intervals() -> None:
    records = [
        made_record(label=label, seed=seed, losses=[loss + seed], run_id=f"{label}{seed}")
        for label, loss in (("sgd", 3.0), ("adam", 1.0))
        for seed in (0, 1, 2)
    ]
    failed = made_record(label="sgd", seed=3, status="failed", error="it broke", losses=[9.0])
    (group,) = groups.split([*records, failed])
    found = frame([analyse(group)])
    assert list(found.index) == ["adam", "sgd"]  # what lost runs comes last
    assert found.index.name == "label"
    assert list(found["train_loss"]) == [2.0, 4.0]
    assert list(found["train_loss_low"]) == [1.0, 3.0]
    assert list(found["train_loss_high"]) == [3.0, 5.0]
    assert list(found["runs"]) == [3, 4]
    assert list(found["completed"]) == [3, 3]
    assert list(found["test_accuracy"]) == [0.9, 0.9]
    np.testing.assert_allclose(found["iteration_s"], [0.01, 0.01])
    text = {"comparison", "optimizer"}
    assert all(found[name].dtype.kind in "if" for name in found.columns if name not in text)


def test_medians_come_before_intervals() -> None:
    (group,) = groups.split([made_record()])
    names = list(frame([analyse(group)]).columns)
    first = next(index for index, name in enumerate(names) if name.endswith("_low"))
    assert not any(name.endswith(("_low", "_high")) for name in names[:first])
    assert all(name.endswith(("_low", "_high")) for name in names[first:])


def test_comparisons_stand_below_each_other_with_what_each_tells() -> None:
    of_validation = made_record(split="validation", run_id="1")
    found = frame([analyse(group) for group in groups.split([made_record(), of_validation])])
    assert list(found.index) == ["sgd", "sgd"]
    assert found["comparison"].nunique() == 2
    for split in ("test", "validation"):
        values = found[f"{split}_accuracy"]
        assert sorted(values, key=math.isnan)[0] == 0.9
        assert values.isna().sum() == 1


def test_nothing_is_a_frame_without_rows() -> None:
    found = frame([])
    assert (len(found), list(found.columns)) == (
        0,
        ["comparison", "optimizer", "runs", "completed", "not_applicable"],
    )


def test_what_is_not_applicable_is_counted_and_has_no_numbers() -> None:
    (group,) = groups.split([made_refusal(), made_record()])
    found = frame([analyse(group)])
    assert list(found.index) == ["sgd", "refused"]
    assert list(found["not_applicable"]) == [0, 1]
    assert list(found["train_loss"].isna()) == [False, True]
