"""Text made fit to be shown: one line, no invisible control of what follows, words with counts."""

import re

_BREAKS = re.compile("\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# Control characters, lone surrogates and non-characters are not valid in XML; the others would
# turn around the direction of what is written after them.
_UNFIT = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
# an underscore within a word is none; entities and mathematics are GitHub's as well
_MARKUP = re.compile(r"[\\|<>`*\[\]&~$]|(?<![^\W_])_|_(?![^\W_])")
# what GitHub makes a link of without any markup: people, issues, addresses
_LIVE = re.compile(r"@(?=\w)|#(?=\d)|:(?=//)|www(?=\.)")
_REPLACEMENT = "\ufffd"
_ELLIPSIS = "…"


def plain(text: str) -> str:
    """Text on one line that is valid in XML: breaks become spaces, controls ``U+FFFD``."""
    return _UNFIT.sub(_REPLACEMENT, _BREAKS.sub(" ", text))


def short(text: str, length: int = 40) -> str:
    """Text fit for a figure: without control characters, and not too long."""
    return shorten(plain(text), length)


def shorten(text: str, length: int) -> str:
    """Text of at most so many characters, the last one an ellipsis where some are left out."""
    if len(text) <= length:
        return text
    return text[: length - 1].rstrip() + _ELLIPSIS


def plural(count: int, noun: str) -> str:
    """A count with its noun, such as ``1 run``, ``3 runs`` or ``3 launches``."""
    ending = "es" if noun.endswith("ch") else "s"
    return f"{count} {noun}{'' if count == 1 else ending}"


def in_words(name: str) -> str:
    """A name of programs as people read it: ``not applicable`` for ``not_applicable``."""
    return name.replace("_", " ")


def escape_markdown(text: str) -> str:
    """Keep text from ending a cell of a table or becoming markup."""
    escaped = _MARKUP.sub(r"\\\g<0>", text).replace("\n", " ")
    return _LIVE.sub(r"\g<0><!-- -->", escaped)
