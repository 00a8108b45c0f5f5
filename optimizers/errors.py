"""Errors that are the user's to mend, told in one line."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A value that breaks a rule: the message names the value, the rule and the alternatives."""


class UnfitError(UsageError):
    """What an optimizer cannot do with a model or with this torch, whatever its settings."""


class UnknownNameError(UsageError):
    """A name that names nothing here; it may elsewhere, such as in another revision."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not in a list, with the nearest known name.

    Args:
        kind: What the name names, for example ``"optimizer"``.
        name: The unknown name.
        known: The names that would have worked.
    """
    known = sorted(known)
    folded = {candidate.casefold(): candidate for candidate in reversed(known)}
    nearest = difflib.get_close_matches(name.casefold(), folded, n=1)
    hint = f" Did you mean '{folded[nearest[0]]}'?" if nearest else ""
    return UnknownNameError(f"Unknown {kind} '{name}'.{hint} Known: {', '.join(known) or 'none'}.")
