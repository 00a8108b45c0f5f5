"""Two optimizers as one: some matrices by one of them, all else by the other."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from optimizers import construction
from optimizers.errors import UnfitError, UsageError, unknown
from optimizers.groups import takes

HIDDEN = "hidden"
_PARTS = ("hidden", "rest")


class Composite(Optimizer):
    """Steps the hidden matrices by one optimizer, and all other parameters by another.

    A convolution's kernel ``[out, in, ...]`` is a matrix ``[out, in * ...]`` there, a view of the
    same numbers. Hidden are the matrices between input and output, in the order in which the model
    has them: neither the first (where there are embeddings: none of them) nor the last. Each part
    steps as if there were no other; ``train()`` and ``eval()`` reach those that have them. A part
    is stepped without a closure.

    Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), for
    which parameters are whose.
    """

    def __init__(
        self,
        named_parameters: Sequence[Any],
        model: nn.Module,
        hidden: Callable[..., Any],
        rest: Callable[..., Any] = torch.optim.AdamW,
        select: str = HIDDEN,
        flatten: bool = True,
        **settings: Any,
    ) -> None:
        """Build both.

        Args:
            named_parameters: The model's, or groups of them with settings of their own, which each
                part has as far as its parameters are in them.
            model: The model, which tells what is hidden.
            hidden: The optimizer of what is selected: its class, or a function like one.
            rest: The optimizer of all else.
            select: ``hidden``, or what else ``hidden`` steps, as for a parameter group:
                ``ndim>=2``, or a pattern of names.
            flatten: Whether what has more than two axes is a matrix for ``hidden``.
            **settings: Those of both, as in ``hidden_lr=0.02, rest_lr=0.003``.

        Raises:
            UsageError: Nothing is selected, a setting is neither's, or a part cannot be built.
        """
        grouped = bool(named_parameters) and isinstance(named_parameters[0], dict)
        groups = list(named_parameters) if grouped else [{"params": list(named_parameters)}]
        named = [item for group in groups for item in group["params"]]
        super().__init__([parameter for _, parameter in named], {})
        chosen = _selected(named, model, select)
        self._weights = [parameter for _, parameter in named]
        self._views = {
            id(parameter): (parameter, _matrix(name, parameter))
            for name, parameter in named
            if name in chosen and flatten and parameter.ndim > 2
        }
        self._parts = []
        for part, factory in zip(_PARTS, (hidden, rest), strict=True):
            own = [
                group | {"params": items}
                for group in groups
                if (items := list(self._of(part, group["params"], chosen)))
            ]
            given = _own_settings(part, factory, settings)
            if own:
                made = construction.construct_over(factory, own, given)
                _require_plain(part, made)
                self._parts.append(made)
        self._adopt()
        if any(hasattr(one, "train") and hasattr(one, "eval") for one in self._parts):
            self.train, self.eval = (lambda: self._enter("train")), (lambda: self._enter("eval"))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step both parts.

        Args:
            closure: Is called once, before them.

        Returns:
            What the closure returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._look()
        for weight, view in self._views.values():
            view.grad = None if weight.grad is None else weight.grad.reshape(view.shape)
        for part in self._parts:
            part.step()
        for _, view in self._views.values():
            view.grad = None
        self._keep()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Zero the gradients of the model's parameters."""
        for weight in self._weights:
            if set_to_none:
                weight.grad = None
            elif weight.grad is not None:
                weight.grad.detach_().zero_()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refuse: a part would have to be chosen."""
        if hasattr(self, "_parts"):
            raise UsageError("A Composite takes no further parameter groups: build it with them.")
        super().add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """What both parts hold."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have both parts hold what they did."""
        for part, held in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(held)
        self._adopt()

    def _adopt(self) -> None:
        """Show what the parts have: their groups, their state by part, their defaults."""
        self.param_groups = [group for part in self._parts for group in part.param_groups]
        states: dict[Any, Any] = {
            n: getattr(part, "state", {}) for n, part in enumerate(self._parts)
        }
        self.state = defaultdict(dict, states)
        self.defaults = {
            name: value
            for part in self._parts
            for name, value in getattr(part, "defaults", {}).items()
        }

    def _of(
        self, part: str, items: Sequence[tuple[str, Tensor]], chosen: set[str]
    ) -> Iterator[tuple[str, Tensor]]:
        """The parameters of a part, as it sees them."""
        for name, parameter in items:
            if (name in chosen) == (part == "hidden"):
                _, seen = self._views.get(id(parameter), (parameter, parameter))
                yield name, seen

    def _enter(self, mode: Literal["train", "eval"]) -> None:
        self._look()
        for part in self._parts:
            if hasattr(part, mode):
                getattr(part, mode)()
        self._keep()

    def _look(self) -> None:
        """See the numbers that the model has now, should others have been put in their place."""
        for weight, view in self._views.values():
            if view.data_ptr() != weight.data_ptr():
                view.data = weight.detach().view(view.shape)

    @torch.no_grad()
    def _keep(self) -> None:
        """Have the model keep what a part has put in place of its numbers, should it have."""
        for weight, view in self._views.values():
            if view.data_ptr() != weight.data_ptr():
                weight.copy_(view.view_as(weight))
                view.data = weight.detach().view(view.shape)


