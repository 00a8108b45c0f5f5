"""Revisions become folders, and leave nothing behind."""

import sys
from pathlib import Path

import pytest

from bench.regress import sides
from bench.regress.sides import Repository
from optimizers.errors import UsageError
from tests.bench.regress.repositories import OPTIMIZER, commit, git, made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path, mine=OPTIMIZER)


def test_a_side_holds_the_files_of_its_revision_and_is_gone_afterwards(repository: Path) -> None:
    commit(repository, "second", mine="CHANGED = True")
    found = Repository.around(repository)
    with sides.side(found, "HEAD~1", repository, sys.executable) as side:
        (tree,) = side.paths
        assert "class Mine" in (tree / "mine.py").read_text()
        assert side.folder == tree
        assert len(git(repository, "worktree", "list").splitlines()) == 2
    assert not tree.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_the_working_tree_is_used_where_it_is_uncommitted_changes_included(
    repository: Path,
) -> None:
    (repository / "src").mkdir()
    (repository / "deep").mkdir()
    found = Repository.around(repository / "deep")
    with sides.side(found, None, repository / "deep", sys.executable) as side:
        assert side.paths == (repository / "deep", repository, repository / "src")
        assert side.name == "working tree"


def test_a_worktree_is_removed_when_measuring_fails(repository: Path) -> None:
    found = Repository.around(repository)
    with (
        pytest.raises(KeyboardInterrupt),
        sides.side(found, "main", repository, sys.executable),
    ):
        raise KeyboardInterrupt
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_hooks_do_not_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with sides.side(Repository.around(repository), "main", repository, sys.executable):
        pass
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("revision", ["mian", "--upload-pack=x", "HEAD~7"])
def test_an_unknown_revision_is_named_with_what_there_is(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError, match=r"Unknown revision .*Known: HEAD, main"):
        Repository.around(repository).commit(revision)


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not in a git repository .*git: fatal"):
        Repository.around(tmp_path)


def test_a_revision_without_the_folder_one_works_in_is_refused(repository: Path) -> None:
    (repository / "deep").mkdir()
    found = Repository.around(repository / "deep")
    with (
        pytest.raises(UsageError, match="Revision 'main' has no folder 'deep'"),
        sides.side(found, "main", repository / "deep", sys.executable),
    ):
        pass


def test_an_interpreter_has_to_run() -> None:
    assert sides.check_python(sys.executable) == sys.executable
    with pytest.raises(UsageError, match="is no Python interpreter"):
        sides.check_python("/bin/false")
    with pytest.raises(UsageError, match="is no Python interpreter"):
        sides.check_python("no-such-python")


def test_of_many_revisions_the_nearest_are_named(repository: Path) -> None:
    for number in range(40):
        git(repository, "tag", f"v{number}")
    with pytest.raises(UsageError, match=r"Did you mean") as caught:
        Repository.around(repository).commit("v399")
    assert len(str(caught.value)) < 300


def test_code_may_lie_in_the_src_of_a_folder_inside_the_repository(repository: Path) -> None:
    (repository / "packages" / "one" / "src").mkdir(parents=True)
    inside = repository / "packages" / "one"
    with sides.side(Repository.around(inside), None, inside, sys.executable) as side:
        assert side.paths[:2] == (inside, inside / "src")
        assert side.paths[-1] == repository
