"""Where the cache is: named by the user, or where the system keeps such things."""

from pathlib import Path

import platformdirs
import pytest

from bench.support import cache


def test_the_system_says_where_the_cache_is_unless_the_user_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cache.folder() == Path(platformdirs.user_cache_dir("optbench"))
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.folder() == Path(platformdirs.user_cache_dir("optbench"))
    monkeypatch.setenv(cache.VARIABLE, "~/mine")
    assert cache.folder() == Path.home() / "mine"
