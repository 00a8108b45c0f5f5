"""What a comparison says, from records whose numbers we set."""

from typing import Any

import pytest

from bench import stability, tables
from bench.record import RunRecord
from bench.summary import require_comparable, summarise
from optimizers import UsageError
from tests.bench.records import made_curvature, made_record


def yardstick(minutes: float, gradient_s: float, session: str = "s1") -> RunRecord:
    half = gradient_s / 2
    return made_record(
        role="plain_gradient",
        label="plain gradient",
        losses=[1.0] * 10,
        phase_s=(0.0, half, half, 0.0),
        minutes=minutes,
        session=session,
    )


def test_cost_is_relative_to_the_yardsticks_next_to_the_run() -> None:
    """The machine slows down threefold: each run is held against its own time."""
    yardsticks = [
        yardstick(0, 0.001),
        yardstick(2, 0.001),
        yardstick(4, 0.003),
        yardstick(6, 0.003),
    ]
    runs = [
        made_record(seed=0, phase_s=(0.0, 0.001, 0.001, 0.0), minutes=1),
        made_record(seed=1, phase_s=(0.0, 0.003, 0.003, 0.0), minutes=5),
    ]
    (row,) = summarise(runs, yardsticks, {})
    assert row.plain_gradients is not None
    assert row.plain_gradients.median == pytest.approx(2.0)
    assert row.plain_gradients.low == pytest.approx(row.plain_gradients.high)


def test_yardsticks_of_another_session_do_not_count() -> None:
    (row,) = summarise([made_record(minutes=1)], [yardstick(0, 0.001, session="other")], {})
    assert row.plain_gradients is None


def test_rows_by_label_with_median_and_range() -> None:
    runs = [
        made_record(label=label, seed=seed, losses=[loss])
        for label, losses in {"a": (1.0, 3.0, 2.0), "b": (5.0, 5.0, 5.0)}.items()
        for seed, loss in enumerate(losses)
    ]
    a, b = summarise(runs, [], {"a": 2**20})
    assert (a.label, b.label) == ("a", "b")
    assert a.final_loss is not None
    assert (a.final_loss.median, a.final_loss.low, a.final_loss.high) == (2.0, 1.0, 3.0)
    assert (a.peak_memory_bytes, b.peak_memory_bytes) == (2**20, None)
    assert a.iteration_s == pytest.approx(sum(a.phase_s.values()))
    assert a.metrics["accuracy"].median == 0.9


def test_a_diverged_run_is_counted_and_its_loss_is_not() -> None:
    runs = [
        made_record(seed=0, losses=[1.0]),
        made_record(seed=1, losses=[float("inf")], status="diverged", diverged_at=0),
        made_record(seed=2, losses=[], status="failed"),
    ]
    (row,) = summarise(runs, [], {})
    assert row.statuses == {"completed": 1, "diverged": 1, "failed": 1}
    assert row.final_loss is not None
    assert row.final_loss.count == 1


def test_only_failed_runs_make_a_row_of_dashes() -> None:
    (row,) = summarise([made_record(losses=[], status="failed", evaluations=[])], [], {})
    assert tables.convergence([row])[1] == [["sgd", "–", "1 failed"]]
    assert tables.cost([row])[1] == [["sgd"] + ["–"] * 7]


def test_length_is_told_where_runs_can_end_early() -> None:
    until = ("accuracy", 0.8)
    evaluations = [{"iteration": 2.0, "seconds": 0.02, "loss": 1.0, "accuracy": 0.7}]
    runs = [
        made_record(seed=0, until=until),
        made_record(seed=1, until=until, losses=[1.0, 1.0], evaluations=evaluations),
    ]
    (row,) = summarise(runs, [], {})
    assert tables.lengths_differ([row])
    assert tables.length([row])[1] == [
        ["sgd", "2 (2–3)", "0.0250 (0.0200–0.0300)", "accuracy=0.8", "1 of 2"]
    ]
    assert not tables.lengths_differ(summarise([made_record()], [], {}))


def test_curvature_is_told_at_the_first_and_the_last_observation() -> None:
    """Medians over seeds; a run that did not complete and a label without any do not count."""
    runs = [
        made_record(
            label="ggn",
            seed=seed,
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


@pytest.mark.parametrize(
    ("first", "last", "cell"),
    [
        (0.00012, 0.0031, "0.00012 → 0.0031"),
        (1.0, 1.0, "1"),
        (0.12345, 0.12346, "0.12"),
        (float("nan"), float("nan"), "–"),
        (float("nan"), 0.5, "– → 0.5"),
    ],
)
def test_a_change_is_one_number_where_there_is_none(first: float, last: float, cell: str) -> None:
    assert tables.change(first, last) == cell


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


def test_stability_is_told_from_the_yardsticks() -> None:
    steady = [yardstick(minute, 0.001 + 0.00001 * minute) for minute in range(4)]
    assert stability.verdict(steady).startswith("Timings were steady: the plain gradient took 1 to")
    shaken = [*steady, yardstick(5, 0.0015)]
    assert "may be unstable" in stability.verdict(shaken)
    assert "Ratios below 1.50 mean little" in stability.verdict(shaken)
    assert "too few" in stability.verdict(steady[:1])
