"""How good the recommended setting is, on made-up sweeps whose best setting is known.

A surface is the logarithm of a loss over a grid of learning rate and damping. Runs scatter about it
with a part that all runs of a seed share and a part of their own, which is up to three times as
large near divergence; beyond it they diverge. A setting is good if its true loss is within 5 % of
the best one's. One that may diverge is not: it counts as ten times worse. The rule of
``bench.statistics.selection`` is compared with the one before, which did not shun the neighbours of
lost cells, with the cell of the lowest mean and with the medoid of the plateau.

    python -m bench.evidence.damping_simulation --output results/reference/damping

How strongly they are shunned, kappa, is chosen on every second scenario, and judged on the others:

    python -m bench.evidence.damping_simulation --kappa --output results/reference/damping
"""

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.statistics import selection
from bench.statistics.dunnett import Array
from bench.statistics.selection import Selection

RESULT = "simulation.csv"
REPETITIONS = 2000
METHODS = ("centre", "before", "lowest", "medoid")
KAPPAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
GRIDS = {"3x7": ((3, 7), (1.0, 1.0)), "5x9": ((5, 9), (0.5, 0.75))}
SEEDS = (3, 5)
NOISE = (0.02, 0.05, 0.1, 0.2, 0.4)
GOOD = 1.05
_DIVERGED = math.log(10)
_BRINK = 1.7

Surface = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Truth:
    """What is true of each cell of a grid; all arrays are ``[cells]`` but the distances.

    Attributes:
        means: Log loss of the runs that do not diverge.
        regret: By how much the true cost exceeds the best one's.
        risk: Probability that a run diverges.
        noisier: Factor of the noise.
        squared_steps: Squared distances in grid steps, ``[cells, cells]``.
        best: The best cell.
    """

    means: Array
    regret: Array
    risk: Array
    noisier: Array
    squared_steps: Array
    best: int

    @property
    def good(self) -> NDArray[np.bool_]:
        """The cells within 5 % of the best."""
        return self.regret <= math.log(GOOD)

    @property
    def worst_neighbour(self) -> Array:
        """The regret of each cell's worst neighbour, one step away in one axis."""
        return np.array([self.regret[row == 1].max() for row in self.squared_steps])


def valley(lr: Array, damp: Array) -> tuple[Array, Array]:
    """A valley along lr / damping, best in its middle."""
    return 0.5 * (lr - damp) ** 2 + 0.06 * (damp - 0.4) ** 2, lr - damp


def bowl(lr: Array, damp: Array) -> tuple[Array, Array]:
    """An optimum in both axes alike."""
    return 0.4 * lr**2 + 0.15 * (damp - 0.5) ** 2, lr - damp


def brink(lr: Array, damp: Array) -> tuple[Array, Array]:
    """Slowly better up to the brink of divergence, where runs are noisiest."""
    ratio = lr - damp
    return 0.02 * damp**2 - 0.04 * ratio + np.where(ratio < 0, 0.2 * ratio**2, 0), ratio


def knee(lr: Array, damp: Array) -> tuple[Array, Array]:
    """Lr / damping counts where damping exceeds the curvature, lr alone where it does not."""
    ratio = lr - np.log10(10**damp + 10**-0.5)
    return 0.5 * ratio**2 + 0.04 * damp**2, ratio


def edge(lr: Array, damp: Array) -> tuple[Array, Array]:
    """A valley that goes on getting better beyond the grid."""
    return 0.5 * (lr - damp) ** 2 + 0.06 * (damp + 3) ** 2, lr - damp


def cliff(lr: Array, damp: Array) -> tuple[Array, Array]:
    """Better and better up to where everything diverges at once."""
    ratio = lr - damp
    return -0.3 * ratio + 0.02 * damp**2, np.where(ratio > 0.6, 3.0, -3.0)


def ridge(lr: Array, damp: Array) -> tuple[Array, Array]:
    """A narrow valley between a slope and a brink."""
    ratio = lr - damp
    return 1.5 * (ratio - 1.2) ** 2 + 0.1 * damp**2, ratio + 0.3


def basins(lr: Array, damp: Array) -> tuple[Array, Array]:
    """Two optima, the narrower one a little better and nearer to divergence."""
    wide = 0.2 * ((lr + 0.7) ** 2 + (damp - 1) ** 2)
    narrow = 2.0 * ((lr - 0.8) ** 2 + (damp + 0.5) ** 2) - 0.05
    return np.minimum(wide, narrow), lr - damp + 0.2


