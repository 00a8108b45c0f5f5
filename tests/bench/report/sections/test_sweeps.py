"""What is said of a sweep: for each label a recommendation, its figures and its table."""

from collections.abc import Sequence

import pytest

from bench.recommend.swept import Swept
from bench.report.document import Facts, Figure, Figures, Folded, Heading, Paragraph, Section, Table
from bench.report.sections import sweeps
from bench.sweeps import advice as advising
from tests.bench.recommend import cases
from tests.bench.recommend.cases import SGD, outcome, valley


def section(*swept: Swept, curved: Sequence[str] = ("diag_ggn_mc",)) -> Section:
    found = outcome(*swept, curved=curved)
    return sweeps.section(found, advising.advise(found), 1, "optbench recommend")


def figures(part: Section) -> dict[str, Figure]:
    return {
        figure.stem: figure
        for block in part.blocks
        if isinstance(block, Figures)
        for figure in block.figures
    }


def test_every_label_has_its_recommendation_warnings_figures_and_table() -> None:
    found = outcome(valley(), SGD)
    advice = advising.advise(found)
    part = sweeps.section(found, advice, 1, "optbench recommend")
    assert part.title == "Sweep of diag_ggn_mc, sgd on mnist_cnn, 201 iterations"
    headings = [block.text for block in part.blocks if isinstance(block, Heading)]
    assert headings == ["diag_ggn_mc", "sgd", "All of them", "Where this comes from"]
    paragraphs = [block for block in part.blocks if isinstance(block, Paragraph)]
    for one in advice:
        assert set(one.sentences) <= {block.text for block in paragraphs if not block.warning}
        assert set(one.warnings) <= {block.text for block in paragraphs if block.warning}
    tables = {block.caption: block for block in part.blocks if isinstance(block, Table)}
    assert list(tables) == ["Settings of diag_ggn_mc, best first", "Settings of sgd, best first"]
    assert len(tables["Settings of sgd, best first"].rows) == 2


def test_it_says_what_was_swept_and_which_runs_there_are() -> None:
    part = section(SGD, curved=())
    (facts,) = [block for block in part.blocks if isinstance(block, Facts)]
    told = dict(facts.pairs)
    assert told["Swept by"] == "optbench sweep"
    assert told["Sweep"].endswith(", grid, objective val_loss")
    assert told["Report made by"] == "optbench recommend"
    (folded,) = [block for block in part.blocks if isinstance(block, Folded)]
    (runs,) = [block for block in folded.blocks if isinstance(block, Table)]
    assert folded.summary == "The runs behind the sweep (6)"
    assert [[cell.text for cell in row.cells[1:]] for row in runs.rows[:2]] == [
        ["sgd", "0", "sgd lr=0.1", "completed"], ["sgd", "1", "sgd lr=0.1", "completed"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("swept", "curved", "stems"),
    [
        (valley(), ["diag_ggn_mc"], ["map", "sensitivity", "spectrum"]),
        (SGD, [], ["map", "sensitivity"]),
        (cases.line({0.1: (0.1, 0.2)}), [], ["map"]),
        (cases.line({0.1: (0.1,), 1.0: ()}, of=2), [], ["map"]),
        (
            Swept(
                label="none",
                optimizer="sgd",
                axes={},
                measure=cases.LOSS,
                trials=[cases.trial({}, 1.0, 1.1)],
            ),
            [],
            [],
        ),
    ],
    ids=["curvature", "one number", "one value", "nothing complete", "no hyperparameter"],
)
def test_there_is_a_figure_where_there_is_something_to_draw(
    swept: Swept, curved: list[str], stems: list[str]
) -> None:
    part = section(swept, curved=curved)
    assert list(figures(part)) == [f"sweep-2-1-{stem}" for stem in stems]


def test_labels_are_drawn_together_against_damping_where_one_has_it() -> None:
    together = figures(section(SGD, valley()))["sweep-2-together"]
    assert together.title == "All of them against damping"
    assert "for sgd: " in together.alt
    assert "for diag_ggn_mc: " in together.alt
    without = figures(section(SGD, cases.line({0.1: (0.1, 0.2)}, label="adam"), curved=()))
    assert without["sweep-2-together"].title == "All of them against lr"
