"""Stored runs sorted into comparisons: only what ran under the same conditions is compared."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.runs import conditions, settings
from bench.runs.record import DONE, RunRecord
from bench.runs.spec import MEMORY_RUNS
from bench.support.strict_json import by_value

_UNSET = object()
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs of one comparison.

    Attributes:
        name: Its problem and budget, and whatever else tells it from the other groups.
        training: One record per label and seed; labels that stand for several settings say which.
        yardsticks: Plain-gradient records of their sessions.
        memory: Peak memory by label, in bytes: of the training runs where they measured it, else
            of the newest memory run and of as many before it, executions of the same run, as a
            comparison makes.
        superseded: How many older executions of the same runs were left out.
    """

    name: str
    training: Sequence[RunRecord]
    yardsticks: Sequence[RunRecord] = ()
    memory: Mapping[str, Sequence[int]] = field(default_factory=dict)
    superseded: int = 0

    @property
    def first(self) -> RunRecord:
        """A record that stands for all where they agree."""
        return self.training[0]

    @property
    def seeds(self) -> list[int]:
        """All seeds."""
        return sorted({record.config["seed"] for record in self.training})


def split(records: Iterable[RunRecord], sweeps: Iterable[str] = ()) -> list[Group]:
    """Sort records into groups, the one with the latest run first.

    Of several executions of the same run, the newest finished one counts, and one that had the
    machine for itself before one that shared it.

    Args:
        records: Of any role.
        sweeps: Sessions of sweeps: their runs are judged there, not compared here.
    """
    kept, swept = sorted(records, key=lambda record: (record.started_at, record.key)), set(sweeps)
    found: dict[str, list[RunRecord]] = {}
    yardsticks: dict[str, list[RunRecord]] = {}
    memory: dict[str, list[RunRecord]] = {}
    for record in kept:
        if record.role == "plain_gradient":
            yardsticks.setdefault(record.session, []).append(record)
        elif record.role == "memory":
            if record.peak_memory_bytes is not None:
                memory.setdefault(_memory_key(record), []).append(record)
        elif record.session not in swept:
            limits = [record.config[name] for name in ("iterations", "seconds", "until")]
            key = json.dumps([conditions.values(record, "comparison"), limits], default=str)
            found.setdefault(key, []).append(record)
    names = _names(list(found.values()))
    groups = [
        _group(title, runs, yardsticks, memory)
        for title, runs in zip(names, found.values(), strict=True)
    ]
    return sorted(groups, key=_latest, reverse=True)


def of_comparison(
    training: Sequence[RunRecord],
    yardsticks: Sequence[RunRecord],
    memory: Mapping[str, Sequence[int]],
) -> Group:
    """The runs of one comparison as they were made together."""
    (name,) = _names([training])
    return Group(name=name, training=training, yardsticks=yardsticks, memory=memory)


def _latest(group: Group) -> datetime:
    return max((record.started_at for record in group.training), default=_NEVER)


def _group(
    title: str,
    runs: Sequence[RunRecord],
    yardsticks: Mapping[str, Sequence[RunRecord]],
    memory: Mapping[str, Sequence[RunRecord]],
) -> Group:
    variants = [_variant(record) for record in runs]
    firsts = dict(zip(reversed(variants), reversed(runs), strict=True))
    labels = _labels({variant: firsts[variant] for variant in dict.fromkeys(variants)})
    chosen: dict[tuple[str, int], RunRecord] = {}
    for variant, record in zip(variants, runs, strict=True):
        # By age: a later one replaces an earlier one that is worth no more.
        key = (labels[variant], record.config["seed"])
        if key not in chosen or _worth(record) >= _worth(chosen[key]):
            chosen[key] = record
    # A label is one code: after an edit, runs of other seeds from before it are not mixed in.
    latest = {label: record for (label, _), record in sorted(chosen.items(), key=_age)}
    chosen = {
        key: record for key, record in chosen.items() if _source(record) == _source(latest[key[0]])
    }
    training = [record.relabelled(label) for (label, _), record in chosen.items()]
    peaks: dict[str, list[int]] = {}
    for record in training:
        if record.peak_memory_bytes is not None:
            peaks.setdefault(record.label, []).append(record.peak_memory_bytes)
    for variant, label in labels.items():
        if label not in peaks and (found := memory.get(_memory_key(firsts[variant]))):
            same = [one for one in found if one.run_id == found[-1].run_id]
            peaks[label] = [one.peak_memory_bytes or 0 for one in same[-MEMORY_RUNS:]]
    sessions = dict.fromkeys(record.session for record in training)
    problem = runs[0].config["problem"]
    return Group(
        name=title,
        training=training,
        yardsticks=[
            yardstick
            for session in sessions
            for yardstick in yardsticks.get(session, ())
            if yardstick.config["problem"] == problem
        ],
        memory=peaks,
        superseded=len(runs) - len(chosen),
    )


