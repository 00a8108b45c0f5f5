"""What git knows of a folder, whatever repository the surroundings are tied to."""

from pathlib import Path

import pytest

from bench.support import git
from tests.bench.regress import repositories


def test_a_commit_is_dirty_once_a_tracked_file_differs(tmp_path: Path) -> None:
    """What git does not track is no difference."""
    repositories.made(tmp_path, mine="ONE = 1\n")
    head = repositories.git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "new.py").write_text("untracked")
    assert git.commit(tmp_path) == head
    (tmp_path / "mine.py").write_text("TWO = 2\n")
    assert git.commit(tmp_path) == head  # asked once for a process
    git.commit.cache_clear()
    assert git.commit(tmp_path) == f"{head}-dirty"


def test_the_log_has_what_came_after_the_newest_first(tmp_path: Path) -> None:
    repositories.made(tmp_path)
    first, _, third = (repositories.commit(tmp_path, message) for message in "abc")
    repositories.commit(tmp_path, "later")
    assert [line.split()[1] for line in git.log(tmp_path, first, third, 10)] == ["c", "b"]
    assert [line.split()[1] for line in git.log(tmp_path, first, third, 1)] == ["c"]
    assert git.log(tmp_path, third, first, 10) == []


def test_the_log_of_what_git_does_not_know_is_empty(tmp_path: Path) -> None:
    assert git.log(tmp_path, "a", "b", 10) == []
    repositories.made(tmp_path)
    assert git.log(tmp_path, "0" * 40, "HEAD", 10) == []


def test_within_a_hook_git_is_not_tied_to_the_repository_of_the_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what ties is left out, not what says who commits or how."""
    own = repositories.made(tmp_path)
    head = repositories.git(own, "rev-parse", "HEAD")
    ties = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
    for name in ties:
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    assert git.git(own, "rev-parse", "HEAD") == head
    assert not set(ties) & git.untied().keys()
    assert git.untied()["GIT_AUTHOR_NAME"] == "somebody"


def test_commit_is_none_outside_git(tmp_path: Path) -> None:
    assert git.commit(tmp_path) is None
