"""An edit to anything that code imports is seen; an edit to anything else is not."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.support import imported
from bench.training import following
from bench.training.following import ABSENT, sources
from optimizers import UsageError

MAIN = """
import os
from typing import TYPE_CHECKING

import fol_base as base
from fol_pack import part
from fol_pack.inner import deep
from fol_space import constant
if TYPE_CHECKING:
    import fol_typed


def step():
    from fol_late import factor
    import importlib
    importlib.import_module("fol_dynamic")
    import fol_missing
    import fol_library.core
    return factor
"""
FILES = {
    "fol_main.py": MAIN,
    "fol_base.py": "SCALE = 1.0\nCFG = {'hidden': 16}\n",
    "fol_pack/__init__.py": "from .sibling import thing\n",
    "fol_pack/sibling.py": "thing = 1\n",
    "fol_pack/part.py": "value = 1\n",
    "fol_pack/inner/__init__.py": "",
    "fol_pack/inner/deep.py": "from .. import part\nfrom ..sibling import thing\n",
    "fol_pack/unused.py": "value = 1\n",
    "fol_space/constant.py": "value = 1\n",
    "fol_late.py": "factor = 1\n",
    "fol_dynamic.py": "value = 1\n",
    "fol_typed.py": "value = 1\n",
    "README.md": "words\n",
    "site-packages/fol_library/__init__.py": "",
    "site-packages/fol_library/core.py": "value = 1\n",
    "site-packages/fol_library-1.0.dist-info/METADATA": "Name: fol_library\nVersion: 1.0\n",
}
Digest = Callable[[], dict[str, str]]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """Imports ``fol_main`` in a process that is as good as new, and tells what it consists of."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(imported, "_READ", {})
    monkeypatch.setattr(imported, "_AGAIN", set())

    def forget() -> None:
        importlib.invalidate_caches()
        following._version.cache_clear()
        for name in [name for name in sys.modules if name.startswith("fol_")]:
            del sys.modules[name]
        imported._AGAIN.clear()

    def again() -> dict[str, str]:
        forget()
        importlib.import_module("fol_main")
        return sources(["fol_main"])

    yield again
    forget()


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# edited\n")


@pytest.mark.parametrize(
    ("file", "seen"),
    [
        ("fol_main.py", True),
        ("fol_base.py", True),
        ("fol_pack/__init__.py", True),
        ("fol_pack/sibling.py", True),
        ("fol_pack/part.py", True),
        ("fol_pack/inner/deep.py", True),
        ("fol_space/constant.py", True),
        ("fol_late.py", True),
        ("fol_dynamic.py", True),
        ("site-packages/fol_library-1.0.dist-info/METADATA", False),
        ("site-packages/fol_library/core.py", False),
        ("fol_pack/unused.py", False),
        ("fol_typed.py", False),
        ("README.md", False),
    ],
)
def test_an_edit_is_seen_where_it_can_matter(
    digest: Digest, tmp_path: Path, file: str, seen: bool
) -> None:
    before = digest()
    assert digest() == before
    edit(tmp_path / file)
    assert (digest() != before) == seen


def test_a_library_is_known_by_its_version_and_what_is_missing_by_that(
    digest: Digest, tmp_path: Path
) -> None:
    before = digest()
    assert before["fol_library"] == "1.0"
    assert before["fol_missing"] == ABSENT
    assert not {"os", "typing", "importlib"} & before.keys()
    metadata = tmp_path / "site-packages/fol_library-1.0.dist-info/METADATA"
    metadata.write_text("Name: fol_library\nVersion: 2.0\n")
    assert digest() == before | {"fol_library": "2.0"}
    (tmp_path / "fol_missing.py").write_text("")
    assert digest()["fol_missing"] != ABSENT


def test_nothing_is_imported_to_be_looked_at(digest: Digest) -> None:
    digest()
    assert "fol_late" not in sys.modules
    assert "fol_library" not in sys.modules


def test_an_editable_package_is_known_by_its_content(digest: Digest, tmp_path: Path) -> None:
    """Its files are elsewhere, found by a finder of its own or by a path in a ``.pth`` file."""
    source = tmp_path / "checkout" / "fol_library.py"
    source.parent.mkdir()
    source.write_text("value = 1\n")
    sys.path.insert(0, str(source.parent))
    before = digest()
    edit(source)
    assert digest() != before


@pytest.mark.parametrize("file", ["fol_main", "fol_base", "fol_pack.inner.deep"])
def test_an_edit_after_the_import_is_refused(digest: Digest, tmp_path: Path, file: str) -> None:
    digest()
    path = tmp_path / f"{file.replace('.', '/')}.py"
    kept = path.stat()
    edit(path)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as 'cp -p' and rsync leave it
    with pytest.raises(UsageError, match=rf"{path.name}' was edited after .*\(module '{file}'\)"):
        sources(["fol_main"])


def test_what_is_imported_late_is_read_as_it_is_until_then(digest: Digest, tmp_path: Path) -> None:
    before = digest()
    edit(tmp_path / "fol_late.py")
    after = sources(["fol_main"])
    assert after != before
    importlib.import_module("fol_late")
    assert sources(["fol_main"]) == after
    edit(tmp_path / "fol_late.py")
    with pytest.raises(UsageError, match="fol_late"):
        sources(["fol_main"])


def test_this_project_is_known_by_content_and_only_what_training_needs() -> None:
    found = following.project()
    assert {"bench.training.loop", "bench.training.clock", "optimizers.spec"} <= found.keys()
    others = ("bench.report", "bench.commands", "bench.sweeps", "bench.comparison", "bench.regress")
    assert not [name for name in found if name.startswith(others)]
    assert not {"torch", "numpy"} & found.keys()
