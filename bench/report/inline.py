"""Matplotlib's SVG made fit for a page: small, with no style sheet, on any background."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from markupsafe import Markup

_Element = ElementTree.Element

_SERIES = re.compile(r"series:(\d+):([a-z-]+)")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DECIMAL = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
_HREFS = ("href", "{http://www.w3.org/1999/xlink}href")
_GEOMETRY = ("d", "x", "y", "width", "height", "points", "viewBox")
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\)")

# What the page decides: ink of text, axes and reference lines, the grid, and what is paper-white.
_INK = {"#000000": "currentColor", "#262626": "currentColor", "#cccccc": "var(--grid)"}
_PAPER_WHITE = {"#ffffff": "var(--card)"}
# Artists whose colours say something, black and white among them.
_COLOURED = ("QuadMesh", "PathCollection")
# A figure is drawn in points, of which 96 pixels have 72; so far it may shrink and grow.
_SMALLEST, _LARGEST = 96 / 72 * 0.6, 96 / 72 * 1.1


def svg(drawn: bytes, *, prefix: str, title: str, alt: str) -> Markup:
    """A figure to stand in a page beside others.

    Groups named ``series:<index>:<part>`` become groups with ``data-series`` and ``data-part``.
    Ink and background follow the page, unless the figure's patch has the ``gid`` ``paper``:
    such a figure keeps all colours, and its class ``paper`` tells the page to give it a sheet.

    Args:
        drawn: What matplotlib wrote.
        prefix: Begins the ids, so that no two in a page are the same.
        title: Its accessible name.
        alt: Its accessible description.
    """
    root = ElementTree.fromstring(drawn)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    paper = any(group.get("id") == "paper" for group in root.iter("g"))
    width = float(root.get("viewBox", "").split()[2])
    if not paper:
        _clear_backgrounds(root)
    fitter = _Fitter(prefix, set(_referenced(root)), adapt=not paper)
    content = [fitted for child in root for fitted in fitter.fit(child)]
    shown = _Element(
        "svg",
        {
            "class": "paper" if paper else "plot",
            "viewBox": _rounded(root.get("viewBox", "")),
            "style": f"min-width:{width * _SMALLEST:.0f}px;max-width:{width * _LARGEST:.0f}px",
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
            "role": "img",
            "aria-labelledby": f"{prefix}-title",
            "aria-describedby": f"{prefix}-alt",
            # matplotlib leaves out the fill of what is black
            **({} if paper else {"fill": "currentColor"}),
        },
    )
    for tag, name, text in (("title", "title", title), ("desc", "alt", alt)):
        element = ElementTree.SubElement(shown, tag, {"id": f"{prefix}-{name}"})
        element.text = text
    if fitter.definitions:
        ElementTree.SubElement(shown, "defs").extend(fitter.definitions)
    shown.extend(content)
    return Markup(ElementTree.tostring(shown, encoding="unicode"))


def _clear_backgrounds(root: _Element) -> None:
    """Remove the white patches of the figure and its axes: of each, what is drawn first."""
    for group in list(root.iter("g")):
        if not group.get("id", "").startswith(("figure_", "axes_")) or not len(group):
            continue
        first = group[0]
        if first.get("id", "").startswith("patch_"):
            for path in list(first):
                style = _style(path)
                if style.get("fill") == "#ffffff" and "stroke" not in style:
                    first.remove(path)
                elif style.get("fill") == "#ffffff":
                    path.set("style", _css({**style, "fill": "none"}))


def _referenced(root: _Element) -> Iterator[str]:
    """Ids that something in the figure refers to."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in _HREFS and value.startswith("#"):
                yield value[1:]
            yield from _REFERENCE.findall(value)


class _Fitter:
    """Fits elements, and collects the definitions that they share.

    Attributes:
        definitions: Of all of the figure, out of groups that may be hidden.
    """

    def __init__(self, prefix: str, referenced: set[str], *, adapt: bool) -> None:
        self.definitions: list[_Element] = []
        self._prefix, self._referenced, self._adapt = prefix, referenced, adapt

    def fit(self, element: _Element, *, coloured: bool = False) -> list[_Element]:
        """What stands for an element: nothing, itself, or the content of a needless group."""
        if element.tag in ("metadata", "style"):
            return []
        name = element.get("id", "")
        attributes: dict[str, str] = {}
        if name.startswith(_COLOURED):
            coloured = True
            attributes |= {"fill": "#000000"} if self._adapt else {}
        children = [fitted for child in element for fitted in self.fit(child, coloured=coloured)]
        if element.tag == "defs":
            self.definitions += children
            return []
        if name in self._referenced:
            attributes["id"] = self._prefixed(name)
        if series := _SERIES.fullmatch(name):
            attributes |= {"data-series": series[1], "data-part": series[2]}
        attributes |= self._attributes(element, coloured=coloured)
        if element.tag == "g" and not (attributes and children):
            return children
        fitted = _Element(element.tag, attributes)
        fitted.text = element.text if element.tag in ("text", "tspan") else None
        fitted.extend(children)
        return [fitted]

    def _attributes(self, element: _Element, *, coloured: bool) -> dict[str, str]:
        kept: dict[str, str] = {}
        for name, value in element.attrib.items():
            if name == "style":
                css = _css(self._colours(element, coloured=coloured))
                kept |= {"style": self._refer(css)} if css else {}
            elif name in _HREFS:
                kept["href"] = f"#{self._prefixed(value[1:])}" if value[:1] == "#" else value
            elif name == "d":
                kept["d"] = _path(value)
            elif name == "transform":
                if turned := _NO_TURN.sub("", value).strip():
                    kept["transform"] = _rounded(turned, 4)
            elif name in _GEOMETRY:
                kept[name] = _rounded(value)
            elif name != "id" and not name.startswith("{"):
                kept[name] = self._refer(value)
        return kept

    def _colours(self, element: _Element, *, coloured: bool) -> dict[str, str]:
        """An element's style, with the page's colours and font where they are not its own."""
        style = _style(element)
        if style.get("font-family", "").endswith("sans-serif"):
            del style["font-family"]
        if self._adapt and not coloured:
            # white text stands on something dark
            known = _INK if element.tag == "text" else {**_INK, **_PAPER_WHITE}
            for name in ("fill", "stroke"):
                if name in style:
                    style[name] = known.get(style[name], style[name])
        return style

    def _refer(self, value: str) -> str:
        return _REFERENCE.sub(lambda found: f"url(#{self._prefixed(found[1])})", value)

    def _prefixed(self, name: str) -> str:
        return f"{self._prefix}-{name}"


def _style(element: _Element) -> dict[str, str]:
    pairs = (part.partition(":") for part in element.get("style", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def _css(style: dict[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in style.items())


def _rounded(text: str, digits: int = 2) -> str:
    def short(found: re.Match[str]) -> str:
        number = f"{float(found[0]):.{digits}f}".rstrip("0").rstrip(".")
        return "0" if number == "-0" else number

    return _DECIMAL.sub(short, text)


def _path(d: str) -> str:
    """A path without the letters that follow from the one before."""
    tokens, letter = [], ""
    for token in _rounded(d).split():
        if not token.isalpha():
            tokens.append(token)
            continue
        # pairs after a move are lines
        if token != letter or token not in "LC":
            follows = token == "L" and letter == "M"
            if not follows:
                tokens.append(token)
        letter = token
    return " ".join(tokens)
