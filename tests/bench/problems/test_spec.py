"""What is registered of a problem: a builder, or a reference to one."""

import pytest

from bench.problems.problem import Problem
from bench.problems.quadratic import quadratic
from bench.problems.spec import ProblemOptions, ProblemSpec
from optimizers import UsageError


def test_a_reference_is_imported_when_it_is_needed() -> None:
    spec = ProblemSpec(name="mine", build="bench.problems.quadratic:quadratic")
    assert spec.load_builder() is quadratic


def test_a_builder_stands_for_itself() -> None:
    def build(options: ProblemOptions) -> Problem:
        return quadratic(options)

    assert ProblemSpec(name="mine", build=build).load_builder() is build


def test_a_reference_that_leads_nowhere_is_told() -> None:
    with pytest.raises(UsageError, match=r"bench\.problems\.nowhere"):
        ProblemSpec(name="mine", build="bench.problems.nowhere:mine").load_builder()
