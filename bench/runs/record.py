"""The record of one run: what was asked, where it ran, and every raw value."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bench.runs.spec import Role
from bench.statistics.intervals import final_loss
from bench.support.strict_json import number, with_strings
from bench.support.text import in_words, plain, plural, shorten

if TYPE_CHECKING:
    import pandas as pd

HINT = "Hint: "  # begins a note of an exception that says what to do
SCHEMA_VERSION = 3
PHASES = ("data", "forward", "backward", "step")
PHASE_COLUMNS = tuple(f"{phase}_s" for phase in PHASES)
COLUMNS = ("iteration", "loss", "accuracy", *PHASE_COLUMNS)
CURVATURE_COLUMNS = (
    "iteration", "layer", "damping", "share", "weighted_share",
    "q01", "q05", "q25", "q50", "q75", "q95", "q99",
)  # fmt: skip

Status = Literal["completed", "diverged", "failed", "interrupted", "not_applicable"]
DONE: tuple[Status, ...] = ("completed", "diverged")

_BESIDE_METADATA = {"values", "path"}

# What readers of a record rely on: types, or the values that there are; in a tuple, alternatives.
# Under a name with a question mark there may be nothing. Numbers that need not be finite are read
# by ``number`` instead.
_SCALAR = (str, int, float, bool, None)
_SHAPE = {
    "run_id": str,
    "started_at": str,
    "session": str,
    "config": {
        "problem": str,
        "optimizer": str,
        "label": str,
        "hyperparameters": dict,
        "settings": dict,
        "seed": int,
        "iterations": (int, float, None),
        "seconds": (int, float, None),
        "until": (list, None),
        "batch_size": int,
        "device": str,
        "dtype": str,
        "split": str,
        "role": frozenset(get_args(Role)),
    },
    "status": frozenset(get_args(Status)),
    "diverged_at": (int, None),
    "error": str,
    "environment": {
        "fingerprint": str,
        "cpu": str,
        "logical_cores": (int, None),
        "threads": int,
        "gpu": ({"name": str}, None),
        "versions": {"torch": str},
        "allocator": {"libc": _SCALAR, "tuned": (bool, None)},
        "commit": (str, None),
        "shared?": bool,
    },
    "data": {"name": str, "detail": str, "checksum": _SCALAR, "origin": str},
    "evaluations": list,
    "curvature": list,
    "metrics": dict,
    "peak_memory_bytes": (int, None),
    "warmup_s": (float, int, str),
    "wall_s": (float, int, str),
    "iterating_s?": (float, int, None),
}
_METRICS = frozenset({"min", "max"})


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunRecord:
    """One execution of a run, immutable.

    Attributes:
        run_id: Hash of everything that decides the losses.
        started_at: When the run began, UTC.
        session: The command or program that made it; costs relative to a plain gradient are
            taken within a session.
        config: The resolved ``RunSpec`` as a JSON-able dict, all hyperparameters filled in;
            ``settings`` holds those that were given or that the registry sets.
        status: ``completed``, ``diverged``, ``failed``, ``interrupted``, or ``not_applicable``: the
            optimizer cannot do this problem.
        diverged_at: Iteration of the first non-finite loss, or ``None``.
        error: The traceback of a failed run, the reason of one that is not applicable, or empty.
        environment: Machine and software; see ``bench.machine.environment.describe``. ``shared`` is
            whether other runs ran there at the same time, ``source`` a hash of the code.
        data: The data source.
        values: Raw values per iteration, one array for each of ``COLUMNS``.
        evaluations: Per evaluation: ``iteration`` (updates done), ``seconds`` (clocked so far)
            and the problem's metrics.
        curvature: Per observed iteration a row by layer, and one for the layer ``all``: the
            columns of ``CURVATURE_COLUMNS``; see
            ``optimizers.curvature.statistics.curvature_statistics``. Empty without a diagonal.
        metrics: The problem's evaluation metrics and whether ``"min"`` or ``"max"`` is better.
        peak_memory_bytes: Peak memory of training: allocated on CUDA; on the CPU the growth of
            the resident set in a memory run. ``None`` where it was not measured.
        warmup_s: Wall time of building a model and of the iterations on it that are thrown away.
        wall_s: Wall time of the whole run, evaluation included.
        iterating_s: Wall time of the iterations, until all of them were done on the device, without
            evaluations and observations of curvature; ``None`` of a run that did not complete, and
            of older ones. The clock covers ``seconds.sum()`` of it.
        path: The file that it was read from or saved to; ``None`` of a record in memory only.
    """

    run_id: str
    started_at: datetime
    session: str
    config: Mapping[str, Any]
    status: Status
    diverged_at: int | None
    error: str
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    values: Mapping[str, np.ndarray]
    evaluations: list[dict[str, float]] = field(default_factory=list)
    curvature: list[dict[str, Any]] = field(default_factory=list)
    metrics: Mapping[str, str] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    warmup_s: float = 0.0
    wall_s: float = 0.0
    iterating_s: float | None = None
    schema_version: int = SCHEMA_VERSION
    path: Path | None = None

    def __repr__(self) -> str:
        """On two lines: what it is, how it ended and how far it got, where it is stored."""
        config, losses = self.config, self.values["loss"]
        ended = f"{in_words(self.status)} after {plural(len(losses), 'iteration')}"
        if self.reason:
            ended += f": {shorten(plain(self.reason), 60)}"
        elif len(losses):
            ended += f", train loss {final_loss(losses):.4g}"
        last = self.evaluations[-1] if self.evaluations else {}
        metrics = ", ".join(f"{name} {last[name]:.4g}" for name in self.metrics if name in last)
        role = "" if self.role == "training" else f"{self.role} run of "
        return (
            f"<RunRecord: {role}{plain(self.label)} on {config['problem']}, seed {config['seed']}: "
            f"{ended}"
            f"\n {config['split']} {metrics or 'not evaluated'}; {self.path or 'not stored'}>"
        )

    @property
    def label(self) -> str:
        """How the run is called in tables and figures."""
        return str(self.config["label"])

    @property
    def role(self) -> Role:
        """What the run is for."""
        return self.config["role"]

    @property
    def reason(self) -> str:
        """Why a run failed or could not be, in one line: the exception at a traceback's end.

        What a note of it, of the form ``Hint: ...``, says stands behind it in brackets.
        """
        if self.status == "not_applicable":
            return " ".join(self.error.split())
        lines = self.error.splitlines()
        frames = [index for index, line in enumerate(lines) if line.startswith("  ")]
        rest = lines[frames[-1] + 1 :] if frames else lines
        hints = [line[len(HINT) :] for line in rest[1:] if line.startswith(HINT)]
        return " ".join([*rest[:1], *(f"({hint})" for hint in hints)])

    @property
    def ended(self) -> str:
        """How it ended, in words, such as ``diverged at iteration 3``."""
        at = "" if self.diverged_at is None else f" at iteration {self.diverged_at}"
        return f"{in_words(self.status)}{at}"

    @property
    def refusal(self) -> str:
        """That the optimizer is not for this problem and why, as in ``sgd: not applicable: ...``.

        Empty of any other run.
        """
        if self.status != "not_applicable":
            return ""
        return plain(f"{self.label}: {self.ended}: {self.reason}")

    @property
    def seconds(self) -> np.ndarray:
        """Clocked seconds of each iteration, all phases together."""
        return np.sum([self.values[name] for name in PHASE_COLUMNS], axis=0)

    @property
    def clocked_share(self) -> float:
        """How much of the wall time of its iterations the clock covers; NaN if that is unknown."""
        return float(self.seconds.sum()) / self.iterating_s if self.iterating_s else math.nan

    @property
    def shared(self) -> bool:
        """Whether other runs shared the machine, so that its times are no timings."""
        return bool(self.environment.get("shared", False))

    @property
    def target_reached(self) -> bool:
        """Whether the last evaluation reached the target of ``until``."""
        if self.config["until"] is None or not self.evaluations:
            return False
        name, target = self.config["until"]
        return reaches(self.evaluations[-1][name], target, self.metrics[name])

    @property
    def key(self) -> str:
        """Name of this execution: the run id and the start, as in its file's name."""
        return f"{self.run_id}-{self.started_at:%Y%m%dT%H%M%S%fZ}"

    @cached_property
    def iterations(self) -> "pd.DataFrame":
        """Raw values, one row per iteration, the columns of ``COLUMNS``; times in seconds."""
        import pandas as pd

        return pd.DataFrame(dict(self.values))

    def relabelled(self, label: str) -> "RunRecord":
        """The same record under another label."""
        return dataclasses.replace(self, config={**self.config, "label": label})

    def metadata(self) -> dict[str, Any]:
        """All but the per-iteration values, as strict JSON (non-finite numbers as strings)."""
        facts = {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.name not in _BESIDE_METADATA
        }
        facts["started_at"] = self.started_at.isoformat()
        return with_strings(facts)

    @classmethod
    def from_metadata(
        cls, facts: Mapping[str, Any], values: Mapping[str, np.ndarray]
    ) -> "RunRecord":
        """Rebuild a record.

        Those of older versions become ones of the present version; version 1 knew no curvature.

        Raises:
            ValueError: The schema is another version, or something is missing or of another type.
        """
        version = facts.get("schema_version")
        if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
            raise ValueError(
                f"schema version {version!r}, this optbench reads 1 to {SCHEMA_VERSION}"
            )
        if version == 1:
            facts = {**facts, "curvature": []}
        if wrong := _mismatch(facts, _SHAPE):
            raise ValueError(wrong)
        if wrong := _mismatch(facts["metrics"], dict.fromkeys(facts["metrics"], _METRICS)):
            raise ValueError(wrong)
        if tuple(values) != COLUMNS:
            raise ValueError(f"columns are {', '.join(values)}, not {', '.join(COLUMNS)}")
        expected = {"iteration", "seconds", *facts["metrics"]}
        if any(expected - row.keys() for row in facts["evaluations"]):
            raise ValueError(f"an evaluation lacks one of {', '.join(sorted(expected))}")
        if any(set(CURVATURE_COLUMNS) != row.keys() for row in facts["curvature"]):
            raise ValueError(f"a row of curvature is not {', '.join(CURVATURE_COLUMNS)}")
        known = {bare: facts[bare] for name in _SHAPE if (bare := name.removesuffix("?")) in facts}
        known["started_at"] = datetime.fromisoformat(facts["started_at"])
        if known["started_at"].utcoffset() != timedelta(0):
            raise ValueError("the start is not in UTC")
        known |= {name: number(facts[name]) for name in ("warmup_s", "wall_s")}
        if (until := facts["config"]["until"]) is not None:
            metric, target = until
            if facts["evaluations"] and metric not in facts["metrics"]:
                raise ValueError(f"its target is of {metric!r}, which is no metric")
            known["config"] = {**facts["config"], "until": [metric, number(target)]}
        known["evaluations"] = [
            {name: number(value) for name, value in row.items()} for row in facts["evaluations"]
        ]
        known["curvature"] = [
            {
                name: value if name in ("iteration", "layer") else number(value)
                for name, value in row.items()
            }
            for row in facts["curvature"]
        ]
        if not all(row["iteration"].is_integer() for row in known["evaluations"]):
            raise ValueError("an evaluation has no iteration")
        if any(
            type(row["iteration"]) is not int or type(row["layer"]) is not str
            for row in known["curvature"]
        ):
            raise ValueError("a row of curvature has no iteration, or a layer without a name")
        overall = {row["iteration"] for row in known["curvature"] if row["layer"] == "all"}
        if overall != {row["iteration"] for row in known["curvature"]}:
            raise ValueError("an observation of curvature lacks the layer all")
        return cls(values=values, **known)


