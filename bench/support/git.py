"""What git knows of a folder."""

import os
import subprocess
from functools import cache
from pathlib import Path

_TIES = frozenset(
    (
        "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE",
        "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_NAMESPACE", "GIT_QUARANTINE_PATH",
    )
)  # fmt: skip


@cache
def commit(folder: Path) -> str | None:
    """The git commit of a folder, with ``-dirty`` if tracked files differ; ``None`` without git."""
    try:
        head = git(folder, "rev-parse", "HEAD")
        changes = git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("-dirty" if changes else "")


def log(folder: Path, before: str, after: str, most: int) -> list[str]:
    """The commits after one and up to another, newest first; empty where git knows them not."""
    try:
        lines = git(folder, "log", "--oneline", f"--max-count={most}", f"{before}..{after}", "--")
    except (OSError, subprocess.SubprocessError):
        return []
    return lines.splitlines()


def git(folder: Path, *arguments: str, timeout_s: float | None = 10) -> str:
    """What git prints, in a folder; raises what ``subprocess.run`` raises."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=timeout_s, env=untied()
    ).stdout.strip()


def untied() -> dict[str, str]:
    """The environment without what ties git to one repository.

    Git sets these variables for its hooks; ``GIT_INDEX_FILE``, say, would let a checkout elsewhere
    overwrite the index of the commit that is being made.
    """
    return {name: value for name, value in os.environ.items() if name not in _TIES}
