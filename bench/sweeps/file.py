"""The file of a sweep: its definition, and which runs belong to it.

What became of the runs is in their own records; the file only names them. It is written whole
before the runs of a batch begin, so that whatever kills a sweep, it can be read and goes on.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.recommend.swept import Dropped
from bench.support import atomic
from bench.support.strict_json import with_strings
from bench.sweeps.experiment import Arm, Cell, Experiment
from bench.sweeps.grid import Axis

SCHEMA_VERSION = 1
FOLDER = "sweeps"


@dataclass(kw_only=True)
class SweepRecord:
    """A sweep and its runs.

    Attributes:
        experiment: The definition.
        yaml: Text of the file that it was read from; empty if it was given by options.
        command: The command line that made it last.
        metrics: The problem's metrics and which way is better.
        arms: Its labels, with what is swept.
        cells: Run ids by cell, in the order in which they were begun.
        dropped: What halving gave up, by label.
        threads: Torch's threads of a run; its own choice if ``None``.
        fingerprint: The machine of the runs, which matters where times are the objective.
        started_at: When it was begun first, UTC.
        updated_at: When the file was written last, UTC.
    """

    experiment: Experiment
    yaml: str = ""
    command: str = ""
    metrics: Mapping[str, str] = field(default_factory=dict)
    arms: list[Arm] = field(default_factory=list)
    cells: list[tuple[Cell, str]] = field(default_factory=list)
    dropped: dict[str, list[Dropped]] = field(default_factory=dict)
    threads: int | None = None
    fingerprint: str = ""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def within(self, other: "SweepRecord | None") -> bool:
        """Whether another one has all of these runs, and maybe more."""
        if other is None:
            return False
        known = {run_id for _, run_id in other.cells}
        return all(run_id in known for _, run_id in self.cells)

    def save(self, results: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            UsageError: It cannot be written.
        """
        path = path_of(results, self.experiment)
        self.updated_at = datetime.now(UTC)
        document = {
            "schema_version": SCHEMA_VERSION,
            "experiment": dataclasses.asdict(self.experiment),
            "yaml": self.yaml,
            "command": self.command,
            "metrics": dict(self.metrics),
            "arms": [dataclasses.asdict(arm) for arm in self.arms],
            "cells": [{**dataclasses.asdict(cell), "run_id": run} for cell, run in self.cells],
            "dropped": {
                label: [{**dataclasses.asdict(one), "score": str(one.score)} for one in dropped]
                for label, dropped in self.dropped.items()
            },
            "threads": self.threads,
            "fingerprint": self.fingerprint,
            "started_at": self.started_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }
        text = json.dumps(with_strings(document), indent=1, allow_nan=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic.writing(path) as file:
                file.write(text.encode())
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"Sweep file '{path}' cannot be written: {reason}.") from error


def path_of(results: Path, experiment: Experiment) -> Path:
    """Where the file of a sweep is."""
    return results / FOLDER / f"{experiment.name}.json"


def names(folders: Iterable[Path]) -> list[str]:
    """The sweeps of results folders, which are the sessions of their runs, too."""
    return [path.stem for folder in folders for path in (folder / FOLDER).glob("*.json")]


def read(path: Path) -> SweepRecord:
    """Read a sweep's file; nothing in it is evaluated.

    Raises:
        UsageError: It is not there, damaged, or no sweep.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"its schema is version {document['schema_version']!r}")
        facts: dict[str, Any] = dict(document["experiment"])
        for name in ("optimizers", "grid", "settings"):
            facts[name] = tuple(facts[name])
        for name in ("groups", "steps"):  # which older files lack
            facts[name] = tuple(facts.get(name, ()))
        cells = [
            (
                Cell(
                    label=cell["label"],
                    settings=_settings(cell["settings"]),
                    seed=cell["seed"],
                    iterations=cell["iterations"],
                ),
                str(cell["run_id"]),
            )
            for cell in document["cells"]
        ]
        dropped = {
            label: [
                Dropped(
                    settings=_settings(one["settings"]),
                    iterations=one["iterations"],
                    score=float(one["score"]),
                )
                for one in items
            ]
            for label, items in document["dropped"].items()
        }
        return SweepRecord(
            experiment=Experiment(**facts),
            yaml=str(document["yaml"]),
            command=str(document["command"]),
            metrics=dict(document["metrics"]),
            arms=[_arm(arm) for arm in document["arms"]],
            cells=cells,
            dropped=dropped,
            threads=document["threads"],
            fingerprint=str(document["fingerprint"]),
            started_at=datetime.fromisoformat(document["started_at"]),
            updated_at=datetime.fromisoformat(document["updated_at"]),
        )
    except OSError as error:
        raise UsageError(f"Sweep '{path}' cannot be read: {error.strerror or error}.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"Sweep '{path}' is not a readable sweep: {reason}.") from error


def _arm(facts: Mapping[str, Any]) -> Arm:
    axes = {
        name: Axis(tuple(_settings(dict(enumerate(axis["values"]))).values()), axis["scale"])
        for name, axis in facts["axes"].items()
    }
    return Arm(
        label=facts["label"],
        optimizer=facts["optimizer"],
        groups=tuple((selector, _settings(own)) for selector, own in facts.get("groups", ())),
        step=facts.get("step", ""),
        fixed=_settings(facts["fixed"]),
        axes=axes,
    )


def _settings(facts: Mapping[Any, Any]) -> dict[Any, Any]:
    """Settings as they were: JSON knows no tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
    }


def existing(results: Path, experiment: Experiment) -> SweepRecord | None:
    """The file of the same sweep from before, if there is a readable one."""
    path = path_of(results, experiment)
    try:
        return read(path) if path.is_file() else None
    except UsageError:
        return None  # it is made anew from what is stored


def find(results: Path, name: str | None) -> Path:
    """The file of a sweep by its name, or of the latest one.

    Args:
        results: The results folder.
        name: A name, the path of a file, or ``None`` for the latest.

    Raises:
        UsageError: There is none.
    """
    folder = results / FOLDER
    known = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    if name is None:
        if not known:
            raise UsageError(f"There is no sweep in '{results}': 'optbench sweep' makes one.")
        return known[-1]
    if Path(name).is_file():
        return Path(name)
    path = folder / f"{name.removesuffix('.json')}.json"
    if not path.is_file():
        listed = ", ".join(path.stem for path in known) or "none"
        raise UsageError(f"Unknown sweep '{name}' in '{results}'. Known: {listed}.")
    return path
