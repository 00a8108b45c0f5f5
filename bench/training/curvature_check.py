"""A curvature is held against an independent value of what it estimates, before a run begins.

The independent value is the diagonal of the generalized Gauss-Newton matrix (GGN) by plain autograd
in float64, on a few training data. What takes a layer or a loss without having it right is thereby
met as a kind: no list of layers says what is right.
"""

import copy
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.problems.data import TensorData
from optimizers.spec import BoundOptimizer

EXACT, ON_AVERAGE = "ggn_diagonal", "ggn_diagonal_on_average"

_DATA = 8  # at most, and as many as have at most so many outputs, but three:
_OUTPUTS = 96  # with more, a random subset of the entries is looked at
_ENTRIES = 128  # of all parameters together
_MODERATE = 3.0  # outputs that every class of a softmax is drawn at now and then

# Of the sum over a parameter, and what is nothing beside the sum over all; by the dtype that a
# curvature is computed in. In float32 an activation may be on the other side of its kink, and the
# slope of one that saturates is rounded.
_TOLERANCES = {torch.float64: (1e-5, 1e-6), torch.float32: (1e-2, 1e-4)}

_DRAWS, _FEWEST_DRAWS, _PARAMETERS_DRAWN = 200, 100, 4 * 10**7
_STANDARD_ERRORS = 7.0
_LOOKED_AT = 10**7  # targets
_ROUNDING = 1e-3

Bind = Callable[[nn.Module, nn.Module], BoundOptimizer]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of it.

    Attributes:
        impossible: Why the curvature cannot be computed; empty if it can.
        wrong: How it is wrong; empty if nothing is known to be.
        unchecked: Why nothing was compared; empty if something was.
    """

    impossible: str = ""
    wrong: str = ""
    unchecked: str = ""


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """What both are computed on.

    Attributes:
        model: A model that nothing has extended.
        loss_fn: Its loss, likewise.
        inputs: Inputs of a few data.
        targets: Their targets.
        state: Torch's generator as every forward pass finds it, so that dropout draws the same.
    """

    model: nn.Module
    loss_fn: nn.Module
    inputs: Tensor
    targets: Tensor
    state: Tensor

    def to(self, dtype: torch.dtype) -> "_Sample":
        """A copy in a floating-point type."""
        return _Sample(
            model=copy.deepcopy(self.model).to(dtype),
            loss_fn=copy.deepcopy(self.loss_fn).to(dtype),
            inputs=_cast(self.inputs, dtype),
            targets=_cast(self.targets, dtype),
            state=self.state,
        )

    def outputs(self, model: nn.Module) -> Tensor:
        """The outputs of a model, with the same draws every time."""
        torch.set_rng_state(self.state)
        outputs: Tensor = model(self.inputs)
        return outputs


@dataclass(frozen=True, kw_only=True)
class _Truth:
    """Entries of the GGN's diagonal, and which of a flattened parameter they are."""

    entries: Tensor | slice
    values: Tensor


