"""Blocks: how long they are, and in which order they run."""

import pytest

from bench.regress.turns import Plan, plan, take_turns


@pytest.mark.parametrize("iteration_s", [2e-4, 2e-3, 17e-3, 35e-3, 140e-3, 3.0])
def test_blocks_are_long_enough_and_each_arm_is_first_as_often_as_last(iteration_s: float) -> None:
    planned = plan(iteration_s)
    assert planned.turns % 2 == 0
    assert planned.turns >= 4
    assert planned.warm >= 1
    assert planned.iterations * iteration_s >= 0.1 or planned.iterations >= 10


def test_ten_iterations_where_that_is_affordable() -> None:
    assert plan(17e-3).iterations == 10
    assert plan(3.0).iterations == 1


def test_the_order_is_reversed_from_turn_to_turn_and_times_go_to_their_arm() -> None:
    order: list[str] = []

    def arm(name: str, seconds: float):  # type: ignore[no-untyped-def]
        def block(warm: int, iterations: int) -> list[list[float]]:
            assert (warm, iterations) == (1, 2)
            order.append(name)
            return [[seconds] * 4] * iterations

        return block

    arms = [arm("a", 1.0), arm("b", 2.0), arm("c", 3.0)]
    blocks = take_turns(arms, Plan(warm=1, iterations=2, turns=4))
    assert "".join(order) == "abccbaabccba"
    order.clear()
    take_turns(arms, Plan(warm=1, iterations=2, turns=2), last_first=True)
    assert "".join(order) == "cbaabc"
    assert blocks.shape == (4, 3, 2, 4)
    assert blocks[:, :, 0, 0].tolist() == [[1.0, 2.0, 3.0]] * 4