def _age(item: tuple[tuple[str, int], RunRecord]) -> tuple[tuple[bool, bool], datetime]:
    return _worth(item[1]), item[1].started_at


def _source(record: RunRecord) -> str | None:
    return record.environment.get("source")


def _worth(record: RunRecord) -> tuple[bool, bool]:
    return record.status in DONE, not record.shared


def _variant(record: RunRecord) -> str:
    """What a label stands for."""
    config = record.config
    facts = [config[name] for name in ("label", "optimizer", "settings", "hyperparameters")]
    facts += [config.get("step", ""), config.get("groups", ())]  # not in older records
    return json.dumps(by_value(facts), sort_keys=True, default=str)


def _labels(variants: Mapping[str, RunRecord]) -> dict[str, str]:
    """A name for each variant: its label, with the settings that tell it from others so called."""
    shared = Counter(record.label for record in variants.values())
    names: dict[str, str] = {}
    for key, record in variants.items():
        title = record.label
        if shared[title] > 1:
            others = [other for other in variants.values() if other.label == title]
            title = f"{title} ({_difference(record, others)})"
        while title in names.values():
            title += "'"
        names[key] = title
    return names


def _difference(record: RunRecord, others: Sequence[RunRecord]) -> str:
    """The settings, or else resolved hyperparameters, in which a record differs from others."""
    told: list[str] = []
    step = record.config.get("step", "")
    if any(other.config.get("step", "") != step for other in others):
        told.append(f"step {step or 'as it tells'}")
    own_groups = by_value(record.config.get("groups", ()))
    if any(by_value(other.config.get("groups", ())) != own_groups for other in others):
        told.append(settings.written_groups(record.config.get("groups", ())) or "no groups")
    if any(other.config["optimizer"] != record.config["optimizer"] for other in others):
        told.append(str(record.config["optimizer"]))
    for kind in ("settings", "hyperparameters"):
        own: Mapping[str, Any] = record.config[kind]
        names = dict.fromkeys(name for other in others for name in other.config[kind])
        differing = [
            name
            for name in names
            if any(
                other.config[kind].get(name, _UNSET) != own.get(name, _UNSET) for other in others
            )
        ]
        given = {name: own[name] for name in differing if name in own}
        told += settings.assignments(given)
        told += [f"without {name}" for name in differing if name not in own]
        if told:
            break
    return ", ".join(told)


def budget(record: RunRecord) -> str:
    """What ended a run: ``201 iterations``, ``until accuracy=0.97, 2000 iterations at most``."""
    config = record.config
    limits = []
    if config["iterations"]:
        limits.append(f"{config['iterations']} iterations")
    if config["seconds"]:
        limits.append(f"{config['seconds']:g} s")
    limit = " or ".join(limits)
    if not config["until"]:
        return limit or "no budget"
    target = "{}={:g}".format(*config["until"])
    return f"until {target}" + (f", {limit} at most" if limit else "")


def _memory_key(record: RunRecord) -> str:
    """What a memory run shares with the training runs that it belongs to."""
    return json.dumps([_variant(record), conditions.values(record, "memory")], default=str)


def _names(groups: Sequence[Sequence[RunRecord]]) -> list[str]:
    """Problem and budget of each group, and the other conditions in which groups differ."""
    firsts = [runs[0] for runs in groups]
    told = [
        [condition.phrase(condition.read(record)) for record in firsts]
        for condition in conditions.that_decide("comparison")
        if condition.phrase is not None
    ]
    differing = [phrases for phrases in told if len(set(phrases)) > 1]
    return [
        ", ".join([str(record.config["problem"]), budget(record), *phrases])
        for record, *phrases in zip(firsts, *differing, strict=True)
    ]
