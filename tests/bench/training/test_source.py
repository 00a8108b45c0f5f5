"""What is live is known by its code and by what the code uses, the same in every process."""

import ast
import functools
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from bench.training import source

CELL = """
import functools, math
import torch
from torch.nn import functional

RATES = {"fast": [0.1, 0.2]}
SHAPE = torch.arange(3.0)

def decayed(rate):
    from mine_used import factor
    return rate * factor * RATES["fast"][0] * math.pi

class Base(torch.optim.SGD):
    names = {"a", "b", "c"}

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=decayed(lr))

class Mine(Base):
    @functools.cached_property
    def shape(self):
        return SHAPE

    @torch.no_grad()
    def step(self, closure=None):
        if self.names in ({"a"}, {"b"}):
            functional.relu(self.shape)
        return super().step(closure)
"""


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """An empty ``__main__``, as a notebook has one, beside a module of the user's."""
    (tmp_path / "mine_used.py").write_text("factor = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    yield module
    sys.modules.pop("mine_used", None)


def run_cell(main: ModuleType, text: str) -> None:
    exec(compile(text, "<cell>", "exec"), vars(main))


def told(item: Any) -> list[str]:
    texts: list[str] = []
    source.Writer(texts.append).write(item)
    return texts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return super().step(closure)", "return None"),
        ("lr=0.1", "lr=0.2"),
        ('names = {"a", "b", "c"}', 'names = {"a", "b"}'),
        ("rate * factor", "rate + factor"),
        ("[0.1, 0.2]", "[0.1, 0.3]"),
        ("arange(3.0)", "arange(4.0)"),
        ("math.pi", "math.e"),
        ("functional.relu", "functional.gelu"),
        ("@torch.no_grad()", "@torch.enable_grad()"),
        ("torch.optim.SGD", "torch.optim.Adam"),
        ('({"a"}, {"b"})', '({"a"}, {"c"})'),
    ],
)
def test_an_edit_of_what_it_uses_makes_another_of_a_class(
    main: ModuleType, old: str, new: str
) -> None:
    assert CELL.count(old) == 1
    run_cell(main, CELL)
    before = told(main.Mine)
    run_cell(main, CELL)
    assert told(main.Mine) == before
    run_cell(main, CELL.replace(old, new))
    assert told(main.Mine) != before


@pytest.mark.parametrize(
    "edited",
    [
        CELL.replace("class Mine", "\n\n# a note\nclass Mine"),
        CELL + "\nclass Other: pass\nlr = 3\n",
    ],
    ids=["lines and comments", "what it does not use"],
)
def test_an_edit_of_anything_else_does_not(main: ModuleType, edited: str) -> None:
    run_cell(main, CELL)
    before = told(main.Mine)
    run_cell(main, edited)
    assert told(main.Mine) == before


def test_an_edit_of_a_module_of_the_users_does(main: ModuleType, tmp_path: Path) -> None:
    run_cell(main, CELL)
    before = told(main.Mine)
    (tmp_path / "mine_used.py").write_text("factor = 33\n")
    importlib.reload(sys.modules["mine_used"])
    assert told(main.Mine) != before


def test_use_does_not_change_a_class(main: ModuleType) -> None:
    """Torch wraps ``step`` of a class when an object of it is made first."""
    run_cell(main, CELL + "class Plain(torch.optim.SGD): pass\n")
    before = told(main.Mine), told(main.Plain)
    for made in (main.Mine, main.Plain, main.Mine):
        made([torch.nn.Parameter(torch.zeros(1))])
    assert (told(main.Mine), told(main.Plain)) == before


def test_it_is_the_same_in_another_process(main: ModuleType, tmp_path: Path) -> None:
    run_cell(main, CELL)
    code = CELL + (
        "\nfrom bench.training import source\ntexts = []\n"
        "source.Writer(texts.append).write(Mine)\nprint(texts)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).resolve().parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ast.literal_eval(finished.stdout) == told(main.Mine)


def enclosed(value: Any) -> Callable[[], Any]:
    return lambda: value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        ([1], (1,)),
        ({"a": 1}, {"a": 2}),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(2000), torch.cat([torch.zeros(1999), torch.ones(1)])),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
        (functools.partial(max, 1), functools.partial(max, 2)),
        (functools.cache(lambda: 1), functools.cache(lambda: 2)),
        (property(lambda self: 1), property(lambda self: 2)),
        (threading.Lock(), threading.Lock()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_a_function_encloses_tell_it_from_others(one: Any, other: Any) -> None:
    assert told(enclosed(one)) == told(enclosed(one))
    assert told(enclosed(one)) != told(enclosed(other))


def test_what_refers_to_itself_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert told(loop) == told(loop)


def test_a_library_is_known_by_name_and_version() -> None:
    assert told(torch.nn.functional.relu)[-1] == f"torch {version('torch')}"
