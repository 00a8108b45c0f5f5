"""Two sides are compared where both have the same benchmark; everything else is told apart."""

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.errors import SideError, UsageError
from bench.regress.compare import Comparison, _sort_out, compare, own_optimizers
from bench.regress.launch import Side
from bench.regress.outcome import Outcome
from bench.runs.spec import RunSpec
from bench.statistics.launches import QUANTITIES
from tests.bench.regress.repositories import OPTIMIZER
from tests.bench.regress.workers import side

NEW = OPTIMIZER.replace("class Mine", "class New")


def compared(
    folder: Path,
    *optimizers: str,
    head: dict[str, str],
    base: dict[str, str] | None = None,
    hyperparameters: dict[str, Any] | None = None,
    **options: Any,
) -> Comparison:
    """Compare a base that holds ``mine`` with another side, on the smallest problem."""
    sides: dict[str, Side] = {}
    for name, modules in (("base", base or {"mine": OPTIMIZER}), ("head", head)):
        (folder / name).mkdir()
        for module, source in modules.items():
            (folder / name / f"{module}.py").write_text(textwrap.dedent(source))
        sides[name] = replace(side(folder / name), name=f"the {name}")
    specs = [
        RunSpec(
            problem="quadratic",
            optimizer=optimizer,
            hyperparameters=hyperparameters or {},
            eval_every=0,
            device="cpu",
        )
        for optimizer in optimizers
    ]
    defaults: dict[str, Any] = {
        "threshold": lambda *_: 3.0, "budget_s": 0.5, "tuned": False, "own": True,
        "on_launch": lambda *_: None, "on_notice": lambda _: None,
    }  # fmt: skip
    return compare(sides["base"], sides["head"], specs, **(defaults | options))


def test_what_both_sides_have_is_measured_and_what_one_lacks_is_named(tmp_path: Path) -> None:
    notices: list[str] = []
    found = compared(
        tmp_path, "mine:Mine", "new:New",
        head={"mine": OPTIMIZER, "new": NEW}, on_notice=notices.append,
    )  # fmt: skip
    outcome = found.outcome
    assert list(outcome.appeared) == ["quadratic/new:New"]
    assert outcome.appeared["quadratic/new:New"].startswith("Cannot import 'new'")
    assert [(line.benchmark, line.quantity) for line in outcome.lines] == [
        ("quadratic/mine:Mine", quantity) for quantity in QUANTITIES
    ]
    forward, backward, step, total = (line.base for line in outcome.lines)
    assert 0 < max(forward, backward, step) < total < 0.1
    assert [blocks.shape[2:] for blocks in found.blocks["quadratic/mine:Mine"]] == [(2, 4)] * 5
    assert outcome.launches == 5
    (notice,) = notices  # five launches of two processes take longer than half a second
    assert notice.startswith("The least, 5 launches of each side, takes about ")
    assert any(text.startswith("the least of 5 launches took ") for text in outcome.complaints)


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no benchmark in common: quadratic/new:New appeared \(base:"
    ):
        compared(tmp_path, "new:New", head={"new": NEW})


def test_a_name_that_exists_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="quadratic/mine:Your exists on neither side"):
        compared(tmp_path, "mine:Your", head={"mine": OPTIMIZER})


def test_code_that_no_side_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of its code comes from either side's folders"):
        compared(tmp_path, "torch.optim:NAdam", head={})


def test_the_side_that_does_not_start_is_named_with_its_reason(tmp_path: Path) -> None:
    told = "the head: quadratic/mine:Mine does not start: Cannot import 'mine'.*SyntaxError"
    with pytest.raises(SideError, match=told):
        compared(tmp_path, "mine:Mine", head={"mine": "def broken(:\n"})


BROKEN = NEW.replace(
    "            for group", "            raise ValueError('no')\n            for group"
)
LATE = NEW.replace(
    "            for group",
    "            self.done = getattr(self, 'done', 0) + 1\n"
    "            assert self.done < 40, 'late'\n"
    "            for group",
)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (BROKEN, "the head failed in quadratic/new:New: ValueError: no "),
        (LATE, "the head failed in quadratic/new:New: AssertionError: late "),
        ("import os\nos._exit(3)\n", "the head: quadratic/new:New does not start: it crashed"),
        ("def broken(:\n", "the head: quadratic/new:New does not start: Cannot import 'new'"),
    ],
    ids=["raises", "raises later", "ends its process", "does not import"],
)
def test_a_benchmark_that_fails_on_one_side_ends_no_other(
    tmp_path: Path, source: str, reason: str
) -> None:
    base, head = {"mine": OPTIMIZER, "new": NEW}, {"mine": OPTIMIZER, "new": source}
    found = compared(tmp_path, "new:New", "mine:Mine", base=base, head=head)
    assert list(found.outcome.failed) == ["quadratic/new:New"]
    assert found.outcome.failed["quadratic/new:New"].startswith(reason)
    assert [line.benchmark for line in found.outcome.lines] == ["quadratic/mine:Mine"] * 4
    assert {line.verdict for line in found.outcome.lines} <= {"unchanged", "undecided"}
    assert found.outcome.launches == 5


def test_where_every_benchmark_fails_it_is_an_error(tmp_path: Path) -> None:
    head = {"mine": BROKEN.replace("class New", "class Mine")}
    with pytest.raises(SideError, match="the head failed in quadratic/mine:Mine: ValueError: no"):
        compared(tmp_path, "mine:Mine", head=head)


def test_what_was_measured_is_said_by_iteration(tmp_path: Path) -> None:
    found = compared(tmp_path, "mine:Mine", head={"mine": OPTIMIZER})
    ((first, last),) = found.measured.values()
    assert 1 < first < last
    assert found.outcome.remarks[-1].startswith(
        f"quadratic/mine:Mine: iterations {first} to {last} of training. Work that comes less "
    )


def test_what_both_sides_refuse_alike_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^quadratic/mine:Mine: "):
        compared(tmp_path, "mine:Mine", head={"mine": OPTIMIZER}, hyperparameters={"lr": "x"})


def test_a_folder_without_registered_optimizers_has_none_of_its_own(tmp_path: Path) -> None:
    assert own_optimizers(side(tmp_path)) == []


@pytest.mark.parametrize(
    ("threads", "told"),
    [
        ({"a": (2, 2), "b": (2, 2)}, []),
        ({"a": (1, 4), "b": (1, 4)}, ["the base has 1 thread, the head 4"]),
        ({"a": (2, 2), "b": (2, 1)}, ["in quadratic/b, the base has 2 threads, the head 1"]),
    ],
)
def test_threads_that_differ_are_told_also_where_one_benchmark_sets_them(
    threads: dict[str, tuple[int, int]], told: list[str]
) -> None:
    state = {"own": True, "needs_closure": False, "device": "cpu", "data": "none"}
    sides: list[dict[str, Any]] = [
        {
            "versions": {}, "threads": 2, "gpu": None,
            "benchmarks": [state | {"threads": both[number]} for both in threads.values()],
        }
        for number in range(2)
    ]  # fmt: skip
    found = Comparison(outcome=Outcome(base="base", head="head"), when="", machine={})
    specs = [RunSpec(problem="quadratic", optimizer="sgd", label=name) for name in threads]
    _sort_out(found, specs, sides, own=False)
    assert found.outcome.complaints == told
