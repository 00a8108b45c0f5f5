"""Figures stand in a page beside others, on any background, and carry whom they are about."""

import io
import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawn

from bench.report import inline
from bench.report.figures import style
from tests.bench.report import documents

SERIES = documents.made_series(["one", "two"])


def rendered(figure: Drawn) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context(style.STYLE):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def fitted(
    figure: Drawn, prefix: str = "_f0", title: str = "title", alt: str = "alt"
) -> ElementTree.Element:
    text = inline.svg(rendered(figure), prefix=prefix, title=title, alt=alt)
    return ElementTree.fromstring(text)


def drawn(draw: Callable[[Axes], object]) -> Drawn:
    with mpl.rc_context(style.STYLE):
        figure = Drawn(figsize=(4, 3))
        draw(figure.subplots())
    return figure


def styles(element: ElementTree.Element, tag: str) -> str:
    return " ".join(each.get("style", "") for each in element.iter(tag))


def test_no_style_sheet_metadata_or_name_space_is_left() -> None:
    text = inline.svg(rendered(documents.lines(SERIES)), prefix="_f0", title="t", alt="a")
    assert not re.search(r"<style|<metadata|xmlns|xlink|<!--|<\?xml|font-family", text)
    assert not re.match(r"<svg[^>]* (width|height)=", text)
    assert len(text) < 0.6 * len(rendered(documents.lines(SERIES)))


def test_ids_begin_with_the_prefix_and_every_reference_is_met() -> None:
    shown = fitted(documents.lines(SERIES), prefix="_f7")
    ids = [element.get("id", "") for element in shown.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("_f7-") for name in ids)
    text = ElementTree.tostring(shown, encoding="unicode")
    referred = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    assert referred
    assert {one or other for one, other in referred} <= set(ids)


def test_definitions_stand_outside_groups_that_can_be_hidden() -> None:
    shown = fitted(documents.lines(SERIES))
    assert len(list(shown.iter("defs"))) == 1
    assert shown.find("defs") is not None


def test_groups_tell_series_and_part() -> None:
    groups = fitted(documents.lines(SERIES)).iter("g")
    found = [(g.get("data-series"), g.get("data-part")) for g in groups if g.get("data-series")]
    assert found.count(("0", "line")) == 2  # the band and the median
    assert found.count(("1", "seeds")) == 2


def test_a_screen_reader_is_told_title_and_description() -> None:
    shown = fitted(documents.lines(SERIES), title="a <b> & c", alt='"d"')
    by_id = {element.get("id"): element.text for element in shown.iter() if element.get("id")}
    assert shown.get("role") == "img"
    assert by_id[shown.get("aria-labelledby")] == "a <b> & c"
    assert by_id[shown.get("aria-describedby")] == '"d"'


def test_ink_and_background_follow_the_page() -> None:
    shown = fitted(documents.lines(SERIES))
    used = ElementTree.tostring(shown, encoding="unicode")
    assert shown.get("class") == "plot"
    assert "var(--grid)" in used
    assert "fill:currentColor" in styles(shown, "text")
    assert not re.search(r"#262626|#cccccc|#ffffff|#000000", used)
    assert SERIES[0].colour in used


def test_black_lines_bars_and_white_text_stay_legible() -> None:
    def draw(axes: Axes) -> None:
        axes.axvline(0.5, color="black")
        axes.barh([0], [1], color="black")
        axes.text(0.1, 0, "said on a bar", color="white")

    shown = fitted(drawn(draw))
    assert "stroke:currentColor" in styles(shown, "path")
    assert shown.get("fill") == "currentColor"  # of what matplotlib leaves black
    assert "#ffffff" in styles(shown, "text")


def test_meshes_and_scattered_points_keep_their_colours() -> None:
    def draw(axes: Axes) -> None:
        axes.pcolormesh([[0.0, 1.0]], cmap="Greys")
        axes.scatter([0.5], [0.5], color="#262626")

    shown = fitted(drawn(draw))
    assert "fill:#ffffff" in styles(shown, "path")
    assert "fill:#262626" in styles(shown, "use")
    assert [group.get("fill") for group in shown.iter("g")].count("#000000") == 2


def test_a_figure_on_paper_keeps_all_colours() -> None:
    shown = fitted(documents.heat_map())
    assert shown.get("class") == "paper"
    assert shown.get("fill") is None
    text = ElementTree.tostring(shown, encoding="unicode")
    assert "currentColor" not in text
    assert "var(" not in text
    assert "fill:#ffffff" in styles(shown, "text")


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("M 0 230.4 \nL 331.204 230.396 \nL 1 2 \nz\n", "M 0 230.4 331.2 230.4 1 2 z"),
        ("M 0.001 -0.001 L 1 2 M 3 4 L 5 6", "M 0 0 1 2 M 3 4 5 6"),
        ("M 1 2 C 1 2 3 4 5 6 C 1 2 3 4 5 6 L 7 8", "M 1 2 C 1 2 3 4 5 6 1 2 3 4 5 6 L 7 8"),
        ("M 1e-05 1.5e-07 L 2 2", "M 1e-05 0 2 2"),
    ],
    ids=["lines", "two parts", "curves", "tiny"],
)
def test_paths_are_short(path: str, short: str) -> None:
    svg = f'<svg viewBox="0 0 4 4"><path d="{path}"/></svg>'.encode()
    shown = ElementTree.fromstring(inline.svg(svg, prefix="_f0", title="t", alt="a"))
    assert [element.get("d") for element in shown.iter("path")] == [short]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("label", documents.HOSTILE)
def test_hostile_labels_are_text(label: str) -> None:
    shown = fitted(documents.lines(documents.made_series([label])))
    assert not {"script", "img"} & {element.tag for element in shown.iter()}