def examine(
    bind: Bind, model: nn.Module, loss_fn: nn.Module, train: TensorData, dtype: torch.dtype
) -> Finding:
    r"""Hold a curvature against the GGN's diagonal :math:`\mathrm{diag}(J^\top H J)`.

    J is the Jacobian of a few data's outputs by the parameters and H the Hessian of the loss by
    these outputs, as the loss module computes it. Data are chosen so that every kind of target is
    among them, as far as there is room. Dropout draws what it draws in the curvature's forward
    pass. A parameter that begins as a constant, as zero, is moved off it, so that nothing is right
    by chance.

    A curvature that is exact is to agree in the sum of absolute differences over each parameter,
    in the run's dtype and in float64, where it can be computed there. One that is exact on average
    is drawn some hundred times: over the second half of the draws, two sums over each parameter are
    to have the right mean within 7 standard errors, that of all entries and that of all entries
    with the sign of their deviation in the first half, on which the second does not depend. A right
    one fails less often than one in a hundred thousand; one whose scale is off by a fifth does not
    pass. Both are tried at parameters that give moderate outputs, so that nothing that matters is
    rare, or lost in rounding.

    Torch's global generator is used: fork it.

    Args:
        bind: Binds the optimizer to a model and a loss, in place.
        model: A model that nothing has extended; it is left as it is.
        loss_fn: Its loss, likewise.
        train: The training data.
        dtype: The run's.
    """
    try:
        sample = _sample(model, loss_fn, train)
    except Exception as error:  # the model does not take the data
        return Finding(impossible=str(error) or type(error).__name__)
    try:
        in_dtype = _Passes(bind, sample.to(dtype))
        first = None
        if in_dtype.estimates in (EXACT, ON_AVERAGE):
            first = in_dtype.diagonal()
        else:
            in_dtype.backward()
    except Exception as error:  # whatever a curvature raises, it cannot be computed
        objections = _objections(bind, sample.to(dtype))
        return Finding(impossible="; ".join(objections) or str(error) or type(error).__name__)
    estimates = in_dtype.estimates
    if first is None:
        said = "declares nothing" if estimates is None else f"declares {estimates!r}"
        return Finding(unchecked=f"it {said} ('estimates': '{EXACT}' or '{ON_AVERAGE}')")
    try:
        with warnings.catch_warnings():  # a module that is everybody's may have BackPACK's hooks
            warnings.filterwarnings("ignore", message="Full backward hook is firing")
            truth = _truth(sample.to(torch.float64))
    except Exception as error:
        return Finding(unchecked=f"plain autograd gives no GGN here: {error}")
    if not first or not first.keys() <= truth.keys():
        return Finding(unchecked="its model names its parameters otherwise")
    if estimates == EXACT:
        off = _unequal(first, truth, dtype)
        if not off and dtype != torch.float64:
            off = _unequal_in_float64(bind, sample, truth)
    else:
        off = _biased(in_dtype, truth)
    if not off:
        return Finding()
    told = ", ".join(f"{name} ({by})" for name, by in off.items())
    reason = f"it differs from the diagonal of the GGN by plain autograd in {told}"
    return Finding(wrong="; ".join([reason, *_objections(bind, sample.to(dtype))]))


class _Passes:
    """Backward passes of a bound optimizer over a sample."""

    def __init__(self, bind: Bind, sample: _Sample) -> None:
        self._bound = bind(sample.model, sample.loss_fn)
        self._sample = sample
        self._curvature: Any = getattr(self._bound, "curvature", None)  # 'optimizers' may be older
        self.estimates = getattr(self._curvature, "estimates", None)

    def backward(self, seed: int = 0) -> None:
        """One pass, in which what is drawn is drawn with a seed."""
        bound = self._bound
        bound.model.zero_grad(set_to_none=True)
        loss = bound.loss_fn(self._sample.outputs(bound.model), self._sample.targets)
        torch.manual_seed(seed)
        with bound.backward_context():
            loss.backward()

    def diagonal(self, seed: int = 0) -> dict[str, Tensor]:
        """The flat diagonals of parameters that have a gradient, drawn with a seed.

        Raises:
            RuntimeError: A parameter has a gradient and no diagonal.
        """
        self.backward(seed)
        taken: dict[str, Tensor] = {}
        for name, parameter in self._bound.model.named_parameters():
            diagonal = self._curvature.take(parameter)
            if parameter.grad is None:
                continue
            if diagonal is None or diagonal.shape != parameter.shape:
                raise RuntimeError(f"{name} has a gradient and no diagonal of its shape")
            taken[name] = diagonal.detach().double().flatten()
        return taken


