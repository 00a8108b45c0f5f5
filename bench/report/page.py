"""A report as a page and as Markdown, with Jinja2: all text is escaped by the templates."""

import base64
import hashlib
import html as html_text
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report.document import Block, Column, Figure, Figures, Folded, Report, Table, Variant
from bench.support.text import escape_markdown, plain

_TEMPLATES = Path(__file__).with_name("templates")
_MANY_ROWS = 50
_NUMBERED = re.compile(r"(\d{1,9})([.)](?:\s|$))")
_STARTS_A_BLOCK = re.compile(r"#{1,6}(\s|$)|[-+](\s|$)|[-=]+\s*$")


def html(report: Report, drawings: Mapping[str, Sequence[Markup]]) -> str:
    """The page of a report, which needs nothing else.

    Args:
        report: The report.
        drawings: The variants of each figure as SVG, by the figure's stem.
    """
    script = _asset("script.js")
    drawn = list(figures(report))
    seeds = any('data-part="seeds"' in drawing for one in drawings.values() for drawing in one)
    return (
        _environment(_as_text)
        .get_template("report.html.j2")
        .render(
            report=report,
            drawings=drawings,
            style=_asset("style.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            anchors={table.anchor for table in _tables(report) if table.anchor},
            scales={
                "y": _first_scale(drawn, lambda variant: variant.y),
                "x": _first_scale(drawn, lambda variant: variant.x),
            },
            seeds=seeds,
        )
    )


def markdown(report: Report) -> str:
    """A report as GitHub's Markdown; its figures are files in ``figures/``."""
    text = _environment(_as_markdown).get_template("report.md.j2").render(report=report)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


@cache
def _environment(finalize: Callable[[Any], Any]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=finalize,
    )
    filters: dict[str, Callable[[Any], Any]] = {
        "kind": lambda block: type(block).__name__,
        "sortable": _sortable,
        "explained": _explained,
        "many_rows": lambda folded: _rows_in(folded.blocks) > _MANY_ROWS,
        "html_text": lambda text: Markup(html_text.escape(plain(text))),
    }
    environment.filters |= filters
    return environment


@cache
def _asset(name: str) -> Markup:
    """Our own style sheet or script, as it is."""
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))


def _as_text(value: Any) -> Any:
    """Anything that a template writes, before it is escaped for HTML."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value)
    return value


def _as_markdown(value: Any) -> Any:
    """Anything that a template writes, escaped for Markdown, which is not escaped further."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = escape_markdown(plain(value)).strip()
    if _STARTS_A_BLOCK.match(text):  # a heading, a list, or a line under a heading
        text = f"\\{text}"
    if number := _NUMBERED.match(text):
        text = f"{number[1]}\\{text[number.end(1) :]}"
    return Markup(text)


def _sortable(value: float) -> str:
    """A number as JavaScript reads it."""
    return repr(float(value)).replace("inf", "Infinity").replace("nan", "NaN")


def _explained(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Columns with what they mean, those that mean the same together."""
    names: dict[str, list[str]] = {}
    for column in columns:
        if column.help:
            names.setdefault(column.help, []).append(column.name)
    return [(", ".join(found), text) for text, found in names.items()]


def _first_scale(figures: Sequence[Figure], scale: Callable[[Variant], str]) -> str:
    """The scale that is shown first where there is a choice; empty where there is none."""
    for figure in figures:
        scales = [scale(variant) for variant in figure.variants]
        if len(set(scales)) > 1:
            return scales[0]
    return ""


def _all_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Folded):
            yield from _all_blocks(block.blocks)


def figures(report: Report) -> Iterator[Figure]:
    """All figures of a report, in order."""
    for section in report.sections:
        for block in _all_blocks(section.blocks):
            if isinstance(block, Figures):
                yield from block.figures


def _tables(report: Report) -> Iterator[Table]:
    if report.table:
        yield report.table
    for section in report.sections:
        for block in _all_blocks(section.blocks):
            if isinstance(block, Table):
                yield block


def _rows_in(blocks: Sequence[Block]) -> int:
    return sum(len(block.rows) for block in _all_blocks(blocks) if isinstance(block, Table))
