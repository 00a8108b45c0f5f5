"""The command line's little languages: ``LABEL=NAME``, ``LABEL.KEY=VALUE``, ``METRIC=VALUE``."""

import json
import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import UsageError, unknown
from bench.runs import stepping
from bench.runs.spec import TUTORIAL_OPTIMIZERS, RunSpec
from optimizers import REGISTRY, construction

_GROUP = re.compile(r"(?:(?P<label>[^=<>:]+)=(?!=))?(?P<selector>[^:]+):(?P<settings>.+)")


@dataclass(frozen=True)
class Entry:
    """One optimizer of a comparison: how it is called, and which it is."""

    label: str
    optimizer: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is to be known of an optimizer before there are runs.

    Attributes:
        defaults: Its hyperparameters; ``None`` of one without a default.
        search_space: The grid that a sweep tries where none is given.
    """

    defaults: Mapping[str, Any]
    search_space: Mapping[str, Sequence[Any]]


def facts_here(optimizer: str) -> Facts:
    """What is to be known of an optimizer, which is imported here for that."""
    spec = REGISTRY.get(optimizer)
    return Facts(defaults=spec.settings(), search_space=spec.search_space)


AskFacts = Callable[[str], Facts]


def comparison_specs(
    base: RunSpec,
    optimizers: Sequence[str],
    assignments: Sequence[str],
    seeds: Sequence[int],
    facts: AskFacts = facts_here,
    steps: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> list[RunSpec]:
    """The runs of a comparison, seed by seed, so that drift of the machine hits all labels.

    Args:
        base: What all runs have in common.
        optimizers: ``[LABEL=]NAME`` or comma-separated lists of them; the tutorial's four if empty.
        assignments: ``[LABEL.]KEY=VALUE``.
        seeds: The seeds.
        facts: Is asked for the hyperparameters of an optimizer, by its name.
        steps: ``[LABEL=]HOW``; see :func:`parse_steps`.
        groups: Parameter groups; see :func:`parse_groups`.

    Raises:
        UsageError: An option that cannot be read, or that names nothing.
    """
    entries = parse_optimizers(optimizers or TUTORIAL_OPTIMIZERS)
    taken, grouped = parse_steps(steps, entries), parse_groups(groups, entries)
    settings = parse_settings(assignments, entries, facts)
    return [
        replace(
            base,
            optimizer=entry.optimizer,
            label=entry.label,
            hyperparameters=settings[entry.label],
            step=taken[entry.label],
            groups=grouped[entry.label],
            seed=seed,
        )
        for seed in seeds
        for entry in entries
    ]


def parse_seeds(text: str) -> list[int]:
    """Read a number of seeds (``3``: 0, 1, 2), or seeds and ranges (``5,7``, ``100-104``).

    Raises:
        UsageError: It is neither, or a seed occurs twice.
    """
    rule = (
        f"--seeds '{text}' is not valid: write how many (3 means 0, 1, 2), or which, as in 100-104 "
        "or 5,7,9."
    )
    if text.strip().isdecimal():
        seeds = list(range(int(text)))
    else:
        seeds = []
        for part in text.split(","):
            first, dash, last = (item.strip() for item in part.partition("-"))
            if not first.isdecimal() or (dash and not last.isdecimal()):
                raise UsageError(rule)
            seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(rule)
    return seeds


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
    assignments: Sequence[str], entries: Sequence[Entry], facts: AskFacts = facts_here
) -> dict[str, dict[str, Any]]:
    """Read ``[LABEL.]KEY=VALUE``; without a label it goes to every optimizer that has the key.

    Raises:
        UsageError: An assignment that cannot be read, a label that was not selected, or a key
            that no selected optimizer has.
    """
    settings: dict[str, dict[str, Any]] = {entry.label: {} for entry in entries}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        label, dot, name = key.strip().rpartition(".")
        if not separator or not name or (dot and not label):
            raise UsageError(
                f"Setting '{assignment}' is not valid: write KEY=VALUE or LABEL.KEY=VALUE."
            )
        for label, name in takers(key, entries, facts):
            settings[label][name] = parse_value(text)
    return settings


def parse_steps(options: Sequence[str], entries: Sequence[Entry]) -> dict[str, str]:
    """Read ``[LABEL=]HOW``: how a label's step is taken, or all of them, by label.

    Raises:
        UsageError: A label that was not selected, or no way in which steps are taken.
    """
    steps = {entry.label: "" for entry in entries}
    for option in options:
        label, separator, how = (part.strip() for part in option.rpartition("="))
        stepping.parse(how)
        if separator and label not in steps:
            raise unknown("label", label, steps)
        steps |= {label: how} if separator else dict.fromkeys(steps, how)
    return steps


def parse_groups(
    options: Sequence[str], entries: Sequence[Entry]
) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Read ``[LABEL=]SELECTOR: KEY=VALUE[; KEY=VALUE...]``: parameter groups by label.

    Without a label a group is every optimizer's.

    Raises:
        UsageError: It is of another form, or a label that was not selected.
    """
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {entry.label: [] for entry in entries}
    for option in options:
        found = _GROUP.fullmatch(option.strip())
        parts = [part.partition("=") for part in (found["settings"] if found else "").split(";")]
        if found is None or not all(key.strip() and separator for key, separator, _ in parts):
            raise UsageError(
                f"Group '{option}' is not valid: write [LABEL=]SELECTOR: KEY=VALUE; KEY=VALUE, as "
                "in 'ndim<2: weight_decay=0' or 'adam=*.bias: lr=0.1'."
            )
        label = found["label"] and found["label"].strip()
        if label is not None and label not in groups:
            raise unknown("label", label, groups)
        own = {key.strip(): parse_value(text) for key, _, text in parts}
        for name in [label] if label is not None else groups:
            groups[name].append((found["selector"].strip(), own))
    return groups


