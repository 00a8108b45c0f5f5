"""Runs of commands in the process of the tests: what is patched there holds for them, too."""

from bench.training.processes import Here


class InProcess(Here):
    """Takes the place of ``Processes``, where it does not matter what a run may do to others."""

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None: ...
