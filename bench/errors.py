"""Errors and warnings that several folders know; those of ``optimizers`` are offered here too."""

from optimizers.errors import UnknownNameError, UsageError, unknown

__all__ = [
    "DamagedRecordWarning",
    "SideError",
    "UnknownNameError",
    "UsageError",
    "WorkersError",
    "unknown",
]


class WorkersError(RuntimeError):
    """The workers cannot go on; what is stored remains."""


class SideError(Exception):
    """A side did not start, crashed, or raised."""


class DamagedRecordWarning(UserWarning):
    """A file in the results folder is not a readable record and was skipped."""
