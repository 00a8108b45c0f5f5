"""What the registry knows of an optimizer, and how it is bound to a model.

This module imports no torch, so that listing optimizers is quick: factories may be given as
``"package.module:attribute"`` and are imported when they are first needed.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optimizers import construction
from optimizers.errors import UnfitError, UsageError, unknown
from optimizers.groups import Group, split
from optimizers.plugins import load_reference

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from optimizers.curvature.statistics import Observed


@dataclass(frozen=True, kw_only=True)
class BoundOptimizer:
    """An optimizer tied to one model: all that a training loop needs to know of it.

    Attributes:
        model: The model to train, extended if the curvature needs that.
        loss_fn: The loss, likewise.
        optimizer: The optimizer over the model's parameters.
        backward_context: Called once per backward pass; the pass runs inside what it returns.
        observing: Its context yields a list of what the step inside it preconditioned with;
            ``None`` for an optimizer that has no curvature to show.
        takes_evaluation: Whether ``step`` is to be given ``evaluate=``, which returns the loss and
            the outputs of the same mini-batch without touching gradients.
        curvature: What the optimizer's spec names as its curvature, if it does.
    """

    model: "nn.Module"
    loss_fn: "nn.Module"
    optimizer: "Optimizer"
    backward_context: Callable[[], AbstractContextManager[None]]
    observing: "Callable[[], AbstractContextManager[list[Observed]]] | None" = None
    takes_evaluation: bool = False
    curvature: Any = None


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec:
    """A registered optimizer.

    Attributes:
        name: The name in the registry.
        factory: The ``torch.optim.Optimizer`` class (or a callable like it), or a reference to it.
        summary: One line for ``optbench list``.
        defaults: Hyperparameters that differ from the factory's own defaults.
        curvature: Factory of the curvature, or a reference to it; its parameters are
            hyperparameters too. The optimizer then takes ``curvature=`` and supplies
            ``backward_context()``; it may supply ``observing()`` and ``takes_evaluation``, see
            ``BoundOptimizer``. ``None``: an ordinary optimizer.
        search_space: The grid that ``optbench sweep`` tries where none is given.
        settings_source: Where ``defaults`` come from: a sweep, or a publication.
        step: How a step is taken: ``plain``, ``closure``, ``backward_then_closure`` or ``loss``,
            and ``create_graph``; see ``bench.runs.stepping``. If empty, as the class tells.
        groups: Parameter groups but for the rest, a selector and settings each, as in
            ``("ndim<2", {"weight_decay": 0.0})``; see :mod:`optimizers.groups`.
    """

    name: str
    factory: str | Callable[..., Any]
    summary: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    curvature: str | Callable[..., Any] | None = None
    search_space: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    settings_source: str = ""
    step: str = ""
    groups: Sequence[Group] = ()

    def load_factory(self) -> Callable[..., Any]:
        """Import the optimizer's class."""
        return _load(self.factory)

    def load_curvature(self) -> Callable[..., Any] | None:
        """Import the curvature's factory, if there is one."""
        return None if self.curvature is None else _load(self.curvature)

    def hyperparameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete and check hyperparameters.

        Args:
            given: The settings that differ from the defaults.

        Returns:
            Every hyperparameter; values that are not plain (number, string, bool, None, tuple)
            as their ``repr``.

        Raises:
            UsageError: A name that the optimizer lacks, a value of the wrong type, or a
                hyperparameter without a default that is missing.
        """
        known, open_ended = self._known()
        for name, value in given.items():
            if name not in known and not open_ended:
                raise unknown(f"hyperparameter of {self.name}:", name, known)
            _check_type(self.name, name, value, known.get(name))
        complete = known | dict(given)
        missing = [name for name, value in complete.items() if value is inspect.Parameter.empty]
        if missing:
            raise UsageError(
                f"Optimizer '{self.name}' needs a value for {', '.join(missing)}: "
                f"give it with --set {missing[0]}=VALUE."
            )
        return describe(complete)

    def settings(self) -> dict[str, Any]:
        """Every hyperparameter with its default; ``None`` where it has none."""
        known, _ = self._known()
        empty = inspect.Parameter.empty
        return describe({name: None if one is empty else one for name, one in known.items()})

    def with_own(self, groups: Sequence[Group]) -> tuple[Group, ...]:
        """Parameter groups, and behind them those of the spec that are not among them."""
        given = [(selector, dict(own)) for selector, own in groups]
        mine = [(selector, dict(own)) for selector, own in self.groups]
        return (*given, *(one for one in mine if one not in given))

    def references(self, given: Mapping[str, Any]) -> list[Any]:
        """The classes and functions that settings refer to.

        Args:
            given: The settings that differ from the defaults.

        Raises:
            UsageError: One cannot be imported.
        """
        settings = dict(self.defaults) | dict(given)
        own, _ = construction.settings_of(self.load_factory())  # as the constructor receives them
        found = [construction.resolved(value, own.get(name)) for name, value in settings.items()]
        return [one for one in found if callable(one)]

    def _known(self) -> tuple[dict[str, Any], bool]:
        """Hyperparameters with their defaults, and whether there may be any others."""
        own, open_ended = construction.settings_of(self.load_factory())
        own.pop("curvature", None)
        curvature = self.load_curvature()
        return own | _settings_of_curvature(curvature) | dict(self.defaults), open_ended

    def bind(
        self,
        model: "nn.Module",
        loss_fn: "nn.Module",
        hyperparameters: Mapping[str, Any],
        groups: Sequence[Group] = (),
    ) -> BoundOptimizer:
        """Build the optimizer over a model's parameters.

        Only a spec with curvature changes the model: extending costs time even where no
        curvature is computed.

        Args:
            model: The model to train.
            loss_fn: Its loss module.
            hyperparameters: Settings that differ from the factory's own defaults.
            groups: Parameter groups, which go before those of the spec.

        Raises:
            UnfitError: The optimizer is not for this model.
            UsageError: The optimizer refuses a value, or the model cannot be extended.
        """
        settings = dict(self.defaults) | dict(hyperparameters)
        groups = self.with_own(groups)
        factory, make_curvature = self.load_factory(), self.load_curvature()
        curvature = None
        try:
            if make_curvature is None:
                optimizer = construction.construct(factory, model, settings, groups)
            else:
                names = _settings_of_curvature(make_curvature)
                curvature = make_curvature(**{k: settings.pop(k) for k in names if k in settings})
                model, loss_fn = curvature.extend(model, loss_fn)
                named = split(list(model.named_parameters()), groups, with_names=True)
                optimizer = factory(named, curvature=curvature, **settings)
                construction.require_known(optimizer, named, settings)
            _require_optimizer(self.name, optimizer)
        except UnfitError as error:
            message = f"Optimizer '{self.name}' is not for this model: {error}"
            raise UnfitError(message) from error
        except UsageError:
            raise
        except Exception as error:  # whatever a plug-in raises is its author's to mend
            kind = "" if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: "
            message = f"Optimizer '{self.name}' refuses its settings: {kind}{error}"
            raise UsageError(message) from error
        return BoundOptimizer(
            model=model,
            loss_fn=loss_fn,
            optimizer=optimizer,
            backward_context=nullcontext if make_curvature is None else optimizer.backward_context,
            observing=None if make_curvature is None else getattr(optimizer, "observing", None),
            takes_evaluation=bool(getattr(optimizer, "takes_evaluation", False)),
            curvature=curvature,
        )


def describe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they can be recorded: classes and functions as references, else a ``repr``."""
    return {name: value if _is_plain(value) else _named(value) for name, value in settings.items()}


