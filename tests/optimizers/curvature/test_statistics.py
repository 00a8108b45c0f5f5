"""Statistics of what a step preconditioned with, against sorting and loops in float64."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from optimizers.curvature.statistics import LEVELS, Observed, curvature_statistics


def observed(
    name: str, *shape: int, damping: float = 0.1, dtype: torch.dtype = torch.float32
) -> Observed:
    """A spread of magnitudes, as curvature has it."""
    return Observed(
        parameter=name,
        diagonal=torch.exp(3 * torch.randn(*shape)).to(dtype),
        gradient=torch.randn(*shape, dtype=dtype),
        damping=damping,
    )


def numbers(tensor: Tensor) -> list[float]:
    return [float(value) for value in tensor.double().flatten()]


def quantile(values: Sequence[float], percent: int) -> float:
    """Linear interpolation between order statistics, written out."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def reference(items: Sequence[Observed]) -> dict[str, float]:
    diagonal = [d for item in items for d in numbers(item.diagonal)]
    gradient = [g for item in items for g in numbers(item.gradient)]
    share = [d / (d + item.damping) if d else 0.0 for item in items for d in numbers(item.diagonal)]
    weights = [g * g for g in gradient]
    row = {
        "share": math.fsum(share) / len(share),
        "weighted_share": math.fsum(w * s for w, s in zip(weights, share, strict=True))
        / math.fsum(weights),
    }
    return row | {f"q{level:02}": quantile(diagonal, level) for level in LEVELS}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rows_equal_the_reference(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    items = [
        observed("0.weight", 3, 2, 5, dtype=dtype),
        observed("0.bias", 3, dtype=dtype),
        observed("body.2.weight", 7, 3, dtype=dtype),
        observed("scale", 1, dtype=dtype),
    ]
    rows = curvature_statistics(items)
    assert [row["layer"] for row in rows] == ["0", "body.2", "scale", "all"]
    groups = [items[:2], items[2:3], items[3:], items]
    for row, group in zip(rows, groups, strict=True):
        del row["layer"]
        assert row == pytest.approx({"damping": 0.1, **reference(group)}, rel=1e-13)


def test_a_row_over_several_dampings_has_none() -> None:
    torch.manual_seed(1)
    items = [observed("0.weight", 4, damping=1.0), observed("1.weight", 5, damping=0.01)]
    first, second, everything = curvature_statistics(items)
    assert (first["damping"], second["damping"]) == (1.0, 0.01)
    assert everything["damping"] != everything["damping"]
    assert everything["share"] == pytest.approx(reference(items)["share"], rel=1e-13)


def test_without_gradient_there_is_no_weighted_share() -> None:
    item = Observed(parameter="w", diagonal=torch.ones(3), gradient=torch.zeros(3), damping=1.0)
    row = curvature_statistics([item])[-1]
    assert row["share"] == 0.5
    assert row["weighted_share"] != row["weighted_share"]


def test_neither_curvature_nor_damping_is_no_share() -> None:
    item = Observed(
        parameter="w", diagonal=torch.tensor([0.0, 2.0]), gradient=torch.ones(2), damping=0.0
    )
    row = curvature_statistics([item])[-1]
    assert (row["share"], row["weighted_share"]) == (0.5, 0.5)


def test_values_of_a_diverging_run_raise_nothing() -> None:
    spoilt = torch.tensor([math.inf, math.nan, 1.0])
    item = Observed(parameter="w", diagonal=spoilt, gradient=spoilt, damping=1.0)
    row = curvature_statistics([item])[-1]
    assert row["share"] != row["share"]


def test_more_elements_than_torch_quantile_takes() -> None:
    """torch.quantile refuses more than 2**24 of them; here the quantiles are known."""
    count = 2**24 + 1
    item = Observed(
        parameter="w",
        diagonal=torch.arange(count, dtype=torch.int32).flip(0),
        gradient=torch.ones(1).expand(count),
        damping=0.0,
    )
    row = curvature_statistics([item])[-1]
    assert row["q50"] == 2**23
    assert row["q25"] == 2**22


def test_nothing_observed_makes_no_rows() -> None:
    assert curvature_statistics([]) == []
    empty = Observed(parameter="w", diagonal=torch.ones(0), gradient=torch.ones(0), damping=1.0)
    assert curvature_statistics([empty]) == []
