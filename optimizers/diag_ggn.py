"""Gradient descent preconditioned by the damped GGN diagonal."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, final, overload

import torch
from torch import Tensor, nn

from optimizers.curvature import Curvature
from optimizers.curvature.statistics import Observed
from optimizers.errors import UsageError
from optimizers.levenberg_marquardt import adapted_damping, decrease_ratio, predicted_decrease

Evaluate = Callable[[], tuple[Tensor, Tensor]]
_SAME_IN_ALL_GROUPS = ("update_every", "adapt_every")


def diag_ggn_update_(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    diagonals: Sequence[Tensor],
    momentum_buffers: Sequence[Tensor] | None = None,
    *,
    lr: float,
    damping: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    r"""One damped diagonal step, in place.

    .. math::
        m &\leftarrow \mu m + g / (d + \lambda) \\
        \theta &\leftarrow (1 - \alpha w)\,\theta - \alpha m

    with learning rate :math:`\alpha`, damping :math:`\lambda`, momentum :math:`\mu` and decoupled
    weight decay :math:`w` (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).
    Without momentum and weight decay it is the update of BackPACK's tutorial.

    Args:
        params: Parameters :math:`\theta`.
        grads: Gradients :math:`g`, shaped as the parameters.
        diagonals: Curvature diagonals :math:`d`, shaped as the parameters.
        momentum_buffers: Buffers :math:`m`, shaped as the parameters; needed if ``momentum``.
        lr: Learning rate.
        damping: Damping, in the units of the diagonal.
        momentum: Momentum factor.
        weight_decay: Decoupled weight decay.
    """
    if not params:
        return
    params, grads = list(params), list(grads)
    if weight_decay:
        torch._foreach_mul_(params, 1.0 - lr * weight_decay)
    damped = torch._foreach_add(list(diagonals), damping)
    if momentum:
        assert momentum_buffers is not None
        buffers = list(momentum_buffers)
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_addcdiv_(buffers, grads, damped)
        torch._foreach_add_(params, buffers, alpha=-lr)
    else:
        torch._foreach_addcdiv_(params, grads, damped, value=-lr)


@final
class DiagGGN(torch.optim.Optimizer):
    r"""Diagonal generalized Gauss-Newton descent.

    :math:`\theta \leftarrow \theta - \alpha\, g / (\mathrm{diag}(G) + \lambda)`, the optimizer of
    BackPACK's tutorial "Diagonal Gauss-Newton second order optimizer" (Dangel, Kunstner, Hennig,
    ICLR 2020), with options that are off by default. See :func:`diag_ggn_update_`.

    The diagonal belongs to one backward pass::

        curvature = optimizers.curvature.backpack.monte_carlo()
        model, loss_fn = curvature.extend(model, loss_fn)
        optimizer = DiagGGN(model.parameters(), curvature=curvature)

        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        with optimizer.backward_context():
            loss.backward()
        optimizer.step()

    With gradient accumulation over several backward passes the diagonal is the last pass's.

    With ``adapt_every`` the damping follows Levenberg and Marquardt's rule; see
    ``optimizers.levenberg_marquardt``. Every so many steps the loss of the same mini-batch is
    evaluated before and after the step. A step after which it is higher, or not finite, is
    rejected: parameters and momentum buffers are what they were, bit for bit, as if it had not
    been taken; only the damping grows and the step counts, so that the schedules go on.
    """

    _observed: list[Observed] | None = None

    def __init__(
        self,
        params: Iterable[Any],
        *,
        curvature: Curvature,
        lr: float = 0.05,
        damping: float = 1.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        curvature_ema: float = 0.0,
        update_every: int = 1,
        adapt_every: int = 0,
    ) -> None:
        r"""Set up the optimizer.

        Args:
            params: Parameters, named parameters, or parameter groups.
            curvature: Where the diagonal comes from; its ``extend`` was applied to the model.
            lr: Learning rate :math:`\alpha` >= 0.
            damping: Damping :math:`\lambda` >= 0. With 0, a parameter without curvature and
                gradient becomes 0/0.
            momentum: Momentum of the preconditioned gradient, in [0, 1).
            weight_decay: Decoupled weight decay >= 0.
            curvature_ema: Factor :math:`\beta` in [0, 1) of a bias-corrected running average
                :math:`s_n = \beta s_{n-1} + (1-\beta) d_n`, :math:`\hat d_n = s_n / (1-\beta^n)`,
                over refreshes n.
            update_every: Refresh the diagonal every so many steps (>= 1). In between, backward
                passes compute no curvature. The same in all parameter groups.
            adapt_every: Adapt the damping, from ``damping`` > 0 on, every so many steps; 0 to keep
                it. Such a step needs ``evaluate``; it costs about two more forward passes and a
                GGN-vector product. The same in all parameter groups.

        Raises:
            UsageError: A value outside its range.
        """
        self.curvature = curvature
        defaults = {
            "lr": lr,
            "damping": damping,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "curvature_ema": curvature_ema,
            "update_every": update_every,
            "adapt_every": adapt_every,
            "steps": 0,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; see ``torch.optim.Optimizer.add_param_group``.

        Raises:
            UsageError: A value outside its range, or another ``update_every`` or ``adapt_every``
                than the others'.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            _check_settings(group)
            for name in _SAME_IN_ALL_GROUPS:
                if group[name] != self.param_groups[0][name]:
                    raise UsageError(
                        f"{name}={group[name]} is not valid: it is the same in all parameter "
                        f"groups, here {self.param_groups[0][name]}."
                    )
        except UsageError:
            self.param_groups.pop()
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Keep the curvature in copies and pickles."""
        return {**super().__getstate__(), "curvature": self.curvature}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read states from before there was ``adapt_every``."""
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("adapt_every", 0)

    @property
    def refresh_due(self) -> bool:
        """Whether the next step needs a fresh diagonal.

        It does every ``update_every`` steps, and when a parameter was added or unfrozen since.
        """
        first = self.param_groups[0]
        if first["steps"] % first["update_every"] == 0:
            return True
        return any(
            parameter.requires_grad and "diagonal" not in self.state[parameter]
            for group in self.param_groups
            for parameter in group["params"]
        )

    @property
    def takes_evaluation(self) -> bool:
        """Whether steps need ``evaluate``, at least some of them."""
        return self.param_groups[0]["adapt_every"] > 0

    @property
    def adaptation_due(self) -> bool:
        """Whether the next step adapts the damping, and needs ``evaluate``."""
        first = self.param_groups[0]
        return self.takes_evaluation and (first["steps"] + 1) % first["adapt_every"] == 0

    @contextmanager
    def observing(self) -> Iterator[list[Observed]]:
        """A context around a step, which yields a list of what the step preconditioned with.

        The list refers to the optimizer's own tensors and gradients: read it before the next
        ``zero_grad`` or step. Outside of the context nothing is kept.
        """
        outer, self._observed = self._observed, []
        try:
            yield self._observed
        finally:
            self._observed = outer

    def backward_context(self) -> AbstractContextManager[None]:
        """The context in which to call ``backward`` before the next step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                self.curvature.watch(parameter)
        return self.curvature.context(refresh=self.refresh_due)

    @overload
    def step(self, closure: None = None, *, evaluate: Evaluate | None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float], *, evaluate: Evaluate | None = None) -> float: ...
    @torch.no_grad()
    def step(
        self, closure: Callable[[], float] | None = None, *, evaluate: Evaluate | None = None
    ) -> float | None:
        """Take one step.

        Args:
            closure: Recomputes the loss and its gradient (inside ``backward_context``).
            evaluate: Returns the loss of the same mini-batch and the model's outputs behind it,
                with their graph where gradients are enabled, and touches no gradient. It is to be
                a function of the parameters alone: no dropout drawn anew. Called twice, and only
                where ``adaptation_due``.

        Raises:
            RuntimeError: A parameter has a gradient but no diagonal of the same backward pass, or
                ``evaluate`` is needed and missing.
        """
        adapt = self.adaptation_due
        if adapt and evaluate is None:
            raise RuntimeError(
                "This step adapts the damping and needs the loss of its mini-batch: call "
                "optimizer.step(evaluate=...) with a function that returns (loss, outputs), or "
                f"set adapt_every=0 (it is {self.param_groups[0]['adapt_every']})."
            )
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        refresh = self.refresh_due
        taken = {
            parameter: self.curvature.take(parameter)
            for group in self.param_groups
            for parameter in group["params"]
        }
        # Checked before anything changes, so that a failed step leaves no half-made update.
        work = [(group, self._with_gradient(group, taken, refresh)) for group in self.param_groups]
        changing = self._changing(work) if adapt else []
        start = [tensor.clone() for tensor in changing]
        for group, parameters in work:
            diagonals = self._diagonals(group, parameters, taken if refresh else None)
            if self._observed is not None:
                self._observed += _observations(group, parameters, diagonals)
            diag_ggn_update_(
                parameters,
                [parameter.grad for parameter in parameters if parameter.grad is not None],
                diagonals,
                self._momentum_buffers(group, parameters),
                lr=group["lr"],
                damping=group["damping"],
                momentum=group["momentum"],
                weight_decay=group["weight_decay"],
            )
            group["steps"] += 1
        if adapt and evaluate is not None:
            parameters = [parameter for _, group_part in work for parameter in group_part]
            self._adapt(parameters, changing, start, evaluate)
        return loss

    def _changing(self, work: list[tuple[dict[str, Any], list[nn.Parameter]]]) -> list[Tensor]:
        """What a step changes: its parameters, and after them all its momentum buffers."""
        parameters = [parameter for _, parameters in work for parameter in parameters]
        buffers = [
            buffer
            for group, parameters in work
            for buffer in self._momentum_buffers(group, parameters) or ()
        ]
        return [*parameters, *buffers]

    def _adapt(
        self,
        parameters: list[nn.Parameter],
        changing: list[Tensor],
        start: list[Tensor],
        evaluate: Evaluate,
    ) -> None:
        """Adapt the damping to the step that was taken, and take it back if the loss rose.

        Args:
            parameters: The parameters that the step changed.
            changing: Everything that it changed, the parameters first.
            start: What that was before.
            evaluate: Loss and outputs of the mini-batch.
        """
        if not parameters:
            return
        count = len(parameters)
        after = float(evaluate()[0])
        end = [parameter.detach().clone() for parameter in parameters]
        torch._foreach_copy_(changing[:count], start[:count])
        # A backward pass without curvature, as far as the curvature is concerned.
        with self.curvature.context(refresh=False), torch.enable_grad():
            loss, outputs = evaluate()
            predicted = predicted_decrease(
                loss,
                outputs,
                parameters,
                [parameter.grad for parameter in parameters if parameter.grad is not None],
                torch._foreach_sub(end, start[:count]),
            )
        before = float(loss)
        if after <= before:
            torch._foreach_copy_(changing[:count], end)
        else:  # it rose, or is not a number
            torch._foreach_copy_(changing, start)
        eps = torch.finfo(loss.dtype).eps
        ratio = decrease_ratio(before, after, float(predicted), resolution=4 * eps * abs(before))
        for group in self.param_groups:
            group["damping"] = adapted_damping(
                group["damping"],
                ratio,
                group["adapt_every"],
                # Still positive in the parameters' dtype: 0 / (0 + damping) is to remain 0.
                smallest=torch.finfo(parameters[0].dtype).tiny,
            )

    def _with_gradient(
        self, group: dict[str, Any], taken: dict[nn.Parameter, Tensor | None], refresh: bool
    ) -> list[nn.Parameter]:
        """The group's parameters that have a gradient, each known to have a diagonal."""
        parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
        for parameter in parameters:
            kept = self.state[parameter].get("diagonal")
            if (taken[parameter] if refresh else kept) is None:
                index = next(i for i, other in enumerate(group["params"]) if other is parameter)
                name = _names(group)[index]
                raise RuntimeError(
                    f"Parameter {name} (shape {list(parameter.shape)}) has a gradient but no "
                    "curvature diagonal of the same backward pass: run loss.backward() inside "
                    "'with optimizer.backward_context():', on the model and loss that "
                    "curvature.extend returned."
                )
        return parameters

    def _diagonals(
        self,
        group: dict[str, Any],
        parameters: list[nn.Parameter],
        taken: dict[nn.Parameter, Tensor | None] | None,
    ) -> list[Tensor]:
        """Diagonals to step with: fresh if ``taken``, else the kept ones; averaged if asked."""
        decay = group["curvature_ema"]
        if taken is not None:
            fresh = [taken[parameter] for parameter in parameters]
            diagonals = [diagonal for diagonal in fresh if diagonal is not None]
            if decay == 0.0 and group["update_every"] == 1:
                return diagonals
            for parameter, diagonal in zip(parameters, diagonals, strict=True):
                state = self.state[parameter]
                averaged = state.get("refreshes", 0) if decay else 0
                if averaged:
                    state["diagonal"].lerp_(diagonal, 1.0 - decay)
                else:
                    state["diagonal"] = diagonal * (1.0 - decay) if decay else diagonal
                state["refreshes"] = averaged + 1 if decay else 0
            for parameter in group["params"]:  # known to have none, not waiting for its first
                if parameter.requires_grad:
                    self.state[parameter].setdefault("diagonal", None)
        kept = [self.state[parameter]["diagonal"] for parameter in parameters]
        if not decay or not kept:
            return kept
        averaged = [self.state[parameter]["refreshes"] for parameter in parameters]
        corrections = [1.0 - decay**count if count else 1.0 for count in averaged]
        return list(torch._foreach_div(kept, corrections))

    def _momentum_buffers(
        self, group: dict[str, Any], parameters: list[nn.Parameter]
    ) -> list[Tensor] | None:
        if not group["momentum"]:
            return None
        for parameter in parameters:
            if "momentum_buffer" not in self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return [self.state[parameter]["momentum_buffer"] for parameter in parameters]


