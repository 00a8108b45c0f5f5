"""Errors that several folders know: one home, and each is what its handlers take it for."""

import optimizers
from bench import errors


def test_errors_of_optimizers_are_the_same_here() -> None:
    """So that what a plug-in raises is caught, whichever name it was imported by."""
    assert errors.UsageError is optimizers.UsageError
    assert issubclass(errors.UnknownNameError, errors.UsageError)
    assert isinstance(errors.unknown("problem", "mnits", ["mnist"]), errors.UnknownNameError)


def test_what_ends_a_command_is_no_wrong_usage() -> None:
    for kind in (errors.WorkersError, errors.SideError):
        assert not issubclass(kind, errors.UsageError)
    assert issubclass(errors.DamagedRecordWarning, UserWarning)


def test_all_are_offered() -> None:
    assert set(errors.__all__) == {name for name in vars(errors) if not name.startswith("_")}
