"""Sides and what a worker of theirs is set up with."""

import sys
from pathlib import Path
from typing import Any

from bench.regress.launch import Side

BENCHMARK = {"problem": "quadratic", "optimizer": "mine:Mine", "eval_every": 0, "seed": 0}


def side(folder: Path) -> Side:
    return Side(name="this side", python=sys.executable, paths=(folder,), folder=folder)


def setup(**fields: Any) -> dict[str, Any]:
    return {"tuned": False, "benchmarks": [BENCHMARK | fields]}


def own(described: dict[str, Any]) -> bool:
    (state,) = described["benchmarks"]
    assert state.keys() == {"own", "needs_closure", "device", "data", "threads"}, state
    return bool(state["own"])
