"""What a comparison says, from records whose numbers we set."""

import json
import math
from dataclasses import asdict, replace
from typing import Any

import pytest

from bench.comparison import tables
from bench.comparison.summary import require_comparable, spoilt, summarise, uncovered
from bench.runs.record import PHASE_COLUMNS, RunRecord
from bench.statistics.intervals import spread
from optimizers import UsageError
from tests.bench.records import made_curvature, made_record, made_refusal, made_yardstick


def test_cost_is_relative_to_the_yardsticks_next_to_the_run() -> None:
    """The machine slows down threefold: each run is held against its own time."""
    yardsticks = [
        made_yardstick(0, 0.001),
        made_yardstick(2, 0.001),
        made_yardstick(4, 0.003),
        made_yardstick(6, 0.003),
    ]
    runs = [
        made_record(seed=0, phase_s=(0.0, 0.001, 0.001, 0.0), minutes=1),
        made_record(seed=1, phase_s=(0.0, 0.003, 0.003, 0.0), minutes=5),
    ]
    (row,) = summarise(runs, yardsticks, {})
    cost = row.spreads["plain_gradients"]
    assert cost.median == pytest.approx(2.0)
    assert cost.low == pytest.approx(cost.high)


def test_yardsticks_of_another_session_do_not_count() -> None:
    (row,) = summarise([made_record(minutes=1)], [made_yardstick(0, 0.001, session="other")], {})
    assert "plain_gradients" not in row.spreads


def test_rows_by_label_with_median_and_range() -> None:
    runs = [
        made_record(label=label, seed=seed, losses=[loss], minutes=seed)
        for label, losses in {"a": (1.0, 3.0, 2.0), "b": (5.0, 5.0, 5.0)}.items()
        for seed, loss in enumerate(losses)
    ]
    a, b = summarise(runs, [], {"a": [2**20, 3 * 2**20, 2 * 2**20]})
    assert (a.label, b.label) == ("a", "b")
    assert a.spreads["train_loss"] == spread([1.0, 2.0, 3.0])
    assert a.spreads["peak_memory_bytes"] == spread([2**20, 2 * 2**20, 3 * 2**20])
    assert "peak_memory_bytes" not in b.spreads
    assert a.spreads["test_accuracy"].median == 0.9
    phases = ["1.00", "2.00", "3.00", "4.00"]
    assert tables.cost([a])[1] == [["a", "10.0", "–", "12800", *phases, "2 MiB (1–3)"]]


def test_every_spread_is_that_of_the_values_by_run() -> None:
    """Times are medians over runs of a run's total over its iterations, not pooled ones."""
    runs = [
        made_record(
            seed=10 + number,
            losses=[1.0] * (number + 1),
            phase_s=(0.1, 0.2, 0.3 * (number + 1), 0.4),
            minutes=2 * number + 1,
        )
        for number in range(3)
    ]
    (row,) = summarise(runs, [made_yardstick(2 * n, 0.5) for n in range(4)], {})
    keys = [record.key for record in runs]
    assert row.runs == keys
    assert row.seeds == dict(zip(keys, (10, 11, 12), strict=True))
    expected = {
        "train_loss": [1.0, 1.0, 1.0],
        "test_loss": [0.4, 0.4, 0.4],
        "test_accuracy": [0.9, 0.9, 0.9],
        "iterations": [1.0, 2.0, 3.0],
        "clocked_s": [1.0, 2.6, 4.8],
        "data_s": [0.1, 0.1, 0.1],
        "forward_s": [0.2, 0.2, 0.2],
        "backward_s": [0.3, 0.6, 0.9],
        "step_s": [0.4, 0.4, 0.4],
        "iteration_s": [1.0, 1.3, 1.6],
        "plain_gradients": [2.0, 2.6, 3.2],
        "samples_per_s": [128.0, 128 / 1.3, 80.0],
    }
    assert {name: list(by_run) for name, by_run in row.values.items()} == dict.fromkeys(
        expected, keys
    )
    for name, wanted in expected.items():
        assert list(row.values[name].values()) == pytest.approx(wanted)
    assert row.spreads == {name: spread(list(row.values[name].values())) for name in expected}


