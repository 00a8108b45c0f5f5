"""What is in a report: every part is there, warnings are in sight, odd records do no harm."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.recommend.swept import Swept
from bench.report import contents, writer
from bench.report.document import Figures, Paragraph, Report
from bench.runs.record import RunRecord
from bench.sweeps import advice as advising
from tests.bench.recommend.cases import LOSS, SGD, outcome, trial, valley
from tests.bench.records import made_record, made_refusal
from tests.bench.report.cases import blocks, comparison, made


def stems(report: Report) -> set[str]:
    return {
        figure.stem
        for block in blocks(report)
        if isinstance(block, Figures)
        for figure in block.figures
    }


def written(folder: Path, report: Report) -> str:
    page = writer.write(folder, report)
    assert page == folder / "report.html"
    return (folder / "report.md").read_text(encoding="utf-8")


@pytest.fixture
def _plain_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDF with glyphs as drawings: to cut fonts down takes most of its time, whatever is drawn."""
    monkeypatch.setitem(writer._STYLE, "pdf.fonttype", 3)


def test_a_comparison_has_its_table_and_figures(tmp_path: Path) -> None:
    yardstick = made_record(role="plain_gradient", label="plain gradient", minutes=-1)
    report = made([*comparison(), yardstick])
    assert report.title == "mnist_logreg: one, two"
    kinds = {"loss", "metric", "target"}
    units = {"iterations", "seconds", "gradients"}
    expected = {f"comparison-1-{kind}-{unit}" for kind in kinds for unit in units}
    assert expected | {"comparison-1-phases"} <= stems(report)
    text = written(tmp_path, report)
    for stem in stems(report):
        assert f"(figures/{stem}.png)" in text
        for ending in ("png", "svg", "pdf"):
            assert (tmp_path / "figures" / f"{stem}.{ending}").stat().st_size > 1000


def test_runs_under_other_conditions_get_a_section_each() -> None:
    report = made([*comparison(), *comparison(problem="quadratic")])
    assert report.title == "2 comparisons"
    assert [section.title for section in report.sections[:2]] == [
        "mnist_logreg, 3 iterations", "quadratic, 3 iterations",
    ]  # fmt: skip
    assert report.table is not None
    assert report.table.columns[0].name == "comparison"
    assert len(report.table.rows) == 4
    assert all(sentence.startswith(("mnist_logreg", "quadratic")) for sentence in report.answer)


def test_the_identity_is_of_the_runs() -> None:
    assert made(comparison()).identity == made(list(reversed(comparison()))).identity
    assert made(comparison()).identity != made(comparison()[:2]).identity


def test_nothing_stored_is_said(tmp_path: Path) -> None:
    report = made([])
    assert report.title == "Nothing to report yet"
    assert "optbench run" in report.answer[0]
    assert "Nothing to report yet" in written(tmp_path, report)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        written(tmp_path / name, made(comparison()))
    for path in (tmp_path / "first").rglob("*.*"):
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes(), path.name


@pytest.mark.usefixtures("_plain_pdf")
@pytest.mark.parametrize(
    "records",
    [
        [made_record(losses=[1.0], evaluations=[])],
        [made_record(losses=[2.0, math.inf], status="diverged", diverged_at=1)],
        [made_record(losses=[math.nan], status="diverged", diverged_at=0, evaluations=[])],
        [made_record(losses=[], status="failed", evaluations=[], error="Boom")],
        [made_record(metrics={"loss": "min"})],
        [made_record(losses=[1.0, -1.0, 0.0])],
        [made_record(losses=[3.0, 3.0], phase_s=(0.0, 0.0, 0.0, 0.0))],
        [made_record(evaluations=[{"iteration": 0.0, "seconds": 0.0, "loss": math.nan,
                                   "accuracy": math.inf}])],
        [made_record(metrics={}, evaluations=[])],
    ],
    ids=["one iteration", "diverged", "diverged at once", "failed at once", "no accuracy",
         "not positive", "no time", "not finite", "no metric"],
)  # fmt: skip
def test_odd_runs_are_reported(tmp_path: Path, records: list[RunRecord]) -> None:
    text = written(tmp_path / "alone", made(records))
    assert "# mnist\\_logreg: sgd" in text or "# mnist_logreg: sgd" in text
    written(tmp_path / "beside", made([*records, *comparison()]))