def written_groups(groups: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Parameter groups as :func:`parse_groups` reads them."""
    return ", ".join(f"{selector}: {'; '.join(assignments(own))}" for selector, own in groups)


def options(
    label: str,
    settings: Mapping[str, Any],
    step: str = "",
    groups: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> list[str]:
    """A label's settings, how its steps are taken, and its groups, as words of a command line."""
    words = [word for text in assignments(settings) for word in ("--set", f"{label}.{text}")]
    words += ["--step", f"{label}={step}"] if step else []
    for group in groups:
        words += ["--group", f"{label}={written_groups([group])}"]
    return words


def takers(
    key: str, entries: Sequence[Entry], facts: AskFacts = facts_here
) -> list[tuple[str, str]]:
    """Whom ``[LABEL.]KEY`` concerns; without a label every optimizer that has the key.

    Returns:
        Labels, each with the name of the hyperparameter.

    Raises:
        UsageError: A label that was not selected, or a key that no selected optimizer has.
    """
    labels = {entry.label: entry for entry in entries}
    label, dot, name = key.strip().rpartition(".")
    if dot and label not in labels:
        raise unknown("label", label, labels)
    if dot:
        return [(label, name)]
    having = {label: facts(entry.optimizer).defaults for label, entry in labels.items()}
    found = [(label, name) for label, names in having.items() if name in names]
    if not found:
        raise unknown("hyperparameter", name, {name for names in having.values() for name in names})
    return found


def parse_value(text: str) -> Any:
    """Read a number, ``true``, ``false``, ``none``, a comma-separated tuple, or else a word."""
    text = text.strip()
    if construction.is_reference(text):  # its settings have commas of their own
        return text
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


def parse_until(text: str | None, option: str = "--until") -> tuple[str, float] | None:
    """Read ``METRIC=VALUE``.

    Args:
        text: What was given.
        option: Where.

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
            f"{option} '{text}' is not valid: write METRIC=VALUE, as in accuracy=0.97."
        ) from None


def setting_key(value: Any) -> Hashable:
    """Hyperparameters, or a value of one, in a form by which they are told apart and looked up.

    The order of names does not matter, and lists are tuples, which JSON lacks. Numbers are the same
    if their values are (1 and 1.0), but ``True`` is no number.
    """
    if isinstance(value, Mapping):
        return frozenset((name, setting_key(item)) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(setting_key, value))
    return isinstance(value, bool), value


def written(values: Mapping[str, Any]) -> str:
    """Hyperparameters as ``lr=0.003, betas=0.9,0.99``, each as ``--set`` takes it."""
    return ", ".join(assignments(values)) or "its own defaults"


def assignments(values: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as ``--set`` takes them, without a label."""
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }
    return [f"{name}={text}" for name, text in texts.items()]