def hidden_matrices(model: nn.Module) -> list[str]:
    """Names of the matrices between a model's input and its output; see :class:`Composite`.

    A matrix is a parameter ``[m, ...]`` with m > 1 and more than one number in each row.
    """
    embeddings = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag))
    }
    tied = any(
        isinstance(module, nn.Linear) and id(module.weight) in embeddings
        for module in model.modules()
    )
    found = [
        name
        for name, parameter in model.named_parameters()
        if id(parameter) not in embeddings
        and parameter.ndim > 1
        and len(parameter) > 1
        and math.prod(parameter.shape[1:]) > 1
    ]
    return found[0 if embeddings else 1 : None if tied else -1]


def _selected(named: Sequence[tuple[str, Tensor]], model: nn.Module, select: str) -> set[str]:
    if select == HIDDEN:
        chosen = set(hidden_matrices(model))
    else:
        chosen = {name for name, parameter in named if takes(select, name, parameter)}
    if not chosen:
        told = ", ".join(f"{name} (ndim {parameter.ndim})" for name, parameter in named)
        if select == HIDDEN:
            raise UnfitError(
                f"no matrix is between the first and the last of {told}; with select='ndim>=2' "
                "all are taken."
            )
        raise UsageError(f"select='{select}' is not valid: it takes none of {told}.")
    return chosen


def _require_plain(part: str, optimizer: Any) -> None:
    """Refuse what is stepped with a closure or a loss."""
    needed = [p for p in construction.signature(optimizer.step) if p.default is p.empty]
    needed = [p for p in needed if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed or getattr(optimizer, "step_protocol", "plain") != "plain":
        raise UsageError(
            f"{part}={type(optimizer).__name__} is not valid: its step takes more than the "
            "gradients, which a part of a Composite is not given."
        )


def _matrix(name: str, parameter: Tensor) -> nn.Parameter:
    """A parameter with the same numbers and two axes."""
    try:
        view = parameter.detach().view(len(parameter), -1)
    except RuntimeError:
        raise UsageError(
            f"Parameter '{name}' is no matrix without a copy, since it is not contiguous: build "
            "the model without channels_last, or the optimizer with flatten=False."
        ) from None
    return nn.Parameter(view, requires_grad=parameter.requires_grad)


def _own_settings(
    part: str, factory: Callable[..., Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a part.

    Raises:
        UsageError: One is not known there, or one is of no part.
    """
    if not callable(factory):
        raise UsageError(construction.not_callable(part, factory))
    known, open_ended = construction.settings_of(factory)
    for name in settings:
        if name.partition("_")[0] not in _PARTS:
            raise unknown("setting of a Composite:", name, [*(f"{p}_…" for p in _PARTS)])
    own = {
        name.removeprefix(f"{part}_"): value
        for name, value in settings.items()
        if name.startswith(f"{part}_")
    }
    for name in own:
        if name not in known and not open_ended:
            raise unknown(f"setting of {part}:", f"{part}_{name}", [f"{part}_{k}" for k in known])
    return own