@pytest.mark.usefixtures("_plain_pdf")
def test_sixty_optimizers_are_in_the_table_and_twelve_in_the_figures(tmp_path: Path) -> None:
    records = [made_record(label=f"optimizer {n}", losses=[3.0, 1 + n / 60]) for n in range(60)]
    report = made(records)
    assert report.table is not None
    assert len(report.table.rows) == 60
    assert len(report.series) == 12
    assert any(
        isinstance(block, Paragraph) and "first 12 of 60" in block.text for block in blocks(report)
    )
    written(tmp_path, report)


def test_no_label_is_left_as_mathematics(tmp_path: Path) -> None:
    losses = [3.0 * 0.9**step for step in range(60)]
    written(tmp_path, made([made_record(label="a$_$b", losses=losses)]))
    drawn = (tmp_path / "figures" / "comparison-1-loss-iterations.svg").read_text()
    assert "mathdefault" not in drawn
    assert ">0.1</text>" in drawn
    assert "a$_$b" in drawn


def test_a_sweep_has_every_part(tmp_path: Path) -> None:
    found = outcome(valley(), SGD)
    report = contents.of_sweep(found, advising.advise(found), "optbench recommend")
    assert report.title == "Sweep of diag_ggn_mc, sgd on mnist_cnn, 201 iterations"
    assert stems(report) == {
        "sweep-1-1-map", "sweep-1-1-sensitivity", "sweep-1-1-spectrum", "sweep-1-2-map",
        "sweep-1-2-sensitivity", "sweep-1-together",
    }  # fmt: skip
    text = written(tmp_path, report)
    assert "optbench sweep" in text
    assert "Use --set" in " ".join(report.answer)


@pytest.mark.usefixtures("_plain_pdf")
@pytest.mark.parametrize(
    "swept",
    [
        valley(seeds=1),
        Swept(label="lost", optimizer="sgd", axes={"lr": (1,)}, measure=LOSS,
              trials=[trial({"lr": 1}, of=2)]),
        Swept(label="words", optimizer="sgd", axes={"nesterov": (True, False)}, measure=LOSS,
              trials=[trial({"nesterov": True}, 1.0, 1.1), trial({"nesterov": False}, 2.0, 2.1)]),
        Swept(label="none", optimizer="sgd", axes={}, measure=LOSS, trials=[trial({}, 1.0, 1.1)]),
    ],
    ids=["one seed", "nothing usable", "words", "one setting"],
)  # fmt: skip
def test_odd_sweeps_are_reported(tmp_path: Path, swept: Swept) -> None:
    found = outcome(swept, SGD)
    advice = advising.advise(found)
    assert swept.label in written(tmp_path, contents.of_sweep(found, advice, "optbench recommend"))
    assert swept.label in json.dumps([one.to_json() for one in advice], allow_nan=False)


def test_the_same_sweep_gives_the_same_bytes(tmp_path: Path) -> None:
    found = outcome(valley(), SGD)
    for name in ("first", "second"):
        advice = advising.advise(found)
        written(tmp_path / name, contents.of_sweep(found, advice, "optbench recommend"))
    for path in (tmp_path / "first").rglob("*.*"):
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_what_is_not_applicable_is_named_in_words_and_counts_as_no_run(tmp_path: Path) -> None:
    page = written(tmp_path, made([*comparison(), made_refusal()]))
    for text in (page, (tmp_path / "report.md").read_text()):
        assert "refused: not applicable: no rule for Tanh: use another" in text
        assert "not_applicable" not in text.replace("\\", "")
        assert "4 runs, 2026" in text
    report = made([made_refusal()])
    assert (report.title, report.cite) == ("mnist_logreg: refused", "")


def test_a_sweep_names_what_is_not_applicable() -> None:
    found = replace(outcome(SGD), refused={"newton": "newton: not applicable: no rule"})
    report = contents.of_sweep(found, advising.advise(found), "optbench sweep")
    assert report.answer[-1] == "newton: not applicable: no rule"
    told = [block.text for block in blocks(report) if isinstance(block, Paragraph)]
    assert "newton: not applicable: no rule" in told