def _mismatch(value: Any, shape: Any, name: str = "") -> str:
    """How a value of a record's metadata differs from its shape; nothing if it does not."""
    if isinstance(shape, tuple):  # of which one has to fit
        return min((_mismatch(value, one, name) for one in shape), key=bool)
    if isinstance(shape, dict) and isinstance(value, Mapping):
        bare = {key.removesuffix("?"): inner for key, inner in shape.items()}
        if lacking := sorted(shape.keys() - value.keys() - {f"{key}?" for key in bare}):
            return f"metadata {f'of {name} ' if name else ''}lacks {', '.join(lacking)}"
        parts = ((key, value[key], inner) for key, inner in bare.items() if key in value)
        found = (_mismatch(part, inner, f"{name}.{key}".strip(".")) for key, part, inner in parts)
        return next(filter(None, found), "")
    if isinstance(shape, frozenset):
        fits = isinstance(value, str) and value in shape
    elif isinstance(shape, type):  # to Python, true and false are whole numbers
        fits = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    else:
        fits = shape is None and value is None
    return "" if fits else f"{name} is {shorten(repr(value), 60)}"


def reaches(value: float, target: float, better: str) -> bool:
    """Whether a metric is at its target or beyond; ``better`` is ``"min"`` or ``"max"``."""
    return value >= target if better == "max" else value <= target
