"""Pages and Markdown say everything, and hostile text stays text."""

import base64
import hashlib
import math
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from bench.report import page
from bench.report.document import Cell, Column, Paragraph, Report, Row, Section, Table
from bench.support.text import plain
from tests.bench.report import documents

VOID = {"meta", "input", "br", "img", "path", "use"}


class Seen(HTMLParser):
    """What a parser makes of a page: tags with attributes, and text outside script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(report: Report) -> str:
    """The page, with a stand-in for each drawing."""
    drawings = {
        figure.stem: [Markup("<svg></svg>") for _ in figure.variants]
        for figure in page.figures(report)
    }
    return page.html(report, drawings)


def tokens(report: Report) -> Iterator[Token]:
    """What a Markdown reader makes of a report."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.markdown(report)):
        yield token
        yield from token.children or []


def one_table(*cells: Cell, numeric: bool = False) -> Report:
    columns = [Column(name=f"c{n}", numeric=numeric) for n in range(len(cells))]
    table = Table(caption="", columns=columns, rows=[Row(cells=cells)])
    return Report(title="t", answer=[], table=table)


@pytest.mark.parametrize("text", documents.HOSTILE)
def test_hostile_text_is_text_in_the_page(text: str) -> None:
    report = documents.hostile_report(text)
    found, harmless = Seen(written(report)), Seen(written(documents.hostile_report("harmless")))
    assert [tag for tag, _ in found.tags] == [tag for tag, _ in harmless.tags]
    for (_, attributes), (_, expected) in zip(found.tags, harmless.tags, strict=True):
        assert list(attributes) == list(expected)
    assert sum(plain(text) in shown for shown in found.texts) > 40
    assert found.stack == []


@pytest.mark.parametrize("text", documents.HOSTILE)
def test_hostile_text_is_text_in_markdown(text: str) -> None:
    found = list(tokens(documents.hostile_report(text)))
    expected = list(tokens(documents.hostile_report("harmless")))
    assert [token.type for token in found if token.type != "text"] == [
        token.type for token in expected if token.type != "text"
    ]
    headings = [
        "".join(child.content for child in found[n + 1].children or [])
        for n, token in enumerate(found)
        if token.type == "heading_open"
    ]
    assert set(headings) == {plain(text).strip()}


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "---", "===", "1. a", "2) a", "    a"])
def test_no_paragraph_becomes_a_block(text: str) -> None:
    section = Section(title="s", anchor="s", blocks=[Paragraph(text="one"), Paragraph(text=text)])
    found = [token.type for token in tokens(Report(title="t", answer=[text], sections=[section]))]
    assert found.count("paragraph_open") == 3
    assert found.count("heading_open") == 2
    assert not {"hr", "bullet_list_open", "ordered_list_open", "code_block"} & set(found)


def test_an_empty_report_is_a_page() -> None:
    report = Report(title="Nothing was compared", answer=[])
    found = Seen(written(report))
    assert not found.of("table")
    assert not [a for a in found.of("div") if a.get("class") == "controls"]
    assert page.markdown(report) == "# Nothing was compared\n"


def test_only_the_one_script_may_run() -> None:
    text = written(documents.made_report())
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [
        attributes["content"]
        for attributes in Seen(text).of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_a_page_asks_for_nothing_else() -> None:
    found = Seen(written(documents.made_report()))
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        assert "src" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    outside = [a["href"] or "" for a in found.of("a") if not (a["href"] or "").startswith("#")]
    assert all(re.fullmatch(r"figures/[a-z0-9-]+\.(svg|pdf|png)", href) for href in outside)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (0.1, "0.1"),
        (3, "3.0"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_written_for_javascript(value: float, shown: str) -> None:
    (cell,) = Seen(written(one_table(Cell(text="x", value=value)))).of("th")[1:]
    assert cell["data-value"] == shown


def test_cells_are_sorted_by_their_text_where_they_have_no_value() -> None:
    report = one_table(
        Cell(text="a"), Cell(text="b", value="key"), Cell(text="c", detail="1–2"), numeric=True
    )
    found = Seen(written(report))
    assert [cell.get("data-key") for cell in found.of("td")] == ["key", "c"]
    assert "data-key" not in found.of("th")[-1]


def test_marks_are_said_in_words() -> None:
    report = one_table(Cell(text="1", mark="best"), Cell(text="2", mark="tied"))
    assert [text for text in Seen(written(report)).texts if text in ("best", "tied")] == [
        "best",
        "tied",
    ]
    assert "| **1** | 2 (tied) |" in page.markdown(report)


def test_a_cell_leads_to_its_runs_only_if_they_are_there() -> None:
    report = documents.made_report()
    links = [a for a in Seen(written(report)).of("a") if a.get("class") == "runs"]
    assert {link["href"] for link in links} == {f"#runs-0-{n}" for n in range(4)}
    assert {link["data-quantity"] for link in links} == {"test accuracy", "train loss", "status"}
    assert not Seen(written(one_table(Cell(text="1", runs="nowhere")))).of("a")


def test_columns_that_mean_the_same_are_explained_together() -> None:
    texts = Seen(written(documents.made_report())).texts
    assert "ms per iteration, data, forward, backward, step" in texts


def test_the_first_variant_is_shown_and_scales_can_be_chosen() -> None:
    found = Seen(written(documents.made_report()))
    variants = [a for a in found.of("div") if a.get("class") == "variant"]
    assert [(a["data-x"], a["data-y"], "hidden" in a) for a in variants[:4]] == [
        ("linear", "log", False),
        ("linear", "linear", True),
        ("log", "log", True),
        ("log", "linear", True),
    ]
    switches = {a["data-scale"]: "checked" in a for a in found.of("input") if "data-scale" in a}
    assert switches == {"y": True, "x": False}


def test_controls_need_the_script() -> None:
    found = Seen(written(documents.made_report()))
    (controls,) = [a for a in found.of("div") if a.get("class") == "controls"]
    assert "hidden" in controls
    assert [a for a in found.of("button") if "data-copies" in a and "hidden" in a]


def test_contents_are_listed_from_three_sections_on() -> None:
    report = documents.made_report()
    assert Seen(written(report)).of("nav")
    short = Report(title="t", answer=[], sections=report.sections[1:])
    assert not Seen(written(short)).of("nav")


def test_sixty_series_each_have_a_chip_and_a_symbol() -> None:
    found = Seen(written(documents.made_report([f"label {n}" for n in range(60)])))
    assert len([a for a in found.of("input") if "data-shows" in a]) == 60
    assert {a["id"] for a in found.of("symbol")} == {f"_series-{n}" for n in range(60)}


def test_ids_are_unique() -> None:
    ids = [a["id"] for _, a in Seen(written(documents.made_report())).tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_markdown_lays_figures_side_by_side_and_folds() -> None:
    text = page.markdown(documents.made_report(warnings=["Few digits."]))
    assert "> **Warning:** Few digits." in text
    assert "| Training loss against iterations | Loss against seconds | Accuracy |" in text
    assert "![A heat map of 18 settings.](figures/heat-map.png)" in text
    assert "<details>\n<summary>The runs behind the numbers</summary>\n\n**Runs of" in text
    assert "- Machine: 2 cores\n" in text
    assert "| **0.978** (0.974–0.981) |" in text
