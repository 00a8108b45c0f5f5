"""What is said of throughput: over time, in the suite, and how sure verdicts are."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import DamagedRecordWarning
from bench.regress.calibration import judgements as judging
from bench.regress.history import Change, Series
from bench.report.document import Figures, Paragraph, Table
from bench.report.figures import calibration as figure
from bench.report.sections import throughput
from tests.bench.records import made_record
from tests.bench.regress.calibration.trials import made_settings, made_trial
from tests.bench.report.cases import made


def test_short_histories_are_not_said_to_be_steady() -> None:
    def told(sessions: int) -> str:
        records = [
            made_record(session=f"s{n}", minutes=n, seed=0, run_id=f"{n}") for n in range(sessions)
        ]
        found = [section for section in made(records).sections if section.anchor == "history"]
        return " ".join(b.text for s in found for b in s.blocks if isinstance(b, Paragraph))

    assert "Fewer than 8 sessions are too few" in told(6)
    assert "No change point: no level moved for good by more than 2.5 %." in told(8)


def series(seconds: list[float], *firsts: int, name: str = "optbench run: sgd") -> Series:
    """A series of sessions, one a day, with changes at these."""
    when = pd.date_range("2026-01-01 12:30", periods=len(seconds), tz="UTC")
    changes = [
        Change(first=first, before=seconds[first - 1], after=seconds[first],
               commits=("a" * 40, None),
               around=("a" * 40, None), when=when[first])
        for first in firsts
    ]  # fmt: skip
    points = pd.DataFrame({"when": when, "seconds": seconds, "relative": seconds})
    return Series(name=name, machine="A processor", judged="seconds", points=points,
                  changes=changes)  # fmt: skip


def test_a_change_is_a_warning_that_names_its_commits() -> None:
    part = throughput.over_time([series([0.01] * 4 + [0.015] * 4, 4)])
    assert part is not None
    (said,) = [block for block in part.blocks if isinstance(block, Paragraph)]
    assert said == Paragraph(
        text="optbench run: sgd changed to 1.5 times what it was, on 2026-01-05 12:30 (from commit "
        "aaaaaaaaaa to unknown).",
        warning=True,
    )


def test_one_session_is_no_history() -> None:
    assert throughput.over_time([]) is None
    assert throughput.over_time([series([0.01])]) is None


def test_of_many_series_those_that_changed_and_the_longest_are_drawn() -> None:
    many = [series([0.01] * 8, name=f"{n}") for n in range(20)]
    many += [series([0.01] * 9, name="longest"), series([0.01] * 4 + [0.02] * 4, 4, name="changed")]
    part = throughput.over_time(many)
    assert part is not None
    (drawn,) = [block for block in part.blocks if isinstance(block, Figures)]
    assert [figure.title for figure in drawn.figures[:3]] == ["changed", "longest", "0"]
    assert len(drawn.figures) == throughput.DRAWN
    assert Paragraph(text="10 more series: see 'optbench history'.") in part.blocks


def benchmark(label: str, *medians_s: float, first_day: str) -> Series:
    """A benchmark of the suite on one machine, measured once a day."""
    days = pd.date_range(first_day, periods=len(medians_s), tz="UTC")
    points = pd.DataFrame(
        {"when": days, "seconds": 0.0, "median_s": medians_s,
         "relative": [1e3 * one for one in medians_s], "problem": "mnist_cnn", "label": label,
         "batch_size": 128, "device": "cpu"}
    )  # fmt: skip
    return Series(name=label, machine="", judged="relative", points=points, changes=[])


def test_the_suite_shows_the_latest_measurement_of_each_phase() -> None:
    """Adam was measured on two machines; of the step of SGD there is none."""
    adam = [
        benchmark("adam", 0.009, 0.004, first_day="2026-01-03"),
        benchmark("adam", 0.002, first_day="2026-01-01"),
    ]
    sgd = benchmark("sgd", 0.001, first_day="2026-01-01")
    by_phase = {phase: [*adam, sgd] for phase in throughput.SUITE_PHASES} | {"step": adam[::-1]}
    part = throughput.suite(by_phase)
    assert part is not None
    (table,) = [block for block in part.blocks if isinstance(block, Table)]
    assert [column.name for column in table.columns] == [
        "problem", "optimizer", "batch size", "device",
        "forward", "backward", "step", "total", "cost",
    ]  # fmt: skip
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["mnist_cnn", "adam", "128", "cpu", *["4.00"] * 4, "4.00×"],
        ["mnist_cnn", "sgd", "128", "cpu", "1.00", "1.00", "–", "1.00", "1.00×"],
    ]


def test_without_files_there_is_no_suite() -> None:
    assert throughput.suite({phase: [] for phase in throughput.SUITE_PHASES}) is None


def test_a_folder_without_a_calibration_says_nothing_of_one(tmp_path: Path) -> None:
    assert throughput.calibration(tmp_path) is None


@pytest.fixture
def concluded(tmp_path: Path) -> Path:
    """The folder of a calibration with one trial, as far as a report reads it."""
    settings = made_settings()
    trial = made_trial(0, settings, 0.01)
    judgements = judging.judge(trial, settings)
    (tmp_path / "settings.json").write_text(json.dumps(asdict(settings)))
    figure.write(tmp_path, [trial], judgements, settings)
    return tmp_path


def test_a_report_says_what_was_calibrated(concluded: Path) -> None:
    section = throughput.calibration(concluded)
    assert section is not None
    (first, *_) = section.blocks
    assert isinstance(first, Table)
    assert first.caption == "sgd on quadratic, 1 trial, 40 s per comparison"


def test_a_report_leaves_out_a_calibration_without_settings(concluded: Path) -> None:
    (concluded / "settings.json").unlink()
    with pytest.warns(DamagedRecordWarning, match=r"Skipped: .* it has no settings\.json"):
        assert throughput.calibration(concluded) is None
