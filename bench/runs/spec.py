"""What to run: one problem, one optimizer, one seed, one budget."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from bench.errors import UsageError, unknown
from bench.runs import stepping
from optimizers.spec import OptimizerSpec

DTYPES = ("float32", "float64")
SPLITS = ("test", "validation")
TUTORIAL_ITERATIONS = 201
TUTORIAL_OPTIMIZERS = ("diag_ggn_mc", "diag_ggn_exact", "adam", "sgd")
_FIRST_EVALUATION, _FARTHER, _EVALUATIONS = 5, 1.2, 16
MEMORY_RUNS = 3  # of an optimizer, each in a process of its own: one alone may be off by a MiB

Role = Literal["training", "plain_gradient", "memory"]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run, checked on construction.

    The run ends with whichever budget is spent first.

    Attributes:
        problem: Name in the problem registry, ``package.module:builder``, or the builder itself.
        optimizer: Name in the optimizer registry, ``package.module:Class``, the class itself (or a
            function that makes the optimizer), or an ``OptimizerSpec``.
        label: How the run is called in tables and figures; the optimizer's name if empty.
        hyperparameters: Settings that differ from the optimizer's defaults.
        seed: Decides initial parameters, batch order and curvature samples.
        iterations: Budget of iterations, or ``None`` for none.
        seconds: Budget of clocked time (the phases, not evaluation), or ``None``.
        until: ``(metric, value)`` of the evaluation that ends the run, or ``None``.
        batch_size: Mini-batch size; the problem's own if ``None``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:<i>"``.
        dtype: ``"float32"`` or ``"float64"``.
        split: What is held out for evaluation: ``"test"``, or ``"validation"`` to choose
            settings (then the training set is smaller by it).
        eval_every: Iterations between evaluations, which also happen before the first and after
            the last iteration; 0 for no evaluation at all. ``None``: ever farther apart, as
            :meth:`evaluations` has it.
        eval_first: Whether there is one before the first iteration.
        curvature_every: Iterations between observations of the curvature diagonal, outside the
            clock; the first iteration and the last of ``iterations`` are observed too; 0 for none.
            Optimizers without a diagonal have nothing to observe.
        groups: Parameter groups but for the rest, a selector and settings each, as in
            ``(("ndim<2", {"weight_decay": 0.0}),)``; see :mod:`optimizers.groups`.
        step: How the optimizer's step is taken; see :mod:`bench.runs.stepping`. If empty, as its
            spec, its class or the signature of its ``step`` tells.
        warmup: Iterations on a model that is thrown away, before anything is timed; ``None``: until
            two in a row take about as long. It decides times and no loss.
        data_root: Folder with data sets in torchvision's layout, or ``None`` to look for them.
        role: ``"training"``; ``"plain_gradient"`` for the yardstick of the session;
            ``"memory"`` for a run whose peak memory counts and whose times do not.
    """

    problem: str | Callable[..., Any] = "mnist_cnn"
    optimizer: str | Callable[..., Any] | OptimizerSpec = "diag_ggn_mc"
    label: str = ""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    iterations: int | None = TUTORIAL_ITERATIONS
    seconds: float | None = None
    until: tuple[str, float] | None = None
    batch_size: int | None = None
    device: str = "auto"
    dtype: str = "float32"
    split: str = "test"
    eval_every: int | None = None
    eval_first: bool = True
    curvature_every: int = 20
    groups: Sequence[tuple[str, Mapping[str, Any]]] = ()
    step: str = ""
    warmup: int | None = None
    data_root: str | None = None
    role: Role = "training"

    def __post_init__(self) -> None:
        """Check the values; a missing label becomes the optimizer's name, or its class's.

        Raises:
            UsageError: A value that breaks its rule.
        """
        for name in ("problem", "optimizer"):
            _require_named(name, getattr(self, name))
        if not self.label:
            object.__setattr__(self, "label", called(self.optimizer))
        object.__setattr__(self, "hyperparameters", dict(self.hyperparameters))
        object.__setattr__(self, "groups", tuple((one, dict(own)) for one, own in self.groups))
        if self.iterations is None and self.seconds is None:
            raise UsageError("A run needs a budget: iterations, seconds, or both.")
        _require(self.iterations is None or self.iterations >= 1, "iterations", self.iterations)
        _require(self.batch_size is None or self.batch_size >= 1, "batch_size", self.batch_size)
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds={self.seconds} is not valid: it is a number > 0.")
        if self.until is not None and self.eval_every == 0:
            raise UsageError(
                "eval_every=0 is not valid with until: the target is read at evaluations."
            )
        if self.eval_every is not None and self.eval_every < 0:
            raise UsageError(f"eval_every={self.eval_every} is not valid: it is a number >= 0.")
        if self.curvature_every < 0:
            raise UsageError(
                f"curvature_every={self.curvature_every} is not valid: it is a whole number >= 0."
            )
        if self.warmup is not None and self.warmup < 0:
            raise UsageError(f"warmup={self.warmup} is not valid: it is a whole number >= 0.")
        if self.step:
            stepping.parse(self.step)
        if self.seed < 0:
            raise UsageError(f"seed={self.seed} is not valid: it is a whole number >= 0.")
        if self.dtype not in DTYPES:
            raise unknown("dtype", self.dtype, DTYPES)
        if self.split not in SPLITS:
            raise unknown("split", self.split, SPLITS)

    def evaluations(self) -> Iterator[int]:
        """Iterations after which there is an evaluation, but for the first and the last one.

        By default each is at most a fifth later than the one before, so that the moment at which a
        target is reached is known as well: the last sixteen of them up to the end of
        ``iterations``, or all from iteration 5 on where a run may end before.
        """
        if self.eval_every == 0:
            return
        if self.eval_every is not None:
            yield from itertools.count(self.eval_every, self.eval_every)
        elif self.iterations is not None and self.until is None and self.seconds is None:
            points = [self.iterations]
            while points[-1] > 1 and len(points) < _EVALUATIONS:
                points.append(min(points[-1] - 1, math.ceil(points[-1] / _FARTHER)))
            yield from reversed(points)
        else:
            point = _FIRST_EVALUATION
            while True:
                yield point
                point = max(point + 1, math.floor(_FARTHER * point))

    def decisive(self) -> dict[str, Any]:
        """What decides the losses, for the run's id: fields that differ from their defaults.

        So that a field that is new changes no old id. Where a default has changed, it is the first
        one that counts: nothing has another meaning under an old id.
        """
        first = {"eval_every": 50}
        return {
            item.name: value
            for item in fields(self)
            if item.name not in ("label", "data_root", "warmup")
            and (value := getattr(self, item.name)) != first.get(item.name, item.default)
        }


def _require_named(name: str, value: object) -> None:
    if isinstance(value, str) or hasattr(value, "__qualname__"):
        return
    if name == "optimizer" and isinstance(value, OptimizerSpec):
        return
    kind = {"problem": "builder", "optimizer": "Class"}[name]
    other = {"problem": "a function", "optimizer": "a class, a function or an OptimizerSpec"}[name]
    raise UsageError(
        f"{name}={value!r} is not valid: it is a registered name, package.module:{kind}, {other}."
    )


def called(optimizer: str | Callable[..., Any] | OptimizerSpec) -> str:
    """The label of a run that is given none: the optimizer's name, or its class's."""
    if isinstance(optimizer, str):
        return optimizer
    return optimizer.name if isinstance(optimizer, OptimizerSpec) else optimizer.__name__


def _require(valid: bool, name: str, value: object) -> None:
    if not valid:
        raise UsageError(f"{name}={value} is not valid: it is a whole number >= 1.")
