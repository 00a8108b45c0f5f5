"""Releases of other packages, installed aside for one test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def installed(folder: Path, *requirements: str) -> dict[str, str]:
    """Install packages into a folder; an environment in which they go before all others.

    Where nothing can be installed the test is skipped.
    """
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), *requirements]
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode != 0:
        pytest.skip(f"{' '.join(requirements)} cannot be installed: {finished.stderr[-200:]}")
    return {**os.environ, "OPTBENCH_OFFLINE": "1", "PYTHONPATH": str(folder)}