SURFACES: dict[str, Surface] = {f.__name__: f for f in (valley, bowl, brink, knee, edge)}
OTHERS: dict[str, Surface] = {f.__name__: f for f in (cliff, ridge, basins)}


def truth(surface: Surface, shape: tuple[int, int], decades: tuple[float, float]) -> Truth:
    """The truth on a grid.

    Args:
        surface: Log loss, up to a constant, and closeness to divergence; both of decades of
            learning rate and damping from the middle of the grid.
        shape: Values of learning rate, of damping.
        decades: Step of each.
    """
    cells = np.array(list(itertools.product(*map(range, shape))), dtype=float)
    places = (cells - (np.array(shape) - 1) / 2) * decades
    means, closeness = surface(places[:, 0], places[:, 1])
    risk = 1 / (1 + np.exp(-12 * (closeness - _BRINK)))
    risk[risk < 0.01] = 0.0
    costs = means + np.where(risk > 0, _DIVERGED, 0.0)
    return Truth(
        means=means,
        regret=costs - costs.min(),
        risk=risk,
        noisier=1 + 2 / (1 + np.exp(-5 * (closeness - 1.2))),
        squared_steps=((cells[:, None] - cells[None]) ** 2).sum(axis=-1),
        best=int(costs.argmin()),
    )


def sweeps(
    generator: np.random.Generator, true: Truth, seeds: int, noise: float, repetitions: int
) -> Iterator[tuple[NDArray[np.intp], Array]]:
    """Made-up sweeps: the cells of which no run diverged, and their scores, ``[cells, seeds]``."""
    size = (len(true.means), seeds)
    for _ in range(repetitions):
        shared, own = generator.normal(0, noise, seeds), generator.normal(0, noise, size)
        scores = true.means[:, None] + shared + own * true.noisier[:, None]
        lost = generator.random(size) < true.risk[:, None]
        usable = np.flatnonzero(~lost.any(axis=1))
        yield usable, scores[usable]


def distances(true: Truth, usable: NDArray[np.intp]) -> tuple[Array, Array]:
    """Squared steps between the cells that lost no run, and from these to those that did."""
    lost = np.setdiff1d(np.arange(len(true.means)), usable)
    return true.squared_steps[np.ix_(usable, usable)], true.squared_steps[np.ix_(usable, lost)]


def medoid(found: Selection, means: Array, squared_steps: Array) -> int:
    """The member of the plateau with the least sum of distances to all, ties to the better."""
    members = np.flatnonzero(found.members)
    far = np.sqrt(squared_steps[np.ix_(members, members)]).sum(axis=1).round(9)
    return int(members[np.lexsort((means[members], far))[0]])


def shunning(repetitions: int, surfaces: dict[str, Surface], seed: int = 1) -> pd.DataFrame:
    """A row per scenario and kappa with the mean ``regret`` of what is chosen there."""
    scenarios = list(itertools.product(surfaces, GRIDS, SEEDS, NOISE))
    generators = np.random.default_rng(seed).spawn(len(scenarios))
    rows = []
    for (surface, grid, seeds, noise), generator in zip(scenarios, generators, strict=True):
        true, regret = truth(surfaces[surface], *GRIDS[grid]), dict.fromkeys(KAPPAS, 0.0)
        for usable, scores in sweeps(generator, true, seeds, noise, repetitions):
            steps, lost_steps = distances(true, usable)
            for kappa in KAPPAS:
                found = selection.select(scores, steps, lost_steps=lost_steps, avoidance=kappa)
                regret[kappa] += float(true.regret[usable[found.chosen]]) / repetitions
        names = {"surface": surface, "grid": grid, "seeds": seeds, "noise": noise}
        rows += [names | {"kappa": kappa, "regret": mean} for kappa, mean in regret.items()]
    return pd.DataFrame(rows)


def summed(found: pd.DataFrame) -> pd.DataFrame:
    """Mean regret and its 95 % quantile over scenarios, by kappa."""
    regret = found.groupby("kappa")["regret"]
    return pd.DataFrame({"mean": regret.mean(), "95 %": regret.quantile(0.95)})


