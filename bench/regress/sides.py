"""From git revisions and interpreters to the two sides of a comparison."""

import contextlib
import difflib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.errors import UsageError, unknown
from bench.regress.launch import Side
from bench.support import git
from bench.support.text import plural

WORKING_TREE = "working tree"
_LOWEST_PYTHON = (3, 11)
_SHORT = 10  # characters of a commit's hash
_LISTED = 12  # revisions in a message
_PREFIX = f"optbench-{re.sub('[^a-zA-Z0-9]+', '-', platform.node())}-"  # of this machine
_OWNER = "owner"


@dataclass(frozen=True)
class Repository:
    """A git repository, seen from a folder in it.

    Attributes:
        root: Its top folder.
        inside: The folder, relative to the top.
    """

    root: Path
    inside: Path

    @classmethod
    def around(cls, folder: Path) -> "Repository":
        """Find the repository that a folder belongs to.

        Raises:
            UsageError: There is none, or no git.
        """
        try:
            root = Path(_git(folder, "rev-parse", "--show-toplevel"))
        except FileNotFoundError:
            raise UsageError("git is not installed: revisions cannot be compared.") from None
        except subprocess.CalledProcessError as error:
            said = " ".join(error.stderr.split()) or "nothing"
            raise UsageError(
                f"'{folder}' is not in a git repository that can be used (git: {said}). --python "
                "and --baseline need none."
            ) from None
        return cls(root, folder.resolve().relative_to(root.resolve()))

    def commit(self, revision: str) -> str:
        """The full hash of a revision.

        Raises:
            UsageError: It names no commit.
        """
        try:
            return _git(
                self.root,
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                f"{revision}^{{commit}}",
            )
        except subprocess.CalledProcessError:
            if ".." in revision:
                raise UsageError(
                    f"'{revision}' is a range: name the two revisions apart, as in "
                    f"{' '.join(part for part in revision.split('.') if part)}."
                ) from None
            known = _git(self.root, "for-each-ref", "--format=%(refname:short)").split()
            if revision == "HEAD" or not known:
                raise UsageError(f"Revision '{revision}': this repository has no commit.") from None
            if _git(self.root, "rev-parse", "--is-shallow-repository") == "true":
                raise UsageError(
                    f"Revision '{revision}' is not in this shallow clone: 'git fetch --unshallow' "
                    "brings its history (in a workflow: fetch-depth: 0)."
                ) from None
            known = ["HEAD", *known]
            if len(known) > _LISTED:
                known = difflib.get_close_matches(revision, known, n=_LISTED, cutoff=0.0)
            raise unknown("revision", revision, known) from None

    def tree(self) -> tuple[str, str]:
        """The commit that the working tree is, if it is one; and if not, what it is in words.

        Files that git ignores do not count.
        """
        commit = self.commit("HEAD")[:_SHORT]
        changed = _git(self.root, "status", "--porcelain").splitlines()
        if not changed:
            return commit, ""
        return "", (
            f"The working tree is commit {commit} with {plural(len(changed), 'file')} that no "
            "commit has so: keep what is there to measure it again."
        )

    @contextlib.contextmanager
    def checkout(self, commit: str) -> Iterator[Path]:
        """A temporary worktree of a commit; it is removed whatever happens, and no other one is.

        Hooks do not run. Submodules and ignored files, such as compiled extensions, are not there.
        """
        self._remove_left()
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            _sign(Path(folder))
            tree = Path(folder) / Path(folder).name  # git calls its entry by the last part
            try:
                _git(
                    self.root, "-c", "core.hooksPath=/dev/null",
                    "worktree", "add", "--detach", "--force", str(tree), commit,
                )  # fmt: skip
                yield tree
            except subprocess.CalledProcessError as error:
                raise UsageError(f"git cannot check {commit[:12]} out: {error.stderr}") from error
            finally:
                self._remove(tree)

    def _remove(self, tree: Path) -> None:
        try:
            _git(self.root, "worktree", "remove", "--force", "--force", str(tree))
        except subprocess.CalledProcessError:  # it was interrupted half-way
            common = Path(_git(self.root, "rev-parse", "--git-common-dir"))
            shutil.rmtree(self.root / common / "worktrees" / tree.name, ignore_errors=True)

    def _remove_left(self) -> None:
        """Remove worktrees of processes that were killed."""
        for line in _git(self.root, "worktree", "list", "--porcelain").splitlines():
            tree = Path(line.removeprefix("worktree "))
            folder = tree.parent
            ours = line.startswith("worktree ") and tree.name == folder.name
            if ours and tree.name.startswith(_PREFIX) and _is_left(folder):
                self._remove(tree)
                shutil.rmtree(folder, ignore_errors=True)


