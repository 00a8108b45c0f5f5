"""How often a verdict of ``optbench regress`` is false, and what it finds: simulated comparisons.

The procedure of :mod:`bench.statistics.launches` beside the one before, which trimmed whole blocks
only, cut intervals of all looks down to what they had in common, and called *unchanged* what lay
within the threshold with its whole 99 % interval; and beside two one-sided tests that spend their
5 % anew at each look.

A comparison has eleven launches in its budget, as many as 40 s hold for ``mnist_cnn``. Noise is
``measured`` (launches drawn from a calibration's, A and A' in random order) or made up: launches of
either side differ by 0.9 %, blocks by 1 %, iterations by 4 %, normal, of Student's t with three
degrees of freedom, or log-normal, or normal with bursts of other programs.

Against a stored file there is one launch of the base, and five of the head: how often any line is
falsely called slower or faster there, with the variance of each line by itself (as before), and as
``optbench regress --baseline`` takes it.

    python -m bench.evidence.verdict_simulation --output results/reference/verdicts
"""

import argparse
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bench.regress.calibration import trials as calibration
from bench.statistics import launches as judging
from bench.statistics.launches import QUANTITIES, THRESHOLD, Array, Verdict

LAUNCHES, TURNS, ITERATIONS = 11, 4, 10
BASE_S = np.array([0.0002, 0.0068, 0.0078, 0.0006])  # data, forward, backward, step of mnist_cnn
_SCALES = np.array([1.0, 1.0, 0.8, 2.0])  # of the phases' noise
_LAUNCH_SD, _BLOCK_SD, _ITERATION_SD = 0.009, 0.01, 0.04
_BURSTS, _BURST_S = 0.004, 0.05
Draw = Callable[[np.random.Generator], Array]
Change = Callable[[np.random.Generator, Array, int], Array]
Rule = Callable[[Array], list[Verdict]]
REPLAYED = (0, 1, 2)  # by which phase a change is in: forward, backward and step in turn


def _made_up(shape: Callable[[np.random.Generator, tuple[int, ...]], Array]) -> Draw:
    """Noise of iterations with a scatter of 1."""

    def draw(generator: np.random.Generator) -> Array:
        size = (LAUNCHES, TURNS, 2, ITERATIONS, 4)
        logs = _ITERATION_SD * shape(generator, size)
        logs += _BLOCK_SD * generator.standard_normal((*size[:3], 1, 4))
        logs += _LAUNCH_SD * generator.standard_normal((LAUNCHES, 1, 2, 1, 4))
        return BASE_S * np.exp(_SCALES * logs)

    return draw


def _with_bursts(generator: np.random.Generator) -> Array:
    blocks = NOISE["normal"](generator)
    hit = generator.random((*blocks.shape[:-1], 1)) < _BURSTS
    where = np.eye(4)[generator.integers(1, 4, blocks.shape[:-1])]
    return blocks + hit * where * generator.exponential(_BURST_S, hit.shape)


@cache
def _stored(folder: Path) -> Array:
    """The launches of A and A' of a calibration, ``[launches, turns, sides, iterations, 4]``."""
    return np.concatenate([trial.blocks[:, :, 0] for trial in calibration.load(folder)])


def measured(folder: Path) -> Draw:
    """Noise of a calibration: its launches at random, and either side as base."""

    def draw(generator: np.random.Generator) -> Array:
        pool = _stored(folder)
        drawn = pool[generator.integers(len(pool), size=LAUNCHES)]
        swapped = generator.random(LAUNCHES) < 0.5
        drawn[swapped] = drawn[swapped][:, :, ::-1]
        return drawn

    return draw


NOISE: dict[str, Draw] = {
    "normal": _made_up(lambda generator, size: generator.standard_normal(size)),
    "t3": _made_up(lambda generator, size: generator.standard_t(3, size) / np.sqrt(3)),
    "log-normal": _made_up(
        lambda generator, size: (
            (np.exp(generator.standard_normal(size)) - np.exp(0.5)) / np.sqrt((math.e - 1) * math.e)
        )
    ),
    "bursts": _with_bursts,
}


def _added(share: float, probability: float = 1.0, only: int | None = None) -> Change:
    """Time in one phase, a share of the iteration on average, in some iterations or in all."""

    def change(generator: np.random.Generator, blocks: Array, number: int) -> Array:
        phase = REPLAYED[number % len(REPLAYED)] if only is None else only
        seconds = share / probability * np.median(blocks.sum(-1))
        heads = blocks[:, :, 1]
        heads[..., 1 + phase] += seconds * (generator.random(heads.shape[:-1]) < probability)
        return blocks

    return change


