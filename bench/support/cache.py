"""The user's cache folder, where data that was fetched or parsed once is kept."""

import os
from pathlib import Path

VARIABLE = "OPTBENCH_CACHE"


def folder() -> Path:
    """Where the cache is: ``OPTBENCH_CACHE``, or where the system keeps such things."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    import platformdirs  # a worker that is told the folder does without

    return Path(platformdirs.user_cache_dir("optbench"))