def _named(value: Any) -> str:
    if isinstance(value, type) or inspect.isfunction(value):
        return f"{value.__module__}:{value.__qualname__}"
    return repr(value)


def _require_optimizer(name: str, optimizer: Any) -> None:
    lacking = [
        part for part in ("step", "zero_grad", "param_groups") if not hasattr(optimizer, part)
    ]
    if lacking:
        raise UsageError(
            f"Optimizer '{name}' makes a {type(optimizer).__name__}, which has no "
            f"{', '.join(lacking)}: it is to make a torch.optim.Optimizer."
        )


def _load(target: str | Callable[..., Any]) -> Callable[..., Any]:
    return load_reference(target) if isinstance(target, str) else target


def _settings_of_curvature(curvature: Callable[..., Any] | None) -> dict[str, Any]:
    """The settings of a curvature with their defaults; none without one."""
    found = [] if curvature is None else construction.signature(curvature)
    return {p.name: p.default for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(_is_plain(item) for item in value)
    return type(value) in (type(None), bool, int, float, str)  # an enum's members are some of these


def _check_type(optimizer: str, name: str, value: Any, default: Any) -> None:
    """Refuse a value whose kind differs from the default's (numbers are one kind)."""
    if isinstance(default, bool):
        accepted, rule = isinstance(value, bool), "true or false"
    elif isinstance(default, (int, float)):
        accepted = isinstance(value, (int, float)) and not isinstance(value, bool)
        rule = "a number"
    elif isinstance(default, (tuple, list)):
        accepted = isinstance(value, (tuple, list)) and len(value) == len(default)
        rule = f"{len(default)} values, as in {','.join(str(item) for item in default)}"
    elif isinstance(default, str):
        accepted, rule = isinstance(value, str), "a word"
    else:  # no default, None or an object: the optimizer itself knows better
        return
    if not accepted:
        raise UsageError(f"{optimizer}.{name}={value!r} is not valid: it takes {rule}.")