def _longer(generator: np.random.Generator, blocks: Array, number: int) -> Array:
    """Everything takes longer by exactly the threshold."""
    blocks[:, :, 1] *= 1 + THRESHOLD
    return blocks


CHANGES: dict[str, Change] = {
    "none": lambda generator, blocks, number: blocks,
    "all phases by the threshold": _longer,
    "+2 % in a phase": _added(0.02),
    "+5 % in a phase": _added(0.05),
    "+2.5 % in the step, 1 in 10": _added(0.025, 0.1, 2),
    "+5 % in the step, 1 in 3": _added(0.05, 1 / 3, 2),
    "+5 % in the step, 1 in 10": _added(0.05, 0.1, 2),
    "+5 % in the step, 1 in 50": _added(0.05, 0.02, 2),
}


def _looks() -> Iterator[tuple[int, float]]:
    """Launches, and the share of the errors that the look may spend."""
    before = 0.0
    for launches in (5, 8, LAUNCHES):
        now = judging.spent(launches / LAUNCHES)
        yield launches, now - before
        before = now


def old_rule(blocks: Array) -> list[Verdict]:
    """The rule before; see the module."""
    means = judging.of_phases(blocks).mean(axis=-2)
    effects = stats.trim_mean(np.log(means[:, :, 1] / means[:, :, 0]), 0.25, axis=1)
    low, high = np.full(4, -np.inf), np.full(4, np.inf)
    verdicts: list[Verdict] = []
    limit = np.log1p(THRESHOLD)
    for launches, share in _looks():
        error = (1 - judging.CONFIDENCE) * share
        found = judging.estimates(effects[:launches], error)
        ends = np.log([(one.low, one.high) for one in found])
        low, high = np.maximum(low, ends[:, 0]), np.minimum(high, ends[:, 1])
        ratio = np.clip(np.log([one.ratio for one in found]), low, high)
        verdicts = [
            "slower" if lo > 0 and r > limit
            else "faster" if hi < 0 and r < -limit
            else "unchanged" if -limit <= lo and hi <= limit
            else "undecided"
            for lo, hi, r in zip(low, high, ratio, strict=True)
        ]  # fmt: skip
        if "undecided" not in verdicts:
            break
    return verdicts


def new_rule(blocks: Array) -> list[Verdict]:
    """The rule of ``optbench regress``."""
    effects, monitor = _effects(blocks), judging.Monitor([THRESHOLD] * len(QUANTITIES))
    for launches, _ in _looks():
        if monitor.stops(effects[:launches], launches / LAUNCHES, last=launches == LAUNCHES):
            break
    return monitor.verdicts()


def each_look(blocks: Array) -> list[Verdict]:
    """Two one-sided tests with 5 % at each look, nothing else."""
    effects, thresholds = _effects(blocks)[:, 0], [THRESHOLD] * len(QUANTITIES)
    error = judging.UNCHANGED_ERROR
    found = [judging.unchanged(effects[:launches], thresholds, error) for launches, _ in _looks()]
    return ["unchanged" if any(line) else "undecided" for line in zip(*found, strict=True)]


def _effects(blocks: Array) -> Array:
    means = np.moveaxis(judging.block_means(blocks, 1), 1, 0)
    return np.array([judging.launch_effects(one[:, :, 0], one[:, :, 1]) for one in means])


EACH_LOOK = "5 % at each look"
RULES: dict[str, Rule] = {"old": old_rule, "new": new_rule, EACH_LOOK: each_look}


def simulate(draw: Draw, change: Change, trials: int, seed: Sequence[int]) -> dict[str, float]:
    """Shares by rule: of comparisons with an alarm, and of lines called unchanged."""
    generator = np.random.default_rng(seed)
    alarms, lines = dict.fromkeys(RULES, 0), {rule: np.zeros(len(QUANTITIES)) for rule in RULES}
    for number in range(trials):
        blocks = change(generator, draw(generator).copy(), number)
        for rule, judge in RULES.items():
            verdicts = judge(blocks)
            alarms[rule] += not {"slower", "faster"}.isdisjoint(verdicts)
            lines[rule] += [verdict == "unchanged" for verdict in verdicts]
    found = {f"alarm, {rule}": alarms[rule] / trials for rule in RULES if rule != EACH_LOOK}
    for rule, counts in lines.items():
        shares = counts / trials
        found |= {f"unchanged {q}, {rule}": n for q, n in zip(QUANTITIES, shares, strict=True)}
    return found


