"""The page of a report in a real browser: it works, reads well, and hostile text does no harm."""

import math
import os
from pathlib import Path

import pytest

from bench.report import writer
from bench.report.document import Cell, Column, Folded, Report, Row, Section, Table
from tests.bench.report import documents
from tests.browser.conftest import Open
from tests.browser.layout import flaws

if os.environ.get("OPTBENCH_REQUIRE_BROWSER") != "1":
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

SIZES = [(360, 740), (1400, 900)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = documents.made_report(warnings=["Full MNIST was not at hand."])
    return writer.write(tmp_path_factory.mktemp("report"), report)


def names(page: Page, table: str = "#summary") -> list[str]:
    return page.locator(f"{table} tbody tr:visible > th").all_inner_texts()


def column(page: Page, name: str, table: str = "#summary") -> Locator:
    return page.locator(f"{table} thead th").filter(has_text=name)


def test_a_table_is_sorted_up_down_and_as_it_was(made: Path, open_page: Open) -> None:
    page = open_page(made)
    before = names(page)
    header = column(page, "test accuracy")
    for direction, order in (
        ("ascending", before[::-1]),
        ("descending", before),
    ):
        header.get_by_role("button").click()
        expect(header).to_have_attribute("aria-sort", direction)
        assert names(page) == order
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") is None
    assert names(page) == before


@pytest.mark.parametrize(("width", "wider"), [(360, True), (1400, False)])
def test_a_table_that_is_wider_than_its_place_says_that_it_scrolls(
    tmp_path: Path, open_page: Open, width: int, wider: bool
) -> None:
    columns = [Column(name="optimizer"), *(Column(name=f"n{i}", numeric=True) for i in range(6))]
    cells = [Cell(text="adam"), *(Cell(text="0.12345", value=0.12345) for _ in range(6))]
    table = Table(caption="Some", columns=columns, rows=[Row(cells=cells)], anchor="wide")
    page = open_page(writer.write(tmp_path, Report(title="t", answer=[], table=table)))
    page.set_viewport_size({"width": width, "height": 740})
    expect(page.locator(".scroll[data-wider]")).to_have_count(1 if wider else 0)
    told = page.locator(".scroll caption span").evaluate(
        "one => getComputedStyle(one, '::after').content"
    )
    assert ("scrolls sideways" in told) == wider


def test_one_column_at_a_time_is_sorted(made: Path, open_page: Open) -> None:
    page = open_page(made)
    for name in ("optimizer", "cost"):
        column(page, name).get_by_role("button").click()
    expect(page.locator("#summary [aria-sort]")).to_have_text(["cost"])


@pytest.mark.parametrize(
    ("values", "up", "down"),
    [
        ([math.nan, 3.0, math.inf, 20.0, -1.0, 3.0], "415320", "315420"),  # equal ones as they were
        ([None, "b10", "b9", "a", math.nan, math.inf], "321054", "012354"),
    ],
    ids=["numbers", "text"],
)
def test_misses_and_what_was_not_measured_come_last(
    tmp_path: Path, open_page: Open, values: list[float | str | None], up: str, down: str
) -> None:
    rows = [
        Row(cells=[Cell(text=str(n)), Cell(text="c", value=value)])
        for n, value in enumerate(values)
    ]
    columns = [Column(name="n"), Column(name="v")]
    table = Table(caption="t", columns=columns, rows=rows, anchor="summary")
    page = open_page(writer.write(tmp_path, Report(title="t", answer=[], table=table)))
    for order in (up, down, "012345"):
        column(page, "v").get_by_role("button").click()
        assert "".join(names(page)) == order


def test_a_chip_hides_rows_and_curves(made: Path, open_page: Open) -> None:
    page = open_page(made)
    chip = page.get_by_role("checkbox", name="adam", exact=True)
    curves = page.locator('svg [data-series="2"][data-part="line"]:visible')
    assert curves.count() == 6  # a line and a band in each of three figures
    chip.uncheck()
    assert names(page) == ["diag_ggn_mc", "diag_ggn_exact", "sgd"]
    assert curves.count() == 0
    chip.check()
    assert names(page) == ["diag_ggn_mc", "diag_ggn_exact", "adam", "sgd"]
    page.get_by_role("button", name="Show none").click()
    assert names(page) == []
    expect(page.locator("[data-shows]:checked")).to_have_count(0)
    page.get_by_role("button", name="Show all").click()
    assert len(names(page)) == 4
    assert curves.count() == 6


def test_hidden_rows_stay_hidden_when_sorted(made: Path, open_page: Open) -> None:
    page = open_page(made)
    page.get_by_role("checkbox", name="adam", exact=True).uncheck()
    column(page, "optimizer").get_by_role("button").click()
    assert names(page) == ["diag_ggn_exact", "diag_ggn_mc", "sgd"]


def shown_scales(page: Page) -> list[tuple[str | None, str | None]]:
    return [
        (one.get_attribute("data-x"), one.get_attribute("data-y"))
        for one in page.locator(".variant:visible").all()
    ]


def test_scales_are_chosen_for_all_figures_that_have_them(made: Path, open_page: Open) -> None:
    page = open_page(made)
    log_y = page.get_by_role("checkbox", name="Logarithmic y")
    log_x = page.get_by_role("checkbox", name="Logarithmic x")
    only = ("linear", "linear")  # the heat map has no other
    assert shown_scales(page) == [("linear", "log"), ("linear", "log"), only, only]
    expect(log_y).to_be_checked()
    log_x.check()
    assert shown_scales(page) == [("log", "log")] * 3 + [only]
    log_y.uncheck()
    assert shown_scales(page) == [("log", "linear")] * 3 + [only]
    log_x.uncheck()
    assert shown_scales(page) == [only] * 4


def test_single_runs_are_shown_when_asked_for(made: Path, open_page: Open) -> None:
    page = open_page(made)
    runs = page.locator('[data-part="seeds"]:visible')
    assert runs.count() == 0
    page.get_by_role("checkbox", name="Single runs").check()
    assert runs.count() == 3 * 4 * 2
    page.get_by_role("checkbox", name="sgd", exact=True).uncheck()
    assert runs.count() == 3 * 3 * 2


def test_a_number_opens_the_runs_behind_it(made: Path, open_page: Open) -> None:
    page = open_page(made)
    link = page.locator("#summary tbody tr").nth(2).get_by_role("link").nth(1)
    link.click()
    dialog = page.get_by_role("dialog", name="Runs of adam")
    expect(dialog).to_be_visible()
    assert dialog.locator("thead .asked").all_inner_texts() == ["train loss"]
    assert dialog.locator("tbody .asked").all_inner_texts() == ["0.30", "0.28", "0.26"]
    assert dialog.locator(".body [id]").count() == 0
    dialog.get_by_role("button", name="train loss").click()
    assert dialog.locator("tbody .asked").all_inner_texts() == ["0.26", "0.28", "0.30"]
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(link).to_be_focused()
    assert page.locator("#runs-0-2 tbody td:nth-child(3)").first.text_content() == "0.30"


@pytest.mark.parametrize("way", ["button", "backdrop"])
def test_the_runs_are_left(made: Path, open_page: Open, way: str) -> None:
    page = open_page(made, viewport={"width": 1400, "height": 900})
    link = page.locator("a.runs").first
    link.click()
    dialog = page.locator("dialog")
    expect(dialog).to_be_visible()
    dialog.locator("h2").click()
    expect(dialog).to_be_visible()
    if way == "button":
        dialog.get_by_role("button", name="Close").click()
    else:
        page.mouse.click(5, 5)
    expect(dialog).to_be_hidden()
    expect(link).to_be_focused()


def test_an_address_opens_what_is_folded(made: Path, open_page: Open) -> None:
    page = open_page(made, "#runs-0-3")
    expect(page.locator("#runs-0-3")).to_be_in_viewport()
    page = open_page(made, "#%E0%A4%A")  # no address at all
    expect(page.locator("h1")).to_be_visible()


def test_every_figure_says_what_it_is(made: Path, open_page: Open) -> None:
    page = open_page(made)
    figures = page.get_by_role("img")
    expect(figures).to_have_count(4)
    for figure, title in zip(figures.all(), page.locator("figcaption b").all(), strict=True):
        expect(figure).to_have_accessible_name(title.inner_text())
    expect(figures.first).to_have_accessible_description(
        "Line plot of four optimizers whose loss falls from 2.3 to about 0.1."
    )


def tab_to(page: Page, target: Locator) -> None:
    for _ in range(100):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail("not reached by the keyboard")


def test_the_keyboard_is_enough(made: Path, open_page: Open) -> None:
    page = open_page(made)
    tab_to(page, column(page, "cost").get_by_role("button"))
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(column(page, "cost")).to_have_attribute("aria-sort", "descending")
    tab_to(page, page.get_by_role("checkbox", name="sgd", exact=True))
    page.keyboard.press("Space")
    assert "sgd" not in names(page)
    tab_to(page, page.get_by_role("checkbox", name="Logarithmic y"))
    page.keyboard.press("Space")
    assert shown_scales(page)[0] == ("linear", "linear")
    tab_to(page, page.locator("section summary").last)
    page.keyboard.press("Enter")
    expect(page.locator("#runs-0-0")).to_be_visible()


COVERED = """() => {
  const active = document.activeElement, bar = document.querySelector(".controls");
  if (active === document.body || bar.contains(active)) return false;
  return active.getBoundingClientRect().top < bar.getBoundingClientRect().bottom - 1
    && active.getBoundingClientRect().bottom > bar.getBoundingClientRect().top + 1;
}"""


def test_the_controls_never_cover_what_has_the_focus(made: Path, open_page: Open) -> None:
    page = open_page(made, viewport={"width": 1400, "height": 700}, reduced_motion="reduce")
    assert page.locator(".controls").evaluate("one => getComputedStyle(one).position") == "sticky"
    page.locator("section summary").last.click()
    page.locator("button[data-copies]").or_(page.locator(".files a")).last.focus()
    for _ in range(40):
        assert not page.evaluate(COVERED)
        page.keyboard.press("Shift+Tab")


def test_without_scripts_everything_can_be_read(made: Path, open_page: Open) -> None:
    page = open_page(made, java_script_enabled=False)
    expect(page.locator(".controls")).to_be_hidden()
    assert page.get_by_role("button").count() == 0
    assert names(page) == list(documents.NAMES)
    expect(page.locator(".variant:visible")).to_have_count(4)
    page.locator("a.runs").first.click()
    expect(page.locator("#runs-0-0")).to_be_in_viewport()


def test_on_paper_there_are_no_controls_and_folds_are_open(made: Path, open_page: Open) -> None:
    page = open_page(made, color_scheme="dark")
    page.emulate_media(media="print")
    for hidden in (".controls", "nav", ".files", "dialog"):
        assert page.locator(f"{hidden}:visible").count() == 0
    expect(page.locator("#runs-0-0 table")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_the_first_screen_has_answer_warning_and_table(made: Path, open_page: Open) -> None:
    page = open_page(made, viewport={"width": 1400, "height": 900})
    for selector in ("h1", ".lead", ".warning >> nth=0", "#summary tbody tr >> nth=3"):
        expect(page.locator(selector)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_overlaps(
    made: Path, open_page: Open, scheme: str, width: int, height: int
) -> None:
    page = open_page(made, viewport={"width": width, "height": height}, color_scheme=scheme)
    assert flaws(page) == []
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert flaws(page) == []
    page.locator("a.runs").first.click()
    assert page.locator("dialog .bar").evaluate("one => one.scrollWidth <= one.clientWidth")


CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const channels = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + [0.2126, 0.7152, 0.0722][n] * c, 0);
  const poor = [];
  for (const one of document.querySelectorAll("body *:not(svg, svg *, script)")) {
    const text = [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !one.checkVisibility()) continue;
    const behind = [];
    for (let up = one; up; up = up.parentElement) {
      behind.unshift(getComputedStyle(up).backgroundColor);
    }
    const below = luminance(channels(behind));
    const ink = luminance(channels([...behind, getComputedStyle(one).color]));
    const ratio = (Math.max(ink, below) + 0.05) / (Math.min(ink, below) + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)}: ${one.textContent.slice(0, 40)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(made: Path, open_page: Open, scheme: str) -> None:
    page = open_page(made, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.get_by_role("checkbox", name="sgd", exact=True).uncheck()
    assert page.evaluate(CONTRASTS) == []
    page.locator("a.runs").first.click()
    assert page.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("text", documents.HOSTILE)
def test_hostile_text_does_no_harm(tmp_path: Path, open_page: Open, text: str) -> None:
    page = open_page(writer.write(tmp_path, documents.hostile_report(text)))
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert flaws(page) == []
    page.locator("#summary thead button").first.click()
    page.locator("#runs-0 a.runs").first.click()
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-shows]").first.uncheck()
    assert page.evaluate("window.__pwned") is None


def test_sixty_series_leave_room_for_the_rest(tmp_path: Path, open_page: Open) -> None:
    report = documents.made_report([f"optimizer {n}" for n in range(60)])
    short = Report(title="t", answer=[], series=report.series, table=report.table)
    for width, height in SIZES:
        viewport = {"width": width, "height": height}
        page = open_page(writer.write(tmp_path, short), viewport=viewport)
        assert flaws(page) == []
        bar = page.locator(".controls").bounding_box()
        assert bar is not None
        assert bar["height"] < height / 3
        page.get_by_role("checkbox", name="optimizer 59").uncheck()
        assert len(names(page)) == 59


def test_ten_thousand_rows_can_be_sorted(tmp_path: Path, open_page: Open) -> None:
    folded = Folded(summary="Runs", blocks=[documents.runs_table(0, "sgd", rows=10_000)])
    section = Section(title="s", anchor="s", blocks=[folded])
    page = open_page(writer.write(tmp_path, Report(title="t", answer=[], sections=[section])))
    page.locator("summary", has_text="Runs").click()
    for _ in range(2):
        column(page, "seed", "#runs-0-0").get_by_role("button").click()
    expect(page.locator("#runs-0-0 tbody th").first).to_have_text("9999")
