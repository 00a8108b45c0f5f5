"""The GGN diagonal by BackPACK, Monte-Carlo or exact.

Source: F. Dangel, F. Kunstner, P. Hennig, "BackPACK: Packing more into backprop", ICLR 2020.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from backpack import backpack, extend
from backpack.extensions import DiagGGNExact, DiagGGNMC
from backpack.utils.module_classification import is_no_op
from torch import Tensor, nn

from optimizers.curvature.fast_rules import install, prepare
from optimizers.curvature.objections import objections
from optimizers.errors import UsageError

# BackPACK's hooks cause this warning whenever a model's input needs no gradient, which is always.
_HOOK_WARNING = "Full backward hook is firing when gradients are computed with respect to module"

# Which diagonals the present backward pass computes; global, as BackPACK's own context is.
_REFRESHING: set[str] = set()


def monte_carlo(mc_samples: int = 1, fast_rules: bool = True) -> "BackpackDiagonal":
    r"""Monte-Carlo estimate of the GGN diagonal.

    With targets :math:`\hat y \sim p(\cdot \mid f_\theta(x_n))` drawn from the model itself,
    :math:`\mathrm{diag}(G) \approx \frac{1}{N M}\sum_{n,m} (\nabla_\theta \ell(f_\theta(x_n),
    \hat y_{nm}))^2`. Samples come from torch's global generator.

    Args:
        mc_samples: Samples :math:`M` per datum.
        fast_rules: Use the rules of ``optimizers.curvature.fast_rules`` where there is one, which
            give the same numbers sooner; ``False`` for BackPACK as it comes.

    Raises:
        UsageError: ``mc_samples`` is not a whole number >= 1.
    """
    if not isinstance(mc_samples, int) or isinstance(mc_samples, bool) or mc_samples < 1:
        raise UsageError(f"mc_samples={mc_samples!r} is not valid: it is a whole number >= 1.")
    return BackpackDiagonal(
        partial(DiagGGNMC, mc_samples=mc_samples), "ggn_diagonal_on_average", fast_rules=fast_rules
    )


def exact(fast_rules: bool = True) -> "BackpackDiagonal":
    r"""Exact GGN diagonal, :math:`\mathrm{diag}(\frac1N \sum_n J_n^\top H_n J_n)`.

    :math:`J_n` is the Jacobian of the model's output for datum n with respect to the parameters,
    :math:`H_n` the Hessian of the loss with respect to that output. Cost grows with the number
    of outputs.

    Args:
        fast_rules: As for :func:`monte_carlo`.
    """
    return BackpackDiagonal(DiagGGNExact, "ggn_diagonal", fast_rules=fast_rules)


class BackpackDiagonal:
    """Takes the diagonal that a BackPACK extension leaves on each parameter.

    A diagonal is as fresh as the latest backward pass, or it is gone: ``take`` removes it, and a
    backward pass outside ``context(refresh=True)`` discards it. BackPACK by itself would leave
    the old one in place.
    """

    objections = staticmethod(objections)

    def __init__(
        self,
        make_extension: Callable[[], DiagGGNMC | DiagGGNExact],
        estimates: str,
        *,
        fast_rules: bool = True,
    ) -> None:
        """Wrap an extension.

        Args:
            make_extension: Builds it, also anew after a failed backward pass.
            estimates: What its diagonals are; see :class:`~optimizers.curvature.Curvature`.
            fast_rules: As for :func:`monte_carlo`.
        """
        self.estimates = estimates
        self._make_extension = make_extension
        self._fast_rules = fast_rules
        self._extension = self._new_extension()

    def extend(self, model: nn.Module, loss_fn: nn.Module) -> tuple[nn.Module, nn.Module]:
        """Register BackPACK's hooks on the model and the loss, in place.

        Raises:
            UsageError: A module for which BackPACK has no rule.
        """
        self._require_supported(model, "model")
        self._require_supported(loss_fn, "loss")
        if self._fast_rules:
            prepare(model)
        return extend(model), extend(loss_fn)

    def watch(self, parameter: nn.Parameter) -> None:
        """Discard the parameter's diagonal whenever a plain backward pass outdates it."""
        watched = vars(parameter).setdefault("_optbench_watched", set())
        savefield = self._extension.savefield
        if parameter.requires_grad and savefield not in watched:
            watched.add(savefield)
            parameter.register_post_accumulate_grad_hook(partial(_discard_outdated, savefield))

    @contextmanager
    def context(self, *, refresh: bool) -> Iterator[None]:
        """The context of one backward pass, which computes the diagonal if ``refresh``.

        Raises:
            UsageError: BackPACK has no rule for what the pass meets.
        """
        savefield = self._extension.savefield
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=_HOOK_WARNING)
                if refresh:
                    _REFRESHING.add(savefield)
                    with backpack(self._extension):
                        yield
                else:
                    yield
        except BaseException as error:
            # What a broken pass leaves in the extension would be added to the next one.
            self._extension = self._new_extension()
            if isinstance(error, NotImplementedError):
                raise UsageError(f"BackPACK cannot differentiate this model: {error}.") from error
            raise
        finally:
            _REFRESHING.discard(savefield)

    def take(self, parameter: nn.Parameter) -> Tensor | None:
        """Hand over the diagonal (same shape as the parameter) and remove it."""
        return vars(parameter).pop(self._extension.savefield, None)

    def _new_extension(self) -> DiagGGNMC | DiagGGNExact:
        extension = self._make_extension()
        if self._fast_rules:
            install(extension)
        return extension

    def _require_supported(self, root: nn.Module, what: str) -> None:
        # BackPACK keeps its rules in a private table. Should a later version rename it, the check
        # is left to the backward pass, which fails with BackPACK's own message.
        rules = getattr(self._extension, "_BackpropExtension__module_extensions", None)
        if rules is None:
            return
        for name, module in root.named_modules():
            if is_no_op(module) or type(module) in rules:
                continue
            where = f"{what}.{name}" if name else f"the {what} itself"
            has_children = next(module.children(), None) is not None
            remedy = (
                "Build the model as torch.nn.Sequential of layers with a rule."
                if has_children
                else "Modules with a rule: "
                + ", ".join(sorted(rule.__name__ for rule in rules))
                + "."
            )
            raise UsageError(
                f"BackPACK cannot extend {where}: it has no rule for "
                f"{type(module).__module__}.{type(module).__qualname__}. {remedy}"
            )


def _discard_outdated(savefield: str, parameter: Tensor) -> None:
    if savefield not in _REFRESHING:
        vars(parameter).pop(savefield, None)