def test_a_run_that_shared_the_machine_tells_no_time() -> None:
    """Its losses and lengths count all the same."""
    own = made_record(seed=0, minutes=1)
    shared = made_record(seed=1, minutes=3, shared=True, phase_s=(9.0, 9.0, 9.0, 9.0))
    costs = {"iteration_s", "plain_gradients", "samples_per_s"}
    times = {"clocked_s", *PHASE_COLUMNS, *costs}
    (row,) = summarise([own, shared], [made_yardstick(0, 0.5)], {})
    for name, by_run in row.values.items():
        assert set(by_run) == ({own.key} if name in times else {own.key, shared.key})
    (row,) = summarise([shared], [made_yardstick(0, 0.5)], {})
    assert row.spreads.keys() == row.values.keys() - times
    assert tables.cost([row])[1] == [["sgd"] + ["–"] * 8]


def test_a_row_as_json_has_its_intervals_and_values() -> None:
    record = made_record()
    (row,) = summarise([record], [], {})
    document = json.loads(json.dumps(row.to_json(), allow_nan=False))
    loss = document["spreads"]["train_loss"]
    assert loss == asdict(row.spreads["train_loss"])
    assert loss.keys() == {"median", "low", "high", "count", "coverage"}
    assert document["values"]["train_loss"] == {record.key: pytest.approx(3.5 / 3)}
    assert document["seeds"] == {record.key: 0}


def test_a_diverged_run_is_counted_and_its_loss_is_not() -> None:
    runs = [
        made_record(seed=0, losses=[1.0]),
        made_record(seed=1, losses=[math.inf], status="diverged", diverged_at=0, minutes=1),
        made_record(seed=2, losses=[], status="failed", minutes=2),
    ]
    (row,) = summarise(runs, [], {})
    assert row.statuses == {"completed": 1, "diverged": 1, "failed": 1}
    assert row.spreads["train_loss"].count == 1
    assert row.spreads["iteration_s"].count == 2


def test_curvature_is_told_at_the_first_and_the_last_observation() -> None:
    """Medians over seeds; a run that did not complete and a label without any do not count."""
    runs = [
        made_record(
            label="ggn",
            seed=seed,
            minutes=seed,
            curvature=[
                *made_curvature(0, damping=1.0, share=share),
                *made_curvature(20, damping=9.0, share=9.0),
                *made_curvature(40, damping=0.5, share=10 * share),
            ],
        )
        for seed, share in enumerate([0.01, 0.02, 0.03])
    ]
    failed = made_record(label="ggn", status="failed", curvature=made_curvature(0, share=0.9))
    ggn, sgd = summarise([*runs, failed, made_record()], [], {})
    assert ggn.curvature == {
        "damping": (1.0, 0.5),
        "share": pytest.approx((0.02, 0.2)),
        "weighted_share": (0.5, 0.5),
    }
    assert sgd.curvature == {}
    assert tables.curvature([ggn, sgd]) == (
        ["optimizer", "damping", "plain share", "gradient-weighted share"],
        [["ggn", "1 → 0.5", "0.02 → 0.2", "0.5"]],
    )
    assert tables.CURVATURE_NOTE in tables.notes([ggn, sgd])
    assert tables.CURVATURE_NOTE not in tables.notes([sgd])
    assert ggn.to_json()["curvature"]["damping"] == (1.0, 0.5)


def lasting(seconds: float, *at: int, count: int = 200, **fields: Any) -> RunRecord:
    """A run whose iterations take 15 ms, but for some."""
    record = made_record(losses=[1.0] * count, phase_s=(0.0, 0.005, 0.005, 0.005), **fields)
    step_s = record.values["step_s"].copy()
    step_s[list(at)] += seconds - 0.015
    return replace(record, values={**record.values, "step_s": step_s})


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (
            [lasting(1.24, 37, seed=1)],
            "sgd, seed 1: iteration 37 took 1.24 s, 83 times the median of 15.0 ms (a compile?); "
            "the mean of 21.1 ms includes it.",
        ),
        (
            [lasting(0.5, 3, seed=0), lasting(0.9, 0, 7, seed=1), lasting(0.2, 3, seed=2)],
            "sgd, seed 1: 2 iterations from 0 on took up to 900 ms, 60 times the median of 15.0 ms "
            "(a compile?); the mean of 23.8 ms includes them; so in 1 more of its runs.",
        ),
        ([lasting(0.9, 2, count=3)], "sgd, seed 0: iteration 2 took 900 ms, 60 times the median "
         "of 15.0 ms (a compile?); the mean of 310 ms includes it."),
        ([lasting(0.9, 4, status="diverged", diverged_at=199)], "sgd, seed 0: iteration 4 took "
         "900 ms, 60 times the median of 15.0 ms (a compile?); the mean of 19.4 ms includes it."),
        ([lasting(0.29, 37)], ""),
        ([lasting(0.9, 99, 199)], ""),
        ([lasting(0.9, *range(0, 200, 60))], ""),
        ([lasting(0.9, 3, 50, 51, 70, 199)], ""),
        ([lasting(0.9, 37, shared=True)], ""),
        ([lasting(0.9, 37, status="failed")], ""),
        ([made_record(losses=[1.0] * 3, phase_s=(0.0, 0.0, 0.0, 0.0))], ""),
        ([made_record(losses=[])], ""),
    ],
    ids=[
        "a compile", "in several runs", "in a short run", "of a diverged run", "not that long",
        "twice at equal distances", "every 60th", "too often", "no timing", "failed", "no time",
        "no iteration",
    ],
)  # fmt: skip
def test_an_iteration_that_is_no_work_is_said_beside_the_times_that_it_spoilt(
    runs: list[RunRecord], said: str
) -> None:
    (row,) = summarise(runs, [], {})
    assert row.spoilt == row.to_json()["spoilt"] == said
    assert tables.notes([row])[2:] == ([said] if said else [])


