"""An edit to an optimizer, or to a helper of its, is another run."""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.training.identity import is_importable, reference, run_id, source_digest
from optimizers import OPTIMIZERS, OptimizerSpec, UsageError
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
    exec("class Typed:\n    __module__ = 'no_such_module'\n    rate = 0.1", namespace)
    before = source_digest([namespace["Typed"]])
    exec("class Typed:\n    __module__ = 'no_such_module'\n    rate = 0.2", namespace)
    assert source_digest([namespace["Typed"]]) != before


@pytest.mark.parametrize("file", ["mine_main", "mine_helper", "mine_more"])
def test_an_edit_that_was_not_loaded_is_refused(
    digest: Callable[[], str], tmp_path: Path, file: str
) -> None:
    """A notebook goes on with the module that it imported, whatever the file says by now."""
    before, path = digest(), tmp_path / f"{file}.py"
    path.write_text(path.read_text() + "# edited\n")
    main = sys.modules["mine_main"]
    with pytest.raises(UsageError, match=rf"{file}\.py' was edited after .* restart"):
        source_digest([main.Mine])
    importlib.reload(sys.modules[file])
    if file == "mine_more":  # of which the other has a function
        with pytest.raises(UsageError, match=r"'mine_main' still has the 'deep' that 'mine_more'"):
            source_digest([main.Mine])
        importlib.reload(main)
    assert source_digest([main.Mine]) != before


def test_two_live_functions_of_one_name_both_count() -> None:
    first, second, third = (lambda rate=rate: rate for rate in (1, 2, 3))
    assert len({source_digest(two) for two in ([first, second], [first, third])}) == 2


class Outer:
    rate = 0.1

    def inner(self) -> None: ...


def make(rate: float) -> type[torch.optim.Optimizer]:
    class Made(torch.optim.SGD):
        def __init__(self, params: Any) -> None:
            super().__init__(params, lr=rate)

    return Made


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("torch.optim:SGD", "torch.optim:SGD"),
        (torch.optim.SGD, "torch.optim:SGD"),
        (DiagGGN, "optimizers.diag_ggn:DiagGGN"),
        (Outer.inner, f"{__name__}:Outer.inner"),
        (make, f"{__name__}:make"),
        (OPTIMIZERS["adam"], "adam"),
    ],
)
def test_a_reference_leads_to_what_it_stands_for(item: Any, name: str) -> None:
    assert reference(item) == name
    assert is_importable(name)


def test_what_no_module_has_under_its_name_is_told_from_others_so_called() -> None:
    one, again, other = reference(make(0.1)), reference(make(0.1)), reference(make(0.2))
    assert one == again
    assert one != other
    assert one.startswith(f"{__name__}:make.<locals>.Made@")
    assert not is_importable(one)


def test_a_spec_that_is_not_registered_is_told_from_others_so_called() -> None:
    one, other = (OptimizerSpec(name="adam", factory=make(rate)) for rate in (0.1, 0.2))
    assert len({reference(one), reference(other), "adam"}) == 3


def test_a_class_that_another_of_its_name_replaced_is_told_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = Outer
    monkeypatch.setattr(sys.modules[__name__], "Outer", type("Outer", (), {"rate": 1}))
    assert reference(first).startswith(f"{__name__}:Outer@")


def test_run_id_does_not_depend_on_order() -> None:
    assert run_id({"a": 1, "b": [1, 2]}) == run_id({"b": [1, 2], "a": 1})
    assert run_id({"a": 1}) != run_id({"a": 2})