LINES = (4, 12, 36)
_TOLD = ("normal", "t3", "two levels", "log-normal")


def _launches(generator: np.random.Generator, noise: str, size: tuple[int, int]) -> Array:
    """Launches that scatter by about 1."""
    if noise == "t3":
        return generator.standard_t(3, size) / np.sqrt(3)
    if noise == "two levels":
        return 2 * (generator.random(size) < 0.3) - 0.6 + 0.3 * generator.standard_normal(size)
    normal = generator.standard_normal(size)
    return normal if noise == "normal" else (np.exp(normal) - np.exp(0.5)) / 2.16


def against_file(
    noise: str, lines: int, unlike: float, shared: float, trials: int, seed: Sequence[int]
) -> dict[str, float]:
    """False alarms and median half-widths, in standard deviations of a launch, by rule.

    Args:
        noise: Of the launches.
        lines: How many.
        unlike: Standard deviation of the logarithms of the lines' scales.
        shared: Share of the variance that lines of a launch have in common.
        trials: Comparisons.
        seed: Of the generator.
    """
    generator = np.random.default_rng(seed)
    found = {f"{what}, {rule}": 0.0 for what in ("alarm", "width") for rule in ("old", "new")}
    error = 1 - judging.CONFIDENCE
    for _ in range(trials):
        scales = np.exp(unlike * generator.standard_normal(lines))
        own = _launches(generator, noise, (1 + judging.MIN_LAUNCHES, lines))
        common = _launches(generator, noise, (1 + judging.MIN_LAUNCHES, 1))
        logs = 0.01 * scales * (np.sqrt(1 - shared) * own + np.sqrt(shared) * common)
        effects = logs[1:] - logs[0]
        count, centre = len(effects), effects.mean(axis=0)
        deviation = effects.std(axis=0, ddof=1) * np.sqrt(1 + 1 / count)
        new = judging.estimates(effects, error, against_one=True)
        widths = {
            "old": stats.t.isf(error / (2 * lines), count - 1) * deviation,
            "new": np.log([one.high / one.ratio for one in new]),
        }
        for rule, width in widths.items():
            found[f"alarm, {rule}"] += bool((np.abs(centre) > width).any()) / trials
            found[f"width, {rule}"] += float(np.median(width / (0.01 * scales))) / trials
    return found


def _of_sides(folder: Path, trials: int, pair: tuple[str, str]) -> dict[str, Any]:
    noise, change = pair
    draw = measured(folder) if noise == "measured" else NOISE[noise]
    seed = [list(NOISE).index(noise) if noise in NOISE else len(NOISE), list(CHANGES).index(change)]
    found = simulate(draw, CHANGES[change], trials, seed)
    return {"noise": noise, "change": change, **found}


def _of_file(trials: int, case: tuple[str, int, float, float]) -> dict[str, Any]:
    noise, lines, unlike, shared = case
    seed = [_TOLD.index(noise), lines, round(10 * unlike), round(10 * shared)]
    found = against_file(noise, lines, unlike, shared, trials, seed)
    return {"noise": noise, "lines": lines, "unlike": unlike, "shared": shared, **found}


def printed(
    rows: Iterable[dict[str, Any]], before: str = "", without: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Print rows as they come, but for columns that begin so; and keep them."""
    kept = []
    for row in rows:
        kept.append(row)
        shown = {name: value for name, value in row.items() if not name.startswith(without)}
        texts = (f"{n} {v:.3f}" if isinstance(v, float) else str(v) for n, v in shown.items())
        print(before + "; ".join(texts), flush=True)
    return kept


def main() -> None:
    """Simulate every noise and change, print and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--calibration", type=Path, default=Path("results/reference/calibration"))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        pairs = [*itertools.product(["measured", *NOISE], CHANGES)]
        of_sides = partial(_of_sides, options.calibration, options.trials)
        phases = tuple(f"unchanged {quantity}," for quantity in QUANTITIES[:-1])
        rows = printed(pool.map(of_sides, pairs), without=phases)
        cases = [*itertools.product(_TOLD, LINES, (0.1, 0.7), (0.0, 0.7))]
        files = printed(pool.map(partial(_of_file, options.trials), cases), "file, ")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        for name, table in (("verdicts", rows), ("files", files)):
            pd.DataFrame(table).round(4).to_csv(options.output / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
