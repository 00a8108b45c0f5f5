"""Hostile text stays legible, on one line, and valid in XML."""

from xml.etree import ElementTree

import pytest

from bench.support.text import escape_markdown, in_words, plain, plural, shorten
from tests.bench.report.documents import HOSTILE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sgd, lr 0.1", "sgd, lr 0.1"),
        ("a\r\nb\nc\td\u2028e", "a b c d e"),
        ("\x00\x1b[31m\x7f\x9f", "\ufffd\ufffd[31m\ufffd\ufffd"),
        ("\u202eabc\u2066\u200f", "\ufffdabc\ufffd\ufffd"),
        ("\ud800\uffff", "\ufffd\ufffd"),
        ("🚀 優化器 é", "🚀 優化器 é"),
    ],
    ids=["plain", "breaks", "controls", "directions", "not characters", "any script"],
)
def test_what_is_unfit_is_replaced(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_every_character_becomes_valid_xml() -> None:
    text = plain("".join(map(chr, range(0x11000))))
    element = ElementTree.Element("text")
    element.text = text
    assert ElementTree.fromstring(ElementTree.tostring(element, "utf-8")).text == text


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("text", "short"),
    [("sgd", "sgd"), ("abcde", "abcde"), ("abcdef", "abcd…"), ("abc def", "abc…")],
)
def test_long_text_ends_in_an_ellipsis(text: str, short: str) -> None:
    assert shorten(text, 5) == short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b<c>*[x](y)`", r"a\|b\<c\>\*\[x\](y)\`"),
        ("mnist_cnn _x_", r"mnist_cnn \_x\_"),
        ("@octocat", "@<!-- -->octocat"),
        ("fixes #12", "fixes #<!-- -->12"),
        ("http://x.org www.x.org", "http:<!-- -->//x.org www<!-- -->.x.org"),
        ("a @ b # c: d", "a @ b # c: d"),
    ],
    ids=["markup", "underscores", "people", "issues", "addresses", "none of it"],
)
def test_nothing_becomes_markup_or_a_link(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize(
    ("count", "noun", "shown"),
    [(0, "run", "0 runs"), (1, "run", "1 run"), (2, "run", "2 runs"), (1, "launch", "1 launch"),
     (5, "launch", "5 launches")],
)  # fmt: skip
def test_a_noun_agrees_with_its_count(count: int, noun: str, shown: str) -> None:
    assert plural(count, noun) == shown


def test_a_name_of_programs_is_told_in_words() -> None:
    assert in_words("not_applicable") == "not applicable"
