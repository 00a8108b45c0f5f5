"""What workers are told to do in tests."""

from typing import Any

from bench.errors import LostError, UsageError
from bench.sweeps.workers import Finished


def double(number: int) -> int:
    return 2 * number


def lose(number: int) -> int:
    """Double a number; 3 is lost."""
    if number == 3:
        raise LostError("its process died")
    return 2 * number


def refuse(number: int) -> int:
    raise UsageError(f"{number} is not valid.")


def calls(count: int) -> list[tuple[int, tuple[int]]]:
    return [(number, (number,)) for number in range(count)]


def results(found: list[Any]) -> dict[int, int]:
    return {one.key: one.result for one in found if isinstance(one, Finished)}
