"""A package offers names of its modules without importing them."""

import pytest

from bench.support import lazy


def test_a_name_is_imported_when_it_is_asked_for() -> None:
    find = lazy.attributes("xml", {"escape": "sax.saxutils"})
    from xml.sax.saxutils import escape

    assert find("escape") is escape


def test_another_name_is_no_attribute() -> None:
    find = lazy.attributes("xml", {"escape": "sax.saxutils"})
    with pytest.raises(AttributeError, match="module 'xml' has no attribute 'escap'"):
        find("escap")
