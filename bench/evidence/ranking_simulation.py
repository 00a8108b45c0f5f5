"""How often a ranking is false, and how often it sees what is there: simulated comparisons.

The rule of :mod:`bench.statistics.ranking` beside the one before, which pooled the variance of the
better half of the labels (:func:`bench.statistics.selection.select`, as sweeps do).

- ``equal``: all labels are truly equal; false if any is called worse than the best.
- ``half``: half of the labels are 30 standard deviations worse; false if any of the others is
  called worse.
- ``one better``: one label is better than all others by 4 standard deviations of a run; how many
  of the others are called worse than it.

    python -m bench.evidence.ranking_simulation --output results/reference/ranking
"""

import argparse
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.statistics import ranking, selection

Array = ranking.Array
Draw = Callable[[np.random.Generator, tuple[int, int]], Array]
GAP = 4.0
SIZES = tuple(itertools.product((2, 3, 6, 10, 20), (2, 3, 5, 10)))  # labels, seeds
CASES = ("equal", "half", "one better")


def _stuck(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
    """One run in 20 is stuck."""
    return generator.standard_normal(shape) + 10 * (generator.random(shape) < 0.05)


def _noisy(generator: np.random.Generator, shape: tuple[int, int]) -> Array:
    """The last label is four times as noisy."""
    noise = generator.standard_normal(shape)
    noise[-1] *= 4
    return noise


NOISE: Mapping[str, Draw] = {
    "normal": lambda generator, shape: generator.standard_normal(shape),
    "t3": lambda generator, shape: generator.standard_t(3, shape) / np.sqrt(3),
    "log-normal": lambda generator, shape: (
        (np.exp(generator.standard_normal(shape)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)
    ),
    "stuck": _stuck,
    "one label noisy": _noisy,
}


def old_rule(costs: Array) -> tuple[int, NDArray[np.bool_]]:
    """The best label, and which are worse, with a variance pooled over the better half."""
    found = selection.select(costs, np.zeros((len(costs), len(costs))))
    return found.best, ~found.members


def new_rule(costs: Array) -> tuple[int, NDArray[np.bool_]]:
    """The best label, and which are worse."""
    best = int(costs.mean(axis=1).argmin())
    gap, _, jointly = ranking.differences(costs)
    return best, gap[best] > jointly[best]


RULES = {"old": old_rule, "new": new_rule}


def simulate(noise: str, labels: int, seeds: int, trials: int) -> dict[str, float]:
    """Shares of comparisons by case and rule."""
    generator = np.random.default_rng([list(NOISE).index(noise), labels, seeds])
    half = labels // 2
    shifts = {
        "equal": np.zeros(labels),
        "half": np.where(np.arange(labels) < half, 30.0, 0.0),
        "one better": np.where(np.arange(labels) == 0, -GAP, 0.0),
    }
    counts = dict.fromkeys(itertools.product(shifts, RULES), 0.0)
    for _ in range(trials):
        drawn = NOISE[noise](generator, (labels, seeds)) + generator.standard_normal(seeds)
        for case, shift in shifts.items():
            for rule, judge in RULES.items():
                best, worse = judge(drawn + shift[:, None])
                if case == "one better":
                    counts[case, rule] += worse[1:].mean() if best == 0 else 0.0
                else:
                    counts[case, rule] += bool((worse & (shift == 0)).any())
    return {f"{case}, {rule}": count / trials for (case, rule), count in counts.items()}


def main() -> None:
    """Simulate all noises, numbers of labels and of seeds, print and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for noise, (labels, seeds) in itertools.product(NOISE, SIZES):
        shares = simulate(noise, labels, seeds, options.trials)
        rows.append({"noise": noise, "labels": labels, "seeds": seeds, **shares})
        print({name: f"{x:.3f}" if isinstance(x, float) else x for name, x in rows[-1].items()})
    table = pd.DataFrame(rows)
    print(f"\nRange over labels and seeds, {options.trials} comparisons each:")
    for noise in NOISE:
        found = table[table["noise"] == noise]
        for name in itertools.starmap("{}, {}".format, itertools.product(CASES, RULES)):
            print(f"{noise}, {name}: {found[name].min():.3f} to {found[name].max():.3f}")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(options.output / "ranking.csv", index=False)


if __name__ == "__main__":
    main()
