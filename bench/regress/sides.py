"""From git revisions and interpreters to the two sides of a comparison."""

import contextlib
import difflib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError, unknown
from bench.regress.launch import Side
from bench.support import git
from bench.support.text import plural

WORKING_TREE = "working tree"
_LOWEST_PYTHON = (3, 11)
_SHORT = 10  # characters of a commit's hash
_LISTED = 12  # revisions in a message


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
        with tempfile.TemporaryDirectory(prefix="optbench-") as folder:
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
                try:
                    _git(self.root, "worktree", "remove", "--force", "--force", str(tree))
                except subprocess.CalledProcessError:  # it was interrupted half-way
                    common = Path(_git(self.root, "rev-parse", "--git-common-dir"))
                    shutil.rmtree(self.root / common / "worktrees" / tree.name, ignore_errors=True)


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
            name=name + interpreter, python=python, paths=_paths(root, folder), folder=folder
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
        )


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
