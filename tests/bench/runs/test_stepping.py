"""How a step is taken: what is written, what the class says, what the signature tells."""

from typing import Any

import pytest
import torch

from bench.runs import stepping
from bench.runs.stepping import Stepping
from optimizers import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", Stepping()),
        ("closure", Stepping("closure")),
        ("create_graph", Stepping(create_graph=True)),
        ("create_graph + loss", Stepping("loss", create_graph=True)),
    ],
)
def test_what_is_written_is_read(text: str, expected: Stepping) -> None:
    assert stepping.parse(text) == stepping.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "closures", "closure+loss", "create_graph+create_graph", "closure+"]
)
def test_what_is_no_way_to_step_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not valid: it is one of plain, closure, backward_th"):
        stepping.parse(text)


class Optional(torch.optim.SGD):
    def step(self, closure: Any = None) -> None: ...  # type: ignore[override]


class Required(Optional):
    def step(self, closure: Any) -> None: ...  # type: ignore[override]


class Keyword(Optional):
    def step(self, *, closure: Any) -> None: ...  # type: ignore[override]


class TakesLoss(Optional):
    def step(self, loss: Any) -> None: ...  # type: ignore[override]


class Behind(Optional):
    def step(self, hessian: Any = None, closure: Any = None) -> None: ...  # type: ignore[override]


class Says(Optional):
    step_protocol = "backward_then_closure"


class Heir(Says): ...


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [
        (torch.optim.SGD, "plain"),
        (torch.optim.LBFGS, "closure"),
        (Optional, "plain"),
        (Required, "closure"),
        (Keyword, "closure"),
        (TakesLoss, "loss"),
        (Behind, "plain"),
        (Says, "backward_then_closure"),
        (Heir, "backward_then_closure"),
    ],
)
def test_an_optimizer_tells(kind: Any, protocol: str) -> None:
    made = kind([torch.zeros(1, requires_grad=True)])
    assert stepping.of(kind).protocol == stepping.of(made).protocol == protocol


def test_what_is_asked_for_counts_more() -> None:
    assert stepping.of(Says, "", "closure").protocol == "closure"
    assert stepping.of(Says, "loss", "closure").protocol == "loss"


def test_well_known_classes_and_their_heirs_are_known() -> None:
    known = type("SAM", (Optional,), {"__module__": "pytorch_optimizer.optimizer.sam"})
    assert stepping.of(known).protocol == "backward_then_closure"
    assert stepping.of(type("Mine", (known,), {})).protocol == "backward_then_closure"
    other = type("SAM", (Optional,), {"__module__": "elsewhere"})
    assert stepping.of(other).protocol == "plain"


def test_a_closure_is_given_by_keyword_where_it_is_not_the_first() -> None:
    assert stepping.by_keyword(Behind, "closure")
    assert stepping.by_keyword(Keyword, "closure")
    assert not stepping.by_keyword(Required, "closure")


def raised(function: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function()
    return caught.value


def test_a_failure_for_want_of_a_closure_says_how_to_ask_for_one() -> None:
    def without() -> None:
        closure = None
        assert closure is not None

    for error in (raised(without), RuntimeError("SAM requires closure")):
        hint = stepping.hint(error, Stepping(), "mine")
        assert "--step mine=closure" in hint
        assert "--step mine=backward_then_closure" in hint
    assert stepping.hint(ValueError("lr"), Stepping(), "mine") == ""
    assert stepping.hint(RuntimeError("bad closure"), Stepping("closure"), "mine") == ""


def test_a_failure_for_want_of_a_graph_says_how_to_ask_for_it() -> None:
    error = RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    assert "--step mine=create_graph" in stepping.hint(error, Stepping(), "mine")
    wanted = stepping.hint(error, Stepping("closure"), "mine")
    assert "--step mine=closure+create_graph" in wanted
    assert stepping.hint(error, Stepping(create_graph=True), "mine") == ""