def _names(group: dict[str, Any]) -> list[str]:
    """The names of a group's parameters, in their order."""
    return group.get("param_names") or [f"number {i}" for i in range(len(group["params"]))]


def _observations(
    group: dict[str, Any], parameters: list[nn.Parameter], diagonals: list[Tensor]
) -> Iterator[Observed]:
    names = dict(zip(group["params"], _names(group), strict=True))
    for parameter, diagonal in zip(parameters, diagonals, strict=True):
        assert parameter.grad is not None
        yield Observed(
            parameter=names[parameter],
            diagonal=diagonal,
            gradient=parameter.grad,
            damping=group["damping"],
        )


def _check_settings(group: dict[str, Any]) -> None:
    """Refuse settings outside their ranges."""
    rules: list[tuple[str, Callable[[Any], bool], str]] = [
        ("lr", lambda value: value >= 0, "a number >= 0"),
        ("damping", lambda value: value >= 0, "a number >= 0"),
        ("momentum", lambda value: 0 <= value < 1, "a number in [0, 1)"),
        ("weight_decay", lambda value: value >= 0, "a number >= 0"),
        ("curvature_ema", lambda value: 0 <= value < 1, "a number in [0, 1)"),
        ("update_every", lambda value: value >= 1 and value == int(value), "a whole number >= 1"),
        ("adapt_every", lambda value: value >= 0 and value == int(value), "a whole number >= 0"),
    ]
    for name, valid, rule in rules:
        value = group[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not valid(value):
            raise UsageError(f"{name}={value!r} is not valid: it is {rule}.")
    if group["adapt_every"] and not group["damping"] > 0:
        raise UsageError(
            f"damping={group['damping']} is not valid with adapt_every={group['adapt_every']}: it "
            "is multiplied, so that it is a number > 0; adapt_every=0 keeps it as it is."
        )
