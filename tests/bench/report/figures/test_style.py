"""What all figures share: colours, texts that fit, ticks without mathematics, the same bytes."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bench.report.figures import style


def plotted(label: str = "sgd") -> Figure:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2, 3], label=label)
    axes.set_title(label)
    axes.set_xlabel(label)
    axes.text(1, 1, label)
    axes.legend(title=label)
    figure.legend()
    figure.suptitle(label)
    return figure


def test_every_label_has_a_colour_of_its_own() -> None:
    found = style.palette([f"{n}" for n in range(10)])
    assert list(found) == [f"{n}" for n in range(10)]
    assert len(set(found.values())) == 10
    assert style.palette([]) == {}


def test_texts_are_made_fit_line_by_line() -> None:
    """Controls are replaced, what is long is cut, and breaks that the figure has stay."""
    figure = plotted("a\x00b\n" + "x" * 200)
    style.fit_texts(figure)
    expected = "a\ufffdb\n" + "x" * (style.LONGEST - 1) + "…"
    assert {text.get_text() for text in style._texts(figure)} == {expected, ""}


def test_the_same_figure_gives_the_same_bytes_without_a_date(tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in style.save(plotted(), tmp_path / name / "figure")]
        for name in ("one", "two")
    )
    assert first == second
    assert b"<dc:date>" not in first[1]
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"figure.png", "figure.svg"}


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.9, 11.0, ["1", "2", "5", "10"]),
        (0.1, 99.0, ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"]),
        (1.0, 1000.0, ["1", "10", "100", "1000"]),
    ],
    ids=["one decade", "nearly three", "three"],
)
def test_ticks_are_plain_numbers_and_at_least_two(
    low: float, high: float, labels: list[str]
) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_ylim(low, high)
    style.log_scale(axes)
    figure.draw_without_rendering()
    shown = [
        label.get_text()
        for label in axes.get_yticklabels()
        if low <= float(label.get_text() or "nan") <= high
    ]
    assert shown == labels
