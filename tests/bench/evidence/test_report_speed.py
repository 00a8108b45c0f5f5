"""The made-up runs that a report is timed with, and what is kept of the timing."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.comparison import groups
from bench.evidence import report_speed as speed
from bench.runs import store
from tests.bench.evidence.scripts import call, help_of


def test_every_training_run_comes_after_its_plain_gradient() -> None:
    records = list(speed.made_up(45))
    assert len({record.key for record in records}) == 90
    assert [record.role for record in records] == ["plain_gradient", "training"] * 45
    for plain, training in zip(records[::2], records[1::2], strict=True):
        assert plain.session == training.session
        assert plain.started_at < training.started_at


def test_they_are_four_comparisons_of_five_optimizers() -> None:
    found = groups.split(speed.made_up(40))
    assert {group.first.config["problem"] for group in found} == set(speed.PROBLEMS)
    for group in found:
        counts = Counter(record.label for record in group.training)
        assert counts == dict.fromkeys(speed.OPTIMIZERS, 2)
        assert len(group.yardsticks) == 10


def test_they_are_stored_and_read_as_any_other(tmp_path: Path) -> None:
    (record,) = [record for record in speed.made_up(1) if record.role == "training"]
    read = store.read(store.save(record, tmp_path))
    assert len(read.seconds) == speed.ITERATIONS
    assert read.evaluations[-1]["seconds"] == pytest.approx(read.seconds.sum())
    assert np.isfinite(read.values["loss"]).all()


def test_memory_is_that_of_the_process_and_of_its_children() -> None:
    own = psutil.Process(os.getpid())
    assert speed._resident(own) >= own.memory_info().rss // 2
    ended = psutil.Popen(["true"])
    ended.wait()
    assert speed._resident(ended) == 0


def test_every_round_measures_all_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(runs: int) -> dict[str, float]:
        return {"runs": runs, "seconds": runs / 10, "peak_mib": 200, "page_mib": 1.5}

    monkeypatch.setattr(speed, "measure", measure)
    folder = str(tmp_path / "new")
    call(speed.main, monkeypatch, "--runs", "10", "20", "--rounds", "2", "--output", folder)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "10 runs of 200 iterations: 1.0 s, peak 200 MiB, page 1.5 MiB"
    assert (tmp_path / "new" / "report_speed.csv").read_text().splitlines() == [
        "runs,seconds,peak_mib,page_mib", *["10,1.0,200,1.5", "20,2.0,200,1.5"] * 2,
    ]  # fmt: skip


def test_it_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--runs RUNS [RUNS ...]" in help_of(speed.main, monkeypatch, capsys)
