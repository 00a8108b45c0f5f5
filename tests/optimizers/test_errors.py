"""Errors that name the value, the rule and the alternatives."""

import pytest

from optimizers.errors import UnknownNameError, UsageError, unknown


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        (
            "agam",
            ["sgd", "adam"],
            "Unknown optimizer 'agam'. Did you mean 'adam'? Known: adam, sgd.",
        ),
        ("ADAM", ["Adam"], "Unknown optimizer 'ADAM'. Did you mean 'Adam'? Known: Adam."),
        ("zzz", ["adam"], "Unknown optimizer 'zzz'. Known: adam."),
        ("adam", [], "Unknown optimizer 'adam'. Known: none."),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(
    name: str, known: list[str], message: str
) -> None:
    error = unknown("optimizer", name, known)
    assert str(error) == message
    assert isinstance(error, UnknownNameError)
    assert isinstance(error, UsageError)
