"""A file appears whole or not at all, and only once it is on the disk."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.support import atomic


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then the old one stays in its place."""
    final = tmp_path / "file"
    final.write_bytes(b"old")
    with atomic.writing(final) as file:
        file.write(b"new")
        file.flush()
        assert final.read_bytes() == b"old"
        assert len(list(tmp_path.iterdir())) == 2
    assert final.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [final]


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "replaced"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_nothing_behind(
    tmp_path: Path, old: bytes | None, error: type[BaseException]
) -> None:
    final = tmp_path / "file"
    if old is not None:
        final.write_bytes(old)

    def write() -> None:
        with atomic.writing(final) as file:
            file.write(b"half")
            raise error("stop")

    with pytest.raises(error, match="stop"):
        write()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([old] if old else [])


def test_content_is_on_the_disk_before_its_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any) -> Any:
            order.append(name)
            return real(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name))
    with atomic.writing(tmp_path / "file") as file:
        file.write(b"content")
    folder = ["fsync"] if os.name == "posix" else []
    assert order == ["fsync", "replace", *folder]


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic.writing(tmp_path / "nowhere/x"):
        pass
    assert list(tmp_path.iterdir()) == []
