"""What an optimizer's constructor receives: what its parameters are called.

The first is what it trains, by its name: ``params`` (and any other name) a list of the parameters,
``named_parameters`` a list of them with their names, ``model`` the model itself, ``optimizer`` or
``base_optimizer`` an optimizer of them, which is a setting. Of the others those so called are given
likewise if they have no default; all else are settings.

A setting may be a reference, ``package.module:Class``, and one with settings of its own,
``package.module:Class(lr=0.1)``: it is imported where the setting's default is not a text.
"""

import ast
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizers.errors import UnfitError, UsageError, unknown
from optimizers.groups import Group, split
from optimizers.plugins import load_reference

if TYPE_CHECKING:
    from torch import nn

_SUPPLIED: Mapping[str, Callable[["nn.Module"], Any]] = {
    "params": lambda model: list(model.parameters()),
    "parameters": lambda model: list(model.parameters()),
    "named_parameters": lambda model: list(model.named_parameters()),
    "named_params": lambda model: list(model.named_parameters()),
    "model": lambda model: model,
    "module": lambda model: model,
}
_WRAPPED = ("optimizer", "base_optimizer")
_REFERENCE = re.compile(r"([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)(\(.*\))?")


def signature(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a factory.

    Raises:
        UsageError: It tells none.
    """
    try:
        return list(inspect.signature(factory).parameters.values())
    except ValueError:
        raise UsageError(f"{factory!r} is no optimizer: it tells no parameters.") from None


def settings_of(factory: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The settings of an optimizer with their defaults, and whether it takes any others.

    One without a default has ``inspect.Parameter.empty``.
    """
    found = signature(factory)
    named = {
        p.name: p.default
        for index, p in enumerate(found)
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        and (p.name in _WRAPPED if index == 0 else not _is_supplied(p))
    }
    return named, any(p.kind is p.VAR_KEYWORD for p in found)


def construct(
    factory: Callable[..., Any],
    model: "nn.Module",
    settings: Mapping[str, Any],
    groups: Sequence[Group] = (),
) -> Any:
    """Build an optimizer of a model.

    Args:
        factory: Its class, or a callable like one.
        model: The model.
        settings: Its settings.
        groups: Its parameter groups but for the rest; see :mod:`optimizers.groups`.

    Raises:
        UsageError: A reference that cannot be imported, or is none where one is needed; or a group
            that is not possible, or with a setting that is not known.
    """
    first = signature(factory)[0].name
    if groups and first in ("model", "module"):
        raise UsageError(f"{_called(factory)} is given the model: it makes its groups itself.")
    return construct_over(
        factory, split(list(model.named_parameters()), groups, with_names=True), settings, model
    )


def construct_over(
    factory: Callable[..., Any],
    groups: Sequence[dict[str, Any]],
    settings: Mapping[str, Any],
    model: "nn.Module | None" = None,
) -> Any:
    """Build an optimizer of parameters in groups, ``{"params": [(name, parameter)], ...}``.

    Args:
        factory: Its class, or a callable like one.
        groups: The parameters, and settings of theirs.
        settings: Its settings.
        model: The model that has them, if it has no others.

    Raises:
        UsageError: As of :func:`construct`; or it needs the model, and there is none.
    """
    defaults, _ = settings_of(factory)
    given = {name: resolved(value, defaults.get(name)) for name, value in settings.items()}
    first, *others = signature(factory)
    supplied = [p for p in others if _is_supplied(p)]
    if first.name not in {*_SUPPLIED, *_WRAPPED} and supplied:
        raise UnfitError(
            f"{_called(factory)} takes two sets of parameters, '{first.name}' and others: name a "
            "function that is given the model, def make(model, ...), and returns the optimizer."
        )
    if first.name in _WRAPPED:
        inner = given.pop(first.name)
        if not callable(inner):
            raise UsageError(not_callable(first.name, inner))
        trained = construct_over(inner, groups, {}, model)
    else:
        trained = _received(first.name, groups, model)
    if model is not None:
        given |= {p.name: _SUPPLIED[p.name](model) for p in supplied}
    elif supplied or first.name in ("model", "module"):
        raise UsageError(f"{_called(factory)} is given the whole model: it cannot step a part.")
    if first.kind is first.KEYWORD_ONLY:
        made = factory(**{first.name: trained}, **given)
    else:
        made = factory(trained, **given)
    if first.name not in _WRAPPED:
        require_known(made, groups, defaults)
    return made


def _received(name: str, groups: Sequence[dict[str, Any]], model: "nn.Module | None") -> Any:
    """What the first parameter receives, by its name."""
    if name in ("model", "module"):
        return model
    with_names = name in ("named_parameters", "named_params")
    found = [
        group if with_names else group | {"params": [one for _, one in group["params"]]}
        for group in groups
    ]
    if name != "param_groups" and all(group.keys() == {"params"} for group in found):
        return [one for group in found for one in group["params"]]
    return found


def require_known(
    made: Any, groups: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> None:
    """Refuse what an optimizer would keep in a group and never read.

    A name is known by the constructor, by the defaults, or by the source of the class.
    """
    known = {*settings, *getattr(made, "defaults", {})}
    for name in dict.fromkeys(name for group in groups for name in group):
        if name != "params" and name not in known and not _is_read(type(made), name):
            raise unknown("setting of a parameter group:", name, known)


def _is_read(kind: type, name: str) -> bool:
    for one in kind.__mro__:
        try:
            source = inspect.getsource(one)
        except (OSError, TypeError):
            continue
        if re.search(rf"""["']{re.escape(name)}["']""", source):
            return True
    return False


def resolved(value: Any, default: Any = None) -> Any:
    """A setting as the constructor receives it: what a reference refers to, or the value itself.

    Raises:
        UsageError: It cannot be imported, or the settings in it cannot be read.
    """
    if not is_reference(value) or isinstance(default, str):
        return value
    match = _REFERENCE.fullmatch(value)
    assert match is not None
    target = load_reference(match[1])
    if match[2] is None:
        return target
    try:
        call = ast.parse(f"f{match[2]}", mode="eval").body
        assert isinstance(call, ast.Call)
        settings = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
        if call.args or None in (one.arg for one in call.keywords):
            raise ValueError
    except (SyntaxError, ValueError):
        raise UsageError(
            f"'{value}' is not valid: its settings are written as in torch.optim:SGD(lr=0.1)."
        ) from None
    return functools.partial(target, **settings)


def not_callable(name: str, value: object) -> str:
    """That a setting is to be an optimizer."""
    return (
        f"{name}={value!r} is not valid: it is package.module:Class, with settings as in "
        "torch.optim:SGD(lr=0.1)."
    )


def is_reference(value: object) -> bool:
    """Whether a setting has the form of a reference."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _called(factory: Callable[..., Any]) -> str:
    return getattr(factory, "__name__", repr(factory))


def _is_supplied(parameter: inspect.Parameter) -> bool:
    """Whether a parameter other than the first is no setting."""
    return parameter.name in _SUPPLIED and parameter.default is parameter.empty
