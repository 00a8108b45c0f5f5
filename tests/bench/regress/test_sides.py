"""Revisions become folders, and leave nothing behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.regress import sides
from bench.regress.sides import Repository
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


def test_a_revision_without_the_folder_one_works_in_runs_in_the_nearest(repository: Path) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    found = Repository.around(repository / "deep" / "er")
    with sides.side(found, "main", repository / "deep" / "er", sys.executable) as side:
        assert (side.folder / "mine.py").is_file()
        assert side.paths[0] == side.folder


def test_a_range_is_two_revisions(repository: Path) -> None:
    with pytest.raises(UsageError, match=r"'main..next' is a range: .* as in main next"):
        Repository.around(repository).commit("main..next")


def test_a_repository_without_commits_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="this repository has no commit"):
        Repository.around(tmp_path).commit("HEAD")


def test_the_index_of_a_commit_in_the_making_is_left_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hook, git's variables point at the repository and the index it is working on."""
    (repository / "mine.py").write_text("changed = True\n")
    git(repository, "add", "mine.py")
    index = repository / ".git" / "index"
    before = index.read_bytes()
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    found = Repository.around(repository)
    with found.checkout(found.commit("HEAD")) as tree:
        assert "changed" not in (tree / "mine.py").read_text()
    assert index.read_bytes() == before


def test_worktrees_of_others_are_left_alone(repository: Path, tmp_path: Path) -> None:
    """Even one that is not there now, as on a disk that is not mounted."""
    theirs, away = tmp_path / "theirs", tmp_path / "away"
    git(repository, "worktree", "add", str(theirs))
    theirs.rename(away)
    found = Repository.around(repository)
    with found.checkout(found.commit("HEAD")):
        assert len(git(repository, "worktree", "list").splitlines()) == 3
    away.rename(theirs)
    assert git(theirs, "status", "--porcelain") == ""
    assert len(git(repository, "worktree", "list").splitlines()) == 2


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


def test_a_working_tree_is_its_commit_only_while_all_is_committed(tmp_path: Path) -> None:
    made(tmp_path, mine=OPTIMIZER)
    (tmp_path / ".gitignore").write_text("*.so\n")
    last = commit(tmp_path, "second")
    (tmp_path / "ignored.so").write_text("")
    repository = Repository.around(tmp_path)
    assert repository.tree() == (last[:10], "")
    (tmp_path / "new.py").write_text("")
    (tmp_path / "mine.py").write_text("")
    assert repository.tree() == (
        "",
        f"The working tree is commit {last[:10]} with 2 files that no commit has so: keep what is "
        "there to measure it again.",
    )


def test_a_worktree_that_a_killed_process_left_is_removed_by_the_next(
    repository: Path, tmp_path: Path
) -> None:
    """Also where its folder is gone, as after a restart; but not that of one which still works."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from bench.regress.sides import Repository\n"
        "found = Repository.around(Path(sys.argv[1]))\n"
        "with found.checkout(found.commit('HEAD')) as tree:\n"
        "    print(tree, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-Pc", code, str(repository)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    trees = []
    for process in processes:
        assert process.stdout is not None
        trees.append(Path(process.stdout.readline().strip()))
    for process in processes[:2]:
        process.kill()
        process.wait()
    shutil.rmtree(trees[1].parent)
    found = Repository.around(repository)
    with found.checkout(found.commit("HEAD")):
        assert len(git(repository, "worktree", "list").splitlines()) == 3
    assert [tree.parent.exists() for tree in trees] == [False, False, True]
    for process in processes:
        process.kill()
        process.communicate()
    with found.checkout(found.commit("HEAD")):
        pass
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert not trees[2].parent.exists()


def test_in_a_shallow_clone_it_is_said_how_to_get_the_history(tmp_path: Path) -> None:
    (tmp_path / "origin").mkdir()
    made(tmp_path / "origin", mine=OPTIMIZER)
    commit(tmp_path / "origin", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", (tmp_path / "origin").as_uri(), "shallow")
    with pytest.raises(UsageError, match=r"'HEAD~1' is not in this shallow clone: 'git fetch --un"):
        Repository.around(tmp_path / "shallow").commit("HEAD~1")


def test_what_git_does_not_bring_to_a_checkout_is_named(repository: Path, tmp_path: Path) -> None:
    """Ignored files and those of submodules that were loaded; not new ones, nor what both have."""
    inner = tmp_path / "inner"
    inner.mkdir()
    made(inner, helper="")
    allowed = ("-c", "protocol.file.allow=always")
    git(repository, *allowed, "submodule", "add", "-q", str(inner), "vendored")
    (repository / ".gitignore").write_text("*.so\nbuilt.py\n")
    commit(repository, "with a submodule")
    names = ["mine.py", "new.py", "built.py", "fast.so", "vendored/helper.py"]
    for name in names[1:4]:
        (repository / name).write_text("")
    found = Repository.around(repository)
    with (
        sides.side(found, "HEAD", repository, sys.executable) as base,
        sides.side(found, None, repository, sys.executable) as head,
    ):
        loaded = [repository / name for name in names] + [tmp_path / "elsewhere.py"]
        assert sides.not_in_git(head, base, loaded) == names[2:]
        assert sides.not_in_git(base, head, loaded) == []
