"""The plateau and its centre, against least squares and loops over cells."""

import math

import numpy as np
import pytest

from bench.statistics.dunnett import critical_value
from bench.statistics.selection import SHARE_PER_STEP, select

ROW = np.array([[float((one - other) ** 2) for other in range(7)] for one in range(7)])


def fitted_noise(costs: np.ndarray) -> float:
    """Standard deviation within cells by least squares: a level of each cell, a shift of each seed.

    Args:
        costs: Of the cells that tell it, ``[cells, seeds]``.
    """
    cells, seeds = costs.shape
    columns = [np.arange(costs.size) // seeds == cell for cell in range(cells)]
    columns += [np.arange(costs.size) % seeds == seed for seed in range(1, seeds)]
    design = np.stack(columns, axis=1).astype(float)
    _, (residual,), *_ = np.linalg.lstsq(design, costs.ravel())
    return math.sqrt(residual / ((cells - 1) * (seeds - 1)))


@pytest.mark.parametrize("seed", range(30))
def test_the_plateau_and_its_centre_equal_loops_over_cells(seed: int) -> None:
    """Seven cells in a row; the noise is that of the better four."""
    generator = np.random.default_rng(seed)
    costs = 0.3 * np.abs(np.arange(7) - 3)[:, None] ** 0.5 + generator.normal(0, 0.2, (7, 3))
    costs += generator.normal(0, 1, 3)
    means = [math.fsum(row) / 3 for row in costs.tolist()]
    better = sorted(range(7), key=means.__getitem__)
    noise = fitted_noise(costs[better[:4]])
    difference = critical_value(6, 3 * 2) * noise * math.sqrt(2 / 3)
    weights = [max(0.0, 1 - (mean - min(means)) / difference) for mean in means]
    members = [cell for cell in range(7) if means[cell] - min(means) <= difference]
    density = {
        cell: sum(weights[other] * SHARE_PER_STEP ** ((cell - other) ** 2) for other in members)
        for cell in members
    }
    found = select(costs, ROW)
    assert (found.noise, found.difference) == pytest.approx((noise, difference), rel=1e-9)
    assert np.flatnonzero(found.members).tolist() == members
    assert found.best == better[0]
    assert found.chosen == max(members, key=density.__getitem__)


def test_of_equal_cells_the_middle_one_is_chosen() -> None:
    found = select(np.full((7, 2), 0.5), ROW)
    assert found.members.all()
    assert (found.chosen, found.noise, found.difference) == (3, 0.0, 0.0)


def test_of_equally_dense_cells_the_better_mean_is_chosen() -> None:
    """Two cells, each the other's only neighbour, so that the better one weighs more."""
    costs = np.array([[0.11, 0.1, 0.12], [0.1, 0.12, 0.1]])
    assert select(costs, ROW[:2, :2]).chosen == 1
    assert select(costs, np.zeros((2, 2))).chosen == 1


def test_noise_of_the_worse_half_does_not_count() -> None:
    calm = np.random.default_rng(0).normal(0, 0.1, (7, 4))
    wild = calm.copy()
    calm[4:] += 50
    wild[4:] = 50 * wild[4:] + 50
    assert select(calm, ROW).noise == select(wild, ROW).noise


@pytest.mark.parametrize("shape", [(7, 1), (1, 4)], ids=["one seed", "one cell"])
def test_where_nothing_can_be_told_the_best_stands_alone(shape: tuple[int, int]) -> None:
    costs = np.random.default_rng(0).normal(size=shape)
    found = select(costs, ROW[: shape[0], : shape[0]])
    assert found.chosen == found.best == costs.mean(axis=1).argmin()
    assert np.flatnonzero(found.members).tolist() == [found.best]
    assert np.isnan([found.noise, found.critical, found.difference]).all()


def test_neighbours_of_lost_cells_are_shunned() -> None:
    """Of two cells that are alike the one whose neighbour was lost is not chosen; by hand."""
    costs = np.array([[0.0, 0.1], [0.1, 0.0], [0.05, 0.05]])
    steps = np.array([[0, 1, 4], [1, 0, 1], [4, 1, 0]], dtype=float)
    assert select(costs, steps).chosen == 1
    lost = np.array([[9.0], [1.0], [4.0]])
    assert select(costs, steps, lost_steps=lost, avoidance=8.0).chosen == 0
    weight = 1.0  # of three equal means, all of it: the middle has more density by 1/4 - 1/4^4
    assert weight * (1 / 4 - 1 / 4**4) > 0.1 * (1 / 4 - 1 / 4**9)
    assert select(costs, steps, lost_steps=lost, avoidance=0.1).chosen == 1
    assert select(costs, steps, lost_steps=np.empty((3, 0))).chosen == 1