def _sample(model: nn.Module, loss_fn: nn.Module, train: TensorData) -> _Sample:
    """A few data, and the model at parameters that nothing is right at by chance."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() and (parameter == parameter.flatten()[0]).all():
                fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
                parameter.add_(torch.randn_like(parameter), alpha=0.1 / math.sqrt(fan_in))
    kinds = _kinds(train.targets, getattr(loss_fn, "ignore_index", None))
    dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
    train = train.to(torch.device("cpu"), dtype)
    inputs, targets = train.batch(kinds[:_DATA])
    state = torch.get_rng_state()
    with torch.no_grad():
        each = model(inputs).numel() / len(inputs)
        count = min(_DATA, max(3, int(_OUTPUTS / max(1, each))))
        sample = _Sample(
            model=model,
            loss_fn=loss_fn,
            inputs=inputs[:count],
            targets=targets[:count],
            state=state,
        )
        for _ in range(100):
            outputs = sample.outputs(model)
            if (outputs - outputs.mean()).abs().max() <= _MODERATE:
                break
            for parameter in model.parameters():
                parameter.mul_(0.8)
    return sample


def _kinds(targets: Tensor, ignored: object) -> Tensor:
    """Indices of data, as many as there are kinds of target and more: one of each kind first.

    Kinds of whole numbers are their values, at first the ignored one, the least and the largest. Of
    other targets the rows with the least and the largest sum and spread are taken for kinds.
    """
    rows = targets.reshape(len(targets), -1)
    rows = rows[:, :: max(1, rows.numel() // _LOOKED_AT)]
    if targets.is_floating_point():
        sums, squares = rows.double().sum(1), rows.double().square().sum(1)
        first = [int(f(v)) for v in (sums, squares) for f in (torch.argmin, torch.argmax)]
    else:
        values = torch.unique(rows).tolist()
        wanted = [v for v in values if v == ignored] + values[:1] + values[-1:] + values
        first = []
        for value in dict.fromkeys(wanted):
            if len(first) >= _DATA - 1:  # at least one is left to what comes first
                break
            first.append(int((rows == value).any(1).nonzero()[0]))
    rest = range(min(len(targets), 2 * _DATA))
    return torch.tensor(list(dict.fromkeys([*first, *rest])))


def _truth(sample: _Sample) -> dict[str, _Truth]:
    """The GGN's diagonal by parameter, whole or at some entries."""
    named = {name: p for name, p in sample.model.named_parameters() if p.requires_grad}
    outputs = sample.outputs(sample.model)
    leaf = outputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(sample.loss_fn(leaf, sample.targets), leaf, create_graph=True)

    def times_hessian(vector: Tensor) -> Tensor:
        return torch.autograd.grad(gradient, leaf, vector, retain_graph=True)[0]

    if leaf.numel() <= _OUTPUTS:
        return _whole(named, outputs, times_hessian)
    return _in_part(named, outputs, times_hessian)


def _whole(
    named: Mapping[str, nn.Parameter], outputs: Tensor, times_hessian: Callable[[Tensor], Tensor]
) -> dict[str, _Truth]:
    """By the Hessian's eigenvectors u: the sum of their eigenvalues times squares of J^T u."""
    units = torch.eye(outputs.numel(), dtype=outputs.dtype).reshape(-1, *outputs.shape)
    hessian = torch.stack([times_hessian(unit).flatten() for unit in units])
    values, vectors = torch.linalg.eigh((hessian + hessian.T) / 2)
    totals = {name: torch.zeros_like(p).flatten() for name, p in named.items()}
    for value, vector in zip(values, vectors.T, strict=True):
        if abs(value) <= 1e-14 * values.abs().max():
            continue
        gradients = torch.autograd.grad(
            outputs,
            list(named.values()),
            vector.reshape(outputs.shape),
            retain_graph=True,
            allow_unused=True,
        )
        for total, gradient in zip(totals.values(), gradients, strict=True):
            if gradient is not None:
                total += value * gradient.flatten().square()
    return {name: _Truth(entries=slice(None), values=v) for name, v in totals.items()}


