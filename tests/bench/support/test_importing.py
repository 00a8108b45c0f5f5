"""Modules of the folder where one works are found, and hide nothing."""

import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from bench.support import importing


def test_modules_here_are_found_after_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("only_here", "json"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    assert PathFinder.find_spec("only_here") is None
    importing.from_here()
    places = [PathFinder.find_spec(name) for name in ("only_here", "json")]
    found = [place.origin for place in places if place is not None]
    assert found == [str(tmp_path / "only_here.py"), json.__file__]