def _sign(folder: Path) -> None:
    """Say in a folder which process is at work in it."""
    process = psutil.Process()
    (folder / _OWNER).write_text(f"{process.pid} {process.create_time()}")


def _is_left(folder: Path) -> bool:
    """Whether the process that worked in a folder of this machine is gone, or the folder is."""
    try:
        pid, began = (folder / _OWNER).read_text().split()
        return psutil.Process(int(pid)).create_time() != float(began)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return True
    except (OSError, ValueError, psutil.Error):
        return False  # nobody knows


@contextlib.contextmanager
def side(
    repository: Repository | None, revision: str | None, folder: Path, python: str
) -> Iterator[Side]:
    """One side, ready to be measured.

    Args:
        repository: The repository, or ``None`` where code is not compared.
        revision: What to check out; ``None`` for the working tree.
        folder: Where the user is.
        python: The interpreter.

    Raises:
        UsageError: The revision is unknown.
    """
    interpreter = "" if python == sys.executable else f" with {python}"
    if repository is None or revision is None:
        root = folder if repository is None else repository.root
        name = WORKING_TREE if repository is not None else "this code"
        yield Side(
            name=name + interpreter,
            python=python,
            paths=_paths(root, folder),
            folder=folder,
            root=None if repository is None else root,
        )
        return
    commit = repository.commit(revision)
    with repository.checkout(commit) as tree:
        there = tree / repository.inside
        inside = next(folder for folder in (there, *there.parents) if folder.is_dir())
        short = "" if commit.startswith(revision) else f" ({commit[:_SHORT]})"
        yield Side(
            name=revision + short + interpreter,
            python=python,
            paths=_paths(tree, inside),
            folder=inside,
            commit=commit[:_SHORT],
            root=tree,
        )


def not_in_git(side: Side, other: Side, loaded: Iterable[Path]) -> list[str]:
    """Files that a side has loaded and the other lacks because git does not bring them there.

    Those are what git ignores, such as compiled extensions, and what lies in submodules.

    Args:
        side: Whose files they are; of a checkout there are none.
        other: The other side.
        loaded: By a process of the side.

    Returns:
        Their paths from the top of the repository.
    """
    if side.root is None or other.root is None or side.commit is not None:
        return []
    root, there = side.root.resolve(), other.root
    inside = (path.resolve() for path in loaded if path.resolve().is_relative_to(root))
    lacking = {str(path.relative_to(root)) for path in inside}
    lacking = {name for name in lacking if not (there / name).exists()}
    staged = _git(root, "ls-files", "--stage").splitlines()
    modules = [line.partition("\t")[2] for line in staged if line.startswith("160000 ")]
    return sorted(
        name
        for name in lacking
        if _is_ignored(root, name) or any(name.startswith(f"{module}/") for module in modules)
    )


def _is_ignored(root: Path, name: str) -> bool:
    try:
        _git(root, "check-ignore", "--quiet", "--", name)
    except subprocess.CalledProcessError:
        return False
    return True


def check_python(python: str) -> str:
    """The path of an interpreter that workers can run with.

    Raises:
        UsageError: It does not run, or is too old.
    """
    if not python:
        raise UsageError("--python '' is no Python interpreter.")
    path = str(Path(python).expanduser())
    path = path if "/" not in path else str(Path(path).absolute())
    try:
        answer = subprocess.run(
            [path, "-c", "import sys; print(*sys.version_info[:2])"],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        version = tuple(int(number) for number in answer.stdout.split())
    except OSError as error:
        raise UsageError(
            f"--python '{python}' is no Python interpreter: {error.strerror}."
        ) from None
    except (subprocess.SubprocessError, ValueError):
        raise UsageError(
            f"--python '{python}' is no Python interpreter: it does not tell its version."
        ) from None
    if version < _LOWEST_PYTHON:
        raise UsageError(
            f"--python '{python}' is Python {'.'.join(map(str, version))}: it has to be "
            f"{'.'.join(map(str, _LOWEST_PYTHON))} or newer."
        )
    return path


def _paths(root: Path, folder: Path) -> tuple[Path, ...]:
    """Where Python code of a tree may lie: here, above up to the top, and in each one's ``src``."""
    up = [folder.resolve(), *folder.resolve().parents]
    inner = up[: up.index(root.resolve()) + 1]
    candidates = [path for above in inner for path in (above, above / "src")]
    return tuple(path for path in candidates if path.is_dir())


def _git(folder: Path, *arguments: str) -> str:
    return git.git(folder, *arguments, timeout_s=None)  # a checkout may take long