def _in_part(
    named: Mapping[str, nn.Parameter], outputs: Tensor, times_hessian: Callable[[Tensor], Tensor]
) -> dict[str, _Truth]:
    """By columns of J, one for each entry, half of which are drawn where J is not zero."""
    direction = torch.randn_like(outputs).requires_grad_()
    gradients = torch.autograd.grad(
        outputs, list(named.values()), direction, create_graph=True, allow_unused=True
    )
    found = {}
    for name, gradient in zip(named, gradients, strict=True):
        if gradient is None:
            continue
        flat = gradient.flatten()
        count = min(len(flat), max(2, _ENTRIES // len(named)))
        likely = flat.detach().abs().topk(min(len(flat), 64 * count)).indices
        likely = likely[torch.randperm(len(likely))[: (count + 1) // 2]]
        entries = torch.cat([likely, torch.randint(len(flat), (count // 2,))]).unique()
        values = []
        for entry in entries:
            (column,) = torch.autograd.grad(flat[entry], direction, retain_graph=True)
            values.append((column * times_hessian(column)).sum())
        found[name] = _Truth(entries=entries, values=torch.stack(values))
    return found


def _unequal(
    found: Mapping[str, Tensor], truth: Mapping[str, _Truth], dtype: torch.dtype
) -> dict[str, str]:
    """Parameters whose diagonal is not what it should be, and by how much."""
    off = {}
    tolerance, share = _TOLERANCES[dtype]
    negligible = share * _total(truth)
    for name, true in _of_both(found, truth):
        own = found[name][true.entries]
        error, scale = (own - true.values).abs().sum(), true.values.abs().sum()
        if not error <= tolerance * (scale + negligible):  # nor if it is not a number
            sums = _times(float(own.sum()), float(true.values.sum()))
            off[name] = f"{sums}, entries off by {100 * float(error / scale):.2g} %"
    return off


def _unequal_in_float64(bind: Bind, sample: _Sample, truth: Mapping[str, _Truth]) -> dict[str, str]:
    """The same in float64; nothing where it cannot be computed there, which no one asked for."""
    try:
        found = _Passes(bind, sample.to(torch.float64)).diagonal()
    except Exception:
        return {}
    return _unequal(found, truth, torch.float64)


def _biased(passes: _Passes, truth: Mapping[str, _Truth]) -> dict[str, str]:
    """Parameters whose diagonal has another mean than it should have, and by how much."""
    once = passes.diagonal()
    compared = dict(_of_both(once, truth))
    parameters = sum(len(flat) for flat in once.values())
    draws = min(_DRAWS, max(_FEWEST_DRAWS, _PARAMETERS_DRAWN // max(1, parameters))) // 2

    def errors(seed: int) -> dict[str, Tensor]:
        drawn = passes.diagonal(seed)
        return {name: drawn[name][true.entries] - true.values for name, true in compared.items()}

    signs = errors(1)
    for seed in range(2, draws + 1):
        for name, error in errors(seed).items():
            signs[name] += error
    signs = {name: total.sign() for name, total in signs.items()}
    sums: dict[str, list[Tensor]] = {name: [] for name in signs}
    for seed in range(draws + 1, 2 * draws + 1):
        for name, error in errors(seed).items():
            sums[name].append(torch.stack([error.sum(), error @ signs[name]]))
    off = {}
    negligible = 1e-4 * _total(truth)
    for name, each in sums.items():
        table, scale = torch.stack(each), truth[name].values.abs().sum()
        error, spread = table.mean(0).abs(), table.std(0) / math.sqrt(draws)
        bound = _STANDARD_ERRORS * spread + _ROUNDING * (scale + negligible)
        if not (error <= bound).all():
            true = float(truth[name].values.sum())
            times = _times(true + float(table[:, 0].mean()), true)
            off[name] = (
                f"{times} on average, entries off by {100 * float(error.max() / scale):.2g} %"
            )
    return off


def _of_both(
    found: Mapping[str, Tensor], truth: Mapping[str, _Truth]
) -> Sequence[tuple[str, _Truth]]:
    """What to compare: a parameter without a gradient takes no step."""
    return [(name, true) for name, true in truth.items() if name in found]


def _total(truth: Mapping[str, _Truth]) -> float:
    return float(sum(true.values.abs().sum() for true in truth.values()))


def _times(found: float, true: float) -> str:
    return f"sum {found:.3g} where {true:.3g} is right"


def _objections(bind: Bind, sample: _Sample) -> list[str]:
    """What the curvature itself has to say against a model or a loss."""
    curvature = getattr(bind(sample.model, sample.loss_fn), "curvature", None)
    ask = getattr(curvature, "objections", None)
    return [] if ask is None else ask(sample.model, sample.loss_fn, sample.targets)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
