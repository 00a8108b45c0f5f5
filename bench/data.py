"""Where data was before ``bench.problems``: an alias for one release.

Every name of old is found here, with a ``DeprecationWarning`` that says where it is now.
"""

import warnings
from importlib import import_module
from typing import Any

from bench import problems


def __getattr__(name: str) -> Any:
    """Find a name where it is now, and say where that is to whoever asks."""
    if not name.startswith("__"):  # which Python itself asks for
        for home in ("bench.problems.data", "bench.problems.mnist_files"):
            module = import_module(home)
            if hasattr(module, name):
                place = problems.__name__ if name in problems.__all__ else home
                warnings.warn(
                    f"bench.data is {place} now, and goes with the next release: "
                    f"from {place} import {name}",
                    DeprecationWarning,
                    stacklevel=2,
                )
                return getattr(module, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
