"""What all tests of this project hold to: a warning is an error, that of an unknown marker too."""

import pytest


def configure(config: pytest.Config) -> None:
    """Set a run of pytest up so; ``pyproject.toml`` would set up the suite's users too."""
    config.addinivalue_line("markers", "browser: needs playwright and a Chromium")
    config.addinivalue_line("filterwarnings", "error")
    # such as: no baseline yet
    ignored = "default::pytest_benchmark.logger.PytestBenchmarkWarning"
    config.addinivalue_line("filterwarnings", ignored)
