"""Made-up records, so that what reads records is tested without training."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from bench.runs.record import RunRecord

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


_OPTIONAL = {"peak_memory_bytes", "warmup_s", "wall_s", "iterating_s"}


def made_record(
    *,
    losses: list[float] | None = None,
    phase_s: tuple[float, float, float, float] = (0.001, 0.002, 0.003, 0.004),
    minutes: float = 0.0,
    **fields: Any,
) -> RunRecord:
    """A record with the given losses and the same phase times in each iteration.

    Fields of the configuration, environment and record may be given by name.
    """
    values = losses if losses is not None else [2.0, 1.0, 0.5]
    config = {
        "problem": "mnist_logreg",
        "optimizer": "sgd",
        "label": "sgd",
        "hyperparameters": {"lr": 0.1},
        "settings": {"lr": 0.1},
        "seed": 0,
        "iterations": len(values),
        "seconds": None,
        "until": None,
        "batch_size": 128,
        "device": "cpu",
        "dtype": "float32",
        "split": "test",
        "eval_every": 50,
        "curvature_every": 20,
        "data_root": None,
        "role": "training",
    }
    environment: dict[str, Any] = {
        "fingerprint": "abc",
        "cpu": "A processor",
        "logical_cores": 2,
        "threads": 2,
        "gpu": None,
        "versions": {"torch": "2.14"},
        "allocator": {"libc": "glibc 2.36", "tuned": True},
        "commit": None,
        "shared": False,
    }
    record: dict[str, Any] = {
        "run_id": "0123456789abcdef",
        "session": "s1",
        "status": "completed",
        "diverged_at": None,
        "error": "",
        "data": {"name": "mnist", "detail": "MNIST", "checksum": "1", "origin": "here"},
        "evaluations": [
            {"iteration": 0.0, "seconds": 0.0, "loss": 2.3, "accuracy": 0.1},
            {"iteration": 3.0, "seconds": 0.03, "loss": 0.4, "accuracy": 0.9},
        ],
        "metrics": {"loss": "min", "accuracy": "max"},
        "curvature": [],
    }
    for name, value in fields.items():
        target = next((part for part in (config, environment, record) if name in part), None)
        if target is None and name not in {
            "peak_memory_bytes",
            "warmup_s",
            "wall_s",
            "iterating_s",
        }:
            raise KeyError(name)
        (record if target is None else target)[name] = value
    count = len(values)
    columns = {
        "iteration": np.arange(count),
        "loss": np.array(values, dtype=float),
        "accuracy": np.full(count, 0.5),
        "data_s": np.full(count, phase_s[0]),
        "forward_s": np.full(count, phase_s[1]),
        "backward_s": np.full(count, phase_s[2]),
        "step_s": np.full(count, phase_s[3]),
    }
    return RunRecord(
        started_at=START + timedelta(minutes=minutes),
        config=config,
        environment=environment,
        values=columns,
        **record,
    )


def evaluated(
    values: list[float], better: str = "max", first: float = 0.0, *, shared: bool = False
) -> RunRecord:
    """A run whose metric ``m`` had these values at iterations 0, 50, 100, ..."""
    return made_record(
        metrics={"m": better},
        evaluations=[
            {"iteration": first + 50.0 * index, "seconds": first / 100 + 0.5 * index, "m": value}
            for index, value in enumerate(values)
        ],
        shared=shared,
    )


def made_curvature(
    iteration: int, damping: float = 1.0, share: float = 0.25, **fields: Any
) -> list[dict[str, Any]]:
    """The rows of one observation: of one layer, and of all, which is the same."""
    quantiles = {f"q{level:02}": level / 100 for level in (1, 5, 25, 50, 75, 95, 99)}
    row = {"damping": damping, "share": share, "weighted_share": 0.5, **quantiles, **fields}
    return [{"iteration": iteration, "layer": layer, **row} for layer in ("0", "all")]


def made_yardstick(minutes: float, gradient_s: float, session: str = "s1") -> RunRecord:
    """A plain-gradient run of ten iterations, half of it forward, half backward."""
    half = gradient_s / 2
    return made_record(
        role="plain_gradient",
        label="plain gradient",
        losses=[1.0] * 10,
        phase_s=(0.0, half, half, 0.0),
        minutes=minutes,
        session=session,
    )


def made_refusal(label: str = "refused", **fields: Any) -> RunRecord:
    """What is stored of an optimizer that is not for this problem."""
    given: dict[str, Any] = {"iterations": 3, "error": "no rule for Tanh:\n  use another"}
    return made_record(
        label=label, status="not_applicable", losses=[], evaluations=[], **(given | fields)
    )
