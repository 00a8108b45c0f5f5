"""An edit to an optimizer, or to a helper of its, is another run."""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from bench.training.identity import run_id, source_digest
from optimizers.diag_ggn import DiagGGN


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Writes nothing; imports ``mine_main`` anew and digests its class."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_main.py").write_text(
        "import numpy\nimport mine_helper\nfrom mine_more import deep\nclass Mine: pass\n"
    )
    (tmp_path / "mine_helper.py").write_text("value = 1\n")
    (tmp_path / "mine_more.py").write_text("def deep(): return 1\n")
    (tmp_path / "mine_unused.py").write_text("value = 1\n")

    def reload() -> str:
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.startswith("mine_")]:
            del sys.modules[name]
        return source_digest([importlib.import_module("mine_main").Mine])

    yield reload
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "changes"),
    [("mine_main", True), ("mine_helper", True), ("mine_more", True), ("mine_unused", False)],
)
def test_an_edit_changes_the_digest_where_it_can_matter(
    digest: Callable[[], str], tmp_path: Path, file: str, changes: bool
) -> None:
    before = digest()
    assert digest() == before
    path = tmp_path / f"{file}.py"
    path.write_text(path.read_text() + "# edited\n")
    assert (digest() != before) == changes


def test_an_edit_behind_a_partial_is_seen(digest: Callable[[], str], tmp_path: Path) -> None:
    def partial_digest() -> str:
        digest()
        return source_digest([functools.partial(sys.modules["mine_main"].Mine, rate=0.1)])

    before = partial_digest()
    assert partial_digest() == before
    assert source_digest([functools.partial(sys.modules["mine_main"].Mine, rate=0.2)]) != before
    path = tmp_path / "mine_main.py"
    path.write_text(path.read_text() + "# edited\n")
    assert partial_digest() != before


def test_libraries_are_known_by_version_alone() -> None:
    assert source_digest([torch.optim.SGD]) == source_digest([torch.optim.Adam])
    assert source_digest([DiagGGN]) != source_digest([torch.optim.Adam])


def test_what_was_defined_interactively_is_digested() -> None:
    namespace: dict[str, type] = {}
    exec("class Typed:\n    __module__ = 'no_such_module'", namespace)
    assert source_digest([namespace["Typed"]])


def test_run_id_does_not_depend_on_order() -> None:
    assert run_id({"a": 1, "b": [1, 2]}) == run_id({"b": [1, 2], "a": 1})
    assert run_id({"a": 1}) != run_id({"a": 2})
