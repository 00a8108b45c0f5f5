"""Reports become files, the same bytes each time, or an error that says why not."""

import re
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.report import writer
from bench.report.document import Figure, Figures, Report, Section
from tests.bench.report import documents


def small(stem: str = "loss", label: str = "sgd", figures: int = 1) -> Report:
    series = documents.made_series([label])
    drawn = [documents.made_figure(stem, series) for _ in range(figures)]
    return with_figures(*drawn)


def with_figures(*figures: Figure) -> Report:
    section = Section(title="s", anchor="s", blocks=[Figures(figures=figures)])
    return Report(title="t", answer=["a"], sections=[section])


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_report_is_a_page_markdown_and_figures(tmp_path: Path) -> None:
    path = writer.write(tmp_path / "new" / "report", small())
    assert path == tmp_path / "new" / "report" / "report.html"
    found = files(path.parent)
    assert set(found) == {
        "report.html", "report.md", "figures/loss.svg", "figures/loss.pdf", "figures/loss.png",
    }  # fmt: skip
    assert found["figures/loss.svg"].startswith(b"<?xml")
    assert found["figures/loss.pdf"].startswith(b"%PDF")
    assert found["figures/loss.png"].startswith(b"\x89PNG")
    assert found["report.html"].count(b'role="img"') == 4  # the scales of both axes


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    report = documents.made_report()
    for name in ("first", "second"):
        writer.write(tmp_path / name, report)
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_a_report_is_replaced(tmp_path: Path) -> None:
    writer.write(tmp_path, small(label="before"))
    writer.write(tmp_path, small(label="after"))
    writer.write(tmp_path / "fresh", small(label="after"))
    replaced = {name: text for name, text in files(tmp_path).items() if "fresh" not in name}
    assert replaced == files(tmp_path / "fresh")


def test_figures_do_not_share_ids(tmp_path: Path) -> None:
    page = writer.write(tmp_path, documents.made_report()).read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", documents.HOSTILE)
def test_hostile_text_is_written(tmp_path: Path, text: str) -> None:
    series = documents.made_series([text])
    figure = documents.made_figure("loss", series, title=text, text=text)
    writer.write(tmp_path, with_figures(figure))
    assert b"<script>w" not in (tmp_path / "report.html").read_bytes()


@pytest.mark.parametrize("stem", ["../../etc", "a/b", "", "A", "-a", "a.b", "a\n", "loss "])
def test_a_stem_that_is_no_plain_name_is_refused(tmp_path: Path, stem: str) -> None:
    with pytest.raises(ValueError, match="stem is of a-z, 0-9 and '-', not"):
        writer.write(tmp_path, small(stem))
    assert not files(tmp_path)


def test_two_figures_of_one_stem_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Two figures have the stem 'loss'"):
        writer.write(tmp_path, small(figures=2))


@pytest.mark.parametrize(
    ("taken", "message"),
    [("", "cannot be made"), ("figures", "cannot be made"), ("report.html/x", "cannot be written")],
    ids=["folder", "figures", "page"],
)
def test_what_is_in_the_way_is_told_in_a_line(tmp_path: Path, taken: str, message: str) -> None:
    folder = tmp_path / "report"
    (folder / taken).parent.mkdir(parents=True, exist_ok=True)
    (folder / taken).write_text("in the way")
    with pytest.raises(UsageError, match=rf"eport.*{message}[^\n]*\.$"):
        writer.write(folder, small())
    assert not list(tmp_path.rglob("*.tmp"))
