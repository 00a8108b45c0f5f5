"""What the tests run on, pinned in ``constraints.txt``, beside the newest releases.

To pin what is newest now, once the tests pass on it::

    tox run -e latest
    tox exec -e latest --skip-pkg-install -- python .ci/dependencies.py pin

``python .ci/dependencies.py newest`` says in one line which direct dependencies have newer releases
than the pinned. It never fails: to look is not to depend on the index.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "constraints.txt"
_HEAD = f"# What the tests run on. Made by {HERE.name}/{Path(__file__).name}, which says how.\n"
_LIMIT_S = 60
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def direct() -> list[str]:
    """Names of the project's direct dependencies, those of its extras and groups included."""
    document = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    project = document["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += document["dependency-groups"].values()
    found = {re.split(r"[^\w.-]", text)[0].lower() for items in lists for text in items}
    return sorted(found - {project["name"]})


def pinned() -> dict[str, str]:
    """Version by name."""
    lines = CONSTRAINTS.read_text().splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.lower(): version for name, _, version in pairs}


def newest(name: str) -> str | None:
    """The newest release for this Python, or ``None`` if the index does not say."""
    command = [*_PIP, "index", "versions", name, "--json"]
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_LIMIT_S)
        return str(json.loads(said.stdout)["latest"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def compared() -> Iterator[str]:
    """What is to be said of each dependency that is not pinned at its newest release."""
    versions, names = pinned(), direct()
    with ThreadPoolExecutor(8) as pool:
        for name, latest in zip(names, pool.map(newest, names), strict=True):
            if latest is None:
                yield f"{name} unknown (pinned {versions.get(name)})"
            elif latest != versions.get(name):
                yield f"{name} {latest} (pinned {versions.get(name)})"


def main() -> None:
    """``pin`` what is installed here, or say what is ``newest``."""
    match sys.argv[1:]:
        case ["pin"]:
            command = [*_PIP, "freeze", "--exclude", "optbench"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            CONSTRAINTS.write_text(_HEAD + said)
        case ["newest"]:
            found = list(compared())
            rest = ", ".join(found) or "all direct dependencies are pinned at theirs"
            print(f"Newest releases: {rest}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
