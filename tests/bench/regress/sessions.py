"""Stored sessions of ``optbench run``, with a commit that makes a difference."""

from pathlib import Path

from bench.runs import store
from tests.bench.records import made_record
from tests.bench.regress.repositories import OPTIMIZER, commit, made


def ten_days(folder: Path) -> Path:
    """Ten sessions, one a day; from the sixth on, SGD takes a half longer, and a commit is why."""
    made(folder, mine=OPTIMIZER)
    old = commit(folder, "old")
    new = commit(folder, "slow it down", mine=OPTIMIZER + "# slower\n")
    for day in range(10):
        for role, label, factor in (
            ("training", "sgd", 1.5 if day >= 5 else 1.0),
            ("plain_gradient", "plain gradient", 1.0),
        ):
            phases = (0.001, 0.004 * factor, 0.004 * factor, 0.001 * factor)
            record = made_record(
                label=label,
                phase_s=phases,
                losses=[1.0] * 20,
                minutes=24 * 60 * day,
                role=role,
                session=f"day {day}",
                commit=new if day >= 5 else old,
                run_id=role.replace("_", "x"),
            )
            store.save(record, folder / "results")
    return folder / "results"
