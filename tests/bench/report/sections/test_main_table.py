"""The table of the first screen: its numbers are those of the runs, and lead to them."""

from bench.report.document import Table
from bench.report.sections.main_table import table
from tests.bench.comparison.cases import analysed
from tests.bench.records import made_record, made_refusal
from tests.bench.report.cases import blocks, comparison, made


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


def test_of_several_comparisons_each_row_says_which_one_and_to_which_target() -> None:
    """Targets that differ share a column."""
    one, other = (
        analysed(comparison(problem=name), wanted=[("accuracy", level)])
        for name, level in (("mnist_cnn", 0.5), ("quadratic", 0.9))
    )
    found = table([one, other], [])
    names = [column.name for column in found.columns]
    assert names[:2] == ["comparison", "optimizer"]
    at = names.index("seconds to target")
    assert [row.cells[0].text for row in found.rows] == [
        "mnist_cnn, 3 iterations", "mnist_cnn, 3 iterations",
        "quadratic, 3 iterations", "quadratic, 3 iterations",
    ]  # fmt: skip
    assert [row.cells[at].detail for row in found.rows] == [
        *["0.0150–0.0150 to 0.5"] * 2, *["0.0300–0.0300 to 0.9"] * 2,
    ]  # fmt: skip


def test_a_row_says_what_became_of_its_runs() -> None:
    records = [
        *comparison(),
        made_record(label="one", run_id="lost", seed=2, status="diverged", diverged_at=2),
        made_record(label="one", run_id="failed", seed=5, status="failed"),
    ]
    found = table([analysed(records)], [])
    at = [column.name for column in found.columns].index("completed")
    (one,) = [row.cells[at] for row in found.rows if row.cells[0].text == "one"]
    assert (one.text, one.detail, one.value) == ("2 of 4", "1 diverged, 1 failed", 0.5)
    assert one.tip == "Seeds 0, 1, 2, 5"


def test_lengths_have_columns_only_where_they_differ() -> None:
    alike = table([analysed(comparison())], [])
    assert "iterations" not in [column.name for column in alike.columns]
    until = ("accuracy", 0.9)
    longer = table([analysed([made_record(until=until), made_record(until=until, seed=1)])], [])
    assert {"iterations", "seconds"} <= {column.name for column in longer.columns}


def test_a_row_says_that_it_is_not_applicable_and_why() -> None:
    records = [*comparison(), made_refusal(), made_refusal("one", seed=5)]
    found = table([analysed(records)], [])
    at = [column.name for column in found.columns].index("completed")
    cells = {row.cells[0].text: row.cells[at] for row in found.rows}
    assert list(cells) == ["one", "two", "refused"]
    assert cells["refused"].text == "not applicable"
    assert cells["refused"].tip == "refused: not applicable: no rule for Tanh: use another"
    assert (cells["one"].text, cells["one"].detail) == ("2 of 3", "1 not applicable")
