"""What can be imported by name."""

import os
import sys


def from_here() -> None:
    """Let modules be imported that lie in the folder where the user works.

    So ``-o mymodule:MyOptimizer`` finds a file there. Python does that by itself for scripts and
    ``-m``, but neither for commands such as ``optbench`` and ``pytest``, nor for processes that are
    started with ``-P`` or by others. The folder comes last, so that nothing in it takes the place
    of an installed package.
    """
    sys.path.append(os.getcwd())