def test_what_a_busy_system_does_to_a_short_iteration_is_no_compile() -> None:
    (brief, slow) = (
        made_record(losses=[1.0] * 50, phase_s=(0.0, 0.0, 0.0, 0.0001), seed=seed)
        for seed in range(2)
    )
    brief.values["step_s"][9], slow.values["step_s"][9] = 0.009, 0.011
    assert spoilt([brief]) == ""
    assert "iteration 9 took 11.0 ms, 110 times the median of 0.100 ms" in spoilt([brief, slow])


@pytest.mark.parametrize(
    ("field", "values", "named"),
    [
        ("threads", (1, 2), r"threads \(1, 2\)"),
        ("batch_size", (64, 128), r"batch size \(128, 64\)"),
        ("device", ("cpu", "cuda:0"), r"device \(cpu, cuda:0\)"),
        ("fingerprint", ("abc", "xyz"), r"machine \(abc, xyz\)"),
        ("versions", ({"torch": "2.11"}, {"torch": "2.14"}), r"torch \(2\.11, 2\.14\)"),
        ("split", ("test", "validation"), r"split \(test, validation\)"),
    ],
)
def test_unlike_runs_are_not_compared(field: str, values: tuple[Any, Any], named: str) -> None:
    records = [made_record(**{field: value}) for value in values]
    with pytest.raises(UsageError, match=f"cannot be compared: they differ in {named}"):
        require_comparable(records)


def test_data_sources_are_never_mixed() -> None:
    embedded = {"name": "mnist-embedded", "detail": "", "checksum": "2", "origin": ""}
    with pytest.raises(UsageError, match=r"data \(mnist, mnist-embedded\)"):
        summarise([made_record(), made_record(data=embedded)], [], {})


def test_a_label_whose_optimizer_is_not_for_the_problem_says_so() -> None:
    refused, partly, ran = summarise(
        [
            made_refusal("a"),
            made_refusal("b", error="no luck"),
            made_record(label="b", seed=1),
            made_record(label="c"),
        ],
        [],
        {},
    )
    assert (refused.applies, partly.applies, ran.applies) == (False, True, True)
    assert refused.refusal == "a: not applicable: no rule for Tanh: use another"
    assert (partly.refusal, ran.refusal) == ("b: not applicable: no luck", "")


@pytest.mark.parametrize(
    ("walls", "shared", "told"),
    [
        ((0.04, 0.031, 0.0315), False, ["95"]),  # 30 ms are clocked
        ((0.04, 0.05, 0.031), False, ["75"]),
        ((None, 0.05, 0.04), False, ["68"]),
        ((None, None, None), False, []),
        ((0.04, 0.05, 0.06), True, []),
    ],
)
def test_a_clock_that_covers_too_little_of_the_wall_time_is_told(
    walls: tuple[float | None, ...], shared: bool, told: list[str]
) -> None:
    records = [
        made_record(label="a", seed=seed, minutes=seed, iterating_s=wall, shared=shared)
        for seed, wall in enumerate(walls)
    ]
    (row,) = summarise(records, [], {})
    said = uncovered([row])
    shares = [f"{100 * row.clocked:.0f}"] if row.clocked is not None else []
    assert shares == told
    assert bool(said) == bool(row.clocked is not None and row.clocked < 0.95)
    if said:
        assert said.startswith(f"The clock covers {told[0]} % of a's wall time of iterations: ")