def choose_kappa(repetitions: int, output: Path) -> None:
    """Choose on half of the scenarios, print both halves and other surfaces, keep all."""
    own, others = shunning(repetitions, SURFACES), shunning(repetitions, OTHERS)
    scenario = np.arange(len(own)) // len(KAPPAS)
    halves = {"chosen on": own[scenario % 2 == 0], "judged on": own[scenario % 2 == 1]}
    for name, half in halves.items():
        print(f"{name}\n{summed(half).round(4).to_string()}")
    for surface in (*SURFACES, *OTHERS):
        found = own if surface in SURFACES else others
        print(f"{surface}\n{summed(found[found['surface'] == surface]).round(4).to_string()}")
    pd.concat([own, others]).round(5).to_csv(output / "kappa.csv", index=False)


def simulate(repetitions: int = REPETITIONS, seed: int = 0) -> pd.DataFrame:
    """All scenarios; one row per scenario.

    Returns:
        The scenario; ``covered`` and ``good_covered``, how often the plateau contains the best
        cell and any good one; ``plateau``, its mean share of the cells; by method ``*_good``, how
        often a good cell is chosen, ``*_regret``, mean true regret in log loss, and
        ``*_neighbour``, mean regret of the worst neighbour; ``good_gain`` and ``regret_gain``, the
        centre's advantage over the lowest mean, with standard errors ``*_se`` over the same sweeps.
    """
    scenarios = list(itertools.product(SURFACES, GRIDS, SEEDS, NOISE))
    generators = np.random.default_rng(seed).spawn(len(scenarios))
    rows = []
    for (surface, grid, seeds, noise), generator in zip(scenarios, generators, strict=True):
        true = truth(SURFACES[surface], *GRIDS[grid])
        names = {"surface": surface, "grid": grid, "seeds": seeds, "noise": noise}
        rows.append(names | _scenario(generator, true, seeds, noise, repetitions))
    return pd.DataFrame(rows)


def _scenario(
    generator: np.random.Generator, true: Truth, seeds: int, noise: float, repetitions: int
) -> dict[str, float]:
    covered, good_covered, sizes = [], [], []
    chosen: dict[str, list[int]] = {method: [] for method in METHODS}
    for usable, scores in sweeps(generator, true, seeds, noise, repetitions):
        steps, lost_steps = distances(true, usable)
        found = selection.select(scores, steps, lost_steps=lost_steps)
        before = selection.select(scores, steps)
        members = usable[found.members]
        covered.append(true.best in members)
        good_covered.append(true.good[members].any())
        sizes.append(len(members) / len(usable))
        central = medoid(found, scores.mean(axis=1), steps)
        picks = (found.chosen, before.chosen, found.best, central)
        for method, pick in zip(METHODS, picks, strict=True):
            chosen[method].append(int(usable[pick]))
    row = {
        "covered": float(np.mean(covered)),
        "good_covered": float(np.mean(good_covered)),
        "plateau": float(np.mean(sizes)),
    }
    neighbour = true.worst_neighbour
    for method, picked in chosen.items():
        row[f"{method}_good"] = float(true.good[picked].mean())
        row[f"{method}_regret"] = float(true.regret[picked].mean())
        row[f"{method}_neighbour"] = float(neighbour[picked].mean())
    good = true.good.astype(float)
    gains = {
        "good": good[chosen["centre"]] - good[chosen["lowest"]],
        "regret": true.regret[chosen["lowest"]] - true.regret[chosen["centre"]],
    }
    for name, gain in gains.items():
        row[f"{name}_gain"] = float(gain.mean())
        row[f"{name}_gain_se"] = float(gain.std(ddof=1) / math.sqrt(repetitions))
    return row


def table(results: pd.DataFrame) -> pd.DataFrame:
    """Means over grids and seeds, by surface and noise."""
    kinds = ("good", "regret", "neighbour")
    columns = [f"{method}_{kind}" for kind in kinds for method in METHODS]
    groups = results.groupby(["surface", "noise"], sort=False)
    return groups[["covered", "plateau", *columns]].mean()


def main() -> None:
    """Simulate, print the table, and write one row per scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    parser.add_argument("--kappa", action="store_true", help="choose kappa instead")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.kappa:
        choose_kappa(options.repetitions, options.output)
        return
    results = simulate(options.repetitions)
    results.round(4).to_csv(options.output / RESULT, index=False)
    columns = [f"{method}_{kind}" for kind in ("good", "regret", "neighbour") for method in METHODS]
    print(table(results).round(3).to_string())
    print(results[columns].mean().round(3).to_string())


if __name__ == "__main__":
    main()
