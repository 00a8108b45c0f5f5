"""How often ``optbench history`` sees a change that is none, and what it finds: simulated series.

The rule of :mod:`bench.statistics.change_points` beside the one before, which took every change of
PELT's that was larger than the threshold and four sessions long. Sessions scatter by 2 %: normal;
with 15 % of them 30 % slower (``spikes``); related to the one before by 0.5 (``related``); on two
levels 4 % apart, since the memory layout of a process decides (``two levels``); of Student's t with
three degrees of freedom.

    python -m bench.evidence.history_simulation --output results/reference/histories
"""

import argparse
import itertools
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.evidence.verdict_simulation import printed
from bench.statistics import change_points
from bench.statistics.change_points import MIN_SEGMENT
from bench.statistics.launches import THRESHOLD, Array

SCATTER = 0.02
SESSIONS = (12, 20, 40)
SHAPES = ("none", "+5 % half-way", "+10 % half-way", "drift by 10 %")


def _spikes(generator: np.random.Generator, count: int) -> Array:
    normal = SCATTER * generator.standard_normal(count)
    return normal + np.log(1.3) * (generator.random(count) < 0.15)


def _related(generator: np.random.Generator, count: int) -> Array:
    noise = generator.standard_normal(count + 50)
    for at in range(1, len(noise)):
        noise[at] = 0.5 * noise[at - 1] + np.sqrt(1 - 0.25) * noise[at]
    return SCATTER * noise[50:]


NOISE: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda generator, count: SCATTER * generator.standard_normal(count),
    "spikes": _spikes,
    "related": _related,
    "two levels": lambda generator, count: (
        0.04 * (generator.random(count) < generator.choice([0.3, 0.5]))
        + 0.005 * generator.standard_normal(count)
    ),
    "t3": lambda generator, count: SCATTER * generator.standard_t(3, count) / np.sqrt(3),
}


def shaped(shape: str, count: int) -> Array:
    """The logarithms of what is there."""
    if shape.startswith("drift"):
        return np.linspace(0, np.log(1.1), count)
    share = 0.0 if shape == "none" else float(shape.partition("+")[2].partition(" ")[0]) / 100
    return np.log1p(share) * (np.arange(count) >= count // 2)


def old_rule(values: Array) -> list[int]:
    """The rule before; where changes are."""
    logs = np.log(values)
    edges = change_points._candidates(logs)
    while len(edges) > 2:
        medians = [np.median(logs[a:b]) for a, b in itertools.pairwise(edges)]
        steps, sizes = np.abs(np.diff(medians)), np.diff(edges)
        if sizes.min() < MIN_SEGMENT:
            short = int(sizes.argmin())
            left = steps[short - 1] if short > 0 else np.inf
            right = steps[short] if short < len(steps) else np.inf
            del edges[short if left <= right else short + 1]
        elif steps.min() <= np.log1p(THRESHOLD):
            del edges[int(steps.argmin()) + 1]
        else:
            break
    return edges[1:-1]


def simulate(trials: int, case: tuple[str, str, int]) -> dict[str, Any]:
    """Shares of series of one kind, by rule: with any change, with just the true one, drifting."""
    noise, shape, count = case
    generator = np.random.default_rng([list(NOISE).index(noise), SHAPES.index(shape), count])
    true, found = shaped(shape, count), dict.fromkeys(("old", "new", "found, old", "found, new"), 0)
    found |= {"within, new": 0, "drift, new": 0}
    for _ in range(trials):
        values = np.exp(true + NOISE[noise](generator, count))
        old, new = old_rule(values), change_points.course(values)
        found["old"] += bool(old)
        found["new"] += bool(new.changes)
        found["drift, new"] += new.drift is not None
        if "half-way" in shape:
            found["found, old"] += len(old) == 1 and abs(old[0] - count // 2) <= 2
            one = len(new.changes) == 1
            found["found, new"] += one and abs(new.changes[0].first - count // 2) <= 2
            found["within, new"] += one and (
                new.changes[0].earliest <= count // 2 <= new.changes[0].latest
            )
    shares = {name: number / trials for name, number in found.items()}
    return {"noise": noise, "shape": shape, "sessions": count, **shares}


def main() -> None:
    """Simulate every noise, shape and length, print and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cases = [*itertools.product(NOISE, SHAPES, SESSIONS)]
    with ProcessPoolExecutor() as pool:
        rows = printed(pool.map(partial(simulate, options.trials), cases))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).round(4).to_csv(options.output / "histories.csv", index=False)


if __name__ == "__main__":
    main()
