"""Errors and warnings that several folders know; those of ``optimizers`` are offered here too."""

from optimizers.errors import UnknownNameError, UsageError, unknown

__all__ = [
    "BenchmarkError",
    "DamagedRecordWarning",
    "KilledError",
    "LostError",
    "NotApplicableError",
    "SideError",
    "UnknownNameError",
    "UsageError",
    "WorkersError",
    "unknown",
]


class WorkersError(RuntimeError):
    """The workers cannot go on; what is stored remains."""


class NotApplicableError(UsageError):
    """What an optimizer cannot do on a problem, whatever its settings: others can go on."""


class LostError(Exception):
    """A process ended without an answer, or with an error that is not this project's."""

    @property
    def whole(self) -> str:
        """The traceback that came with it, or else what it says."""
        return "".join(getattr(self, "__notes__", ())) or str(self)


class KilledError(LostError):
    """A process was ended by a signal, perhaps by chance."""


class SideError(Exception):
    """A side did not start, crashed, or raised."""


class BenchmarkError(SideError):
    """The code of one benchmark of a side failed; others of that side may go on."""


class DamagedRecordWarning(UserWarning):
    """A file in the results folder is not a readable record and was skipped."""
