"""The command line's little languages: ``LABEL=NAME``, ``LABEL.KEY=VALUE``, ``METRIC=VALUE``."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.spec import RunSpec
from optimizers import OPTIMIZERS, REGISTRY
from optimizers.errors import UsageError, unknown


@dataclass(frozen=True)
class Entry:
    """One optimizer of a comparison: how it is called, and which it is."""

    label: str
    optimizer: str


def comparison_specs(
    base: RunSpec, optimizers: Sequence[str], assignments: Sequence[str], seeds: int
) -> list[RunSpec]:
    """The runs of a comparison, seed by seed, so that drift of the machine hits all labels.

    Args:
        base: What all runs have in common.
        optimizers: ``[LABEL=]NAME`` or comma-separated lists of them; all built-in ones if empty.
        assignments: ``[LABEL.]KEY=VALUE``.
        seeds: How many seeds, 0, 1, 2, ...

    Raises:
        UsageError: An option that cannot be read, or that names nothing.
    """
    if seeds < 1:
        raise UsageError(f"seeds={seeds} is not valid: it is a whole number >= 1.")
    entries = parse_optimizers(optimizers or list(OPTIMIZERS))
    settings = parse_settings(assignments, entries)
    return [
        replace(
            base,
            optimizer=entry.optimizer,
            label=entry.label,
            hyperparameters=settings[entry.label],
            seed=seed,
        )
        for seed in range(seeds)
        for entry in entries
    ]


def parse_optimizers(options: Sequence[str]) -> list[Entry]:
    """Read ``[LABEL=]NAME[,[LABEL=]NAME...]``.

    A name without a label is its own label; of ``package.module:Class`` the label is ``Class``.

    Raises:
        UsageError: A part is empty, or a label occurs twice.
    """
    entries: list[Entry] = []
    for part in (part.strip() for option in options for part in option.split(",")):
        label, _, name = part.rpartition("=")
        if not name or (not label and part.startswith("=")):
            raise UsageError(f"Optimizer '{part}' is not valid: write NAME or LABEL=NAME.")
        if not label and "." in name and ":" not in name:
            module, _, attribute = name.rpartition(".")
            raise UsageError(
                f"Optimizer '{name}' is not valid: write {module}:{attribute}, or LABEL={name} for "
                "a name with a dot."
            )
        label = label or name.rpartition(":")[2]
        if label in {entry.label for entry in entries}:
            raise UsageError(
                f"The label '{label}' is used twice: give one of them another, as in "
                f"'{label}2={name}'."
            )
        if "." in label:
            raise UsageError(f"The label '{label}' is not valid: it has no dot.")
        entries.append(Entry(label, name))
    return entries


def parse_settings(
    assignments: Sequence[str], entries: Sequence[Entry]
) -> dict[str, dict[str, Any]]:
    """Read ``[LABEL.]KEY=VALUE``; without a label it goes to every optimizer that has the key.

    Raises:
        UsageError: An assignment that cannot be read, a label that was not selected, or a key
            that no selected optimizer has.
    """
    labels = {entry.label: entry for entry in entries}
    settings: dict[str, dict[str, Any]] = {label: {} for label in labels}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        label, dot, name = key.strip().rpartition(".")
        if not separator or not name or (dot and not label):
            raise UsageError(
                f"Setting '{assignment}' is not valid: write KEY=VALUE or LABEL.KEY=VALUE."
            )
        value = parse_value(text)
        if dot and label not in labels:
            raise unknown("label", label, labels)
        if dot:
            settings[label][name] = value
            continue
        having = {label: _accepted(entry) for label, entry in labels.items()}
        takers = [label for label, names in having.items() if name in names]
        if not takers:
            raise unknown(
                "hyperparameter", name, {name for names in having.values() for name in names}
            )
        for label in takers:
            settings[label][name] = value
    return settings


def parse_value(text: str) -> Any:
    """Read a number, ``true``, ``false``, ``none``, a comma-separated tuple, or else a word."""
    text = text.strip()
    if "," in text:
        return tuple(parse_value(part) for part in text.strip("()[]").split(",") if part.strip())
    named: Mapping[str, Any] = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in named:
        return named[text.lower()]
    try:
        number = json.loads(text)
    except json.JSONDecodeError:
        try:
            number = float(text)  # spellings that JSON lacks, such as .5
        except ValueError:
            return text
    return number if isinstance(number, (int, float)) else text


def parse_until(text: str | None) -> tuple[str, float] | None:
    """Read ``METRIC=VALUE``.

    Raises:
        UsageError: It is of another form, or the value is no number.
    """
    if text is None:
        return None
    name, separator, value = text.partition("=")
    try:
        if not name or not separator:
            raise ValueError
        target = float(value)
        if not math.isfinite(target):
            raise ValueError
        return name.strip(), target
    except ValueError:
        raise UsageError(
            f"--until '{text}' is not valid: write METRIC=VALUE, as in accuracy=0.97."
        ) from None


def _accepted(entry: Entry) -> set[str]:
    return set(REGISTRY.get(entry.optimizer).hyperparameters({}))
