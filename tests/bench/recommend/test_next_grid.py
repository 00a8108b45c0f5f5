"""The grid to sweep next, by hand."""

import pytest

from bench.recommend.next_grid import next_grid


@pytest.mark.parametrize(
    ("values", "centre", "expected"),
    [
        ([10.0**k for k in range(-6, 1)], 1e-6, "1e-09:0.001:log7"),
        ([1e-3, 1e-2, 1e-1, 1.0], 1.0, "0.1:100:log4"),
        ([5, 10], 5, "2.5:5:log2"),
        ([1.0, 2.0, 3.0], 3.0, "2:4:lin3"),
        ([1.0, 2.0, 3.0], 1.0, "0.5,1,2"),
        ([1, 3, 10, 30], 30, "10,30,90,270"),
        ([0, 0.01, 0.1, 1], 1, "0.1,1,10,100"),
        ([0, 0.5, 2], 0, None),
        ([-2.0, 0.0, 1.0], 1.0, None),
    ],
)
def test_the_next_grid_has_the_edge_in_its_middle(
    values: list[float], centre: float, expected: str | None
) -> None:
    assert next_grid(values, centre) == expected
