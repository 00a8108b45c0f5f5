"""One model in training, phase by phase: what the loop repeats, and what benchmarks time."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from bench.problems.data import TensorData, batch_indices
from bench.problems.problem import accuracy
from bench.runs import stepping
from bench.runs.record import HINT
from bench.training.clock import BACKWARD, FORWARD, STEP, PhaseClock
from bench.training.identity import state_digest
from bench.training.prepare import Prepared
from bench.training.seeding import initial_model, seed_globally, stream_seed

_NOTHING = torch.empty(0)
_FEW = 1 << 14  # numbers of a mini-batch's outputs that may wait to be read


class Training:
    """A fresh model with its optimizer and its batches, the same for every build of a seed.

    An iteration is :meth:`draw`, :meth:`forward`, :meth:`backward`, :meth:`step`, :meth:`judge`;
    :attr:`iterate` runs them under the clock. An optimizer of the protocol ``closure`` runs forward
    and backward inside its step: then only :attr:`iterate` applies.

    Attributes:
        bound: Model, loss and optimizer.
        needs_closure: Whether the optimizer's step does all through a closure, as L-BFGS's.
        iterate: Runs one iteration under the clock.
        losses: Mini-batch losses on the device, in order; whoever reads them empties it.
        accuracies: Mini-batch accuracies, likewise, or outputs and targets that they are made of
            when they are read; stays empty where the problem has none.
    """

    def __init__(
        self, prepared: Prepared, train: TensorData, clock: PhaseClock[Any], *, known: bool = False
    ) -> None:
        """Build it, and seed the global generators, which curvature samples are drawn from.

        Args:
            prepared: The run.
            train: Its training data, on its device and in its dtype.
            clock: Is told where phases begin and end.
            known: Whether to make sure that it begins as the run's id says.

        Raises:
            RuntimeError: It does not.
        """
        spec, problem = prepared.resolved, prepared.problem
        dtype: torch.dtype = getattr(torch, spec.dtype)
        model = initial_model(problem, spec.seed)
        if known and state_digest(model.state_dict()) != prepared.start:
            raise RuntimeError(
                "the initial parameters are no longer those that the run is known by: something "
                f"changed how models are built (torch's default dtype is "
                f"{torch.get_default_dtype()})"
            )
        model = model.to(train.device, dtype)
        loss_fn = problem.make_loss().to(train.device, dtype)
        self.bound = prepared.bind(model, loss_fn)
        seed_globally(stream_seed(spec.seed, "training"))
        indices = batch_indices(
            len(train),
            spec.batch_size or problem.batch_size,
            stream_seed(spec.seed, "batches"),
            train.device,
        )
        self._batches = train.batches(indices, stream_seed(spec.seed, "augmentation"))
        self._clock, self._metric = clock, problem.batch_metric
        self._model, self._loss_fn = self.bound.model, self.bound.loss_fn
        self._optimizer, self._context = self.bound.optimizer, self.bound.backward_context
        self._switches = _has_modes(self._optimizer)
        if self._switches:
            try:
                self._enter_mode("train")
            except AttributeError as error:
                if error.name != "train":
                    raise
                self._switches = False  # it hands them on to an optimizer that has none
        self._inputs = self._targets = self._outputs = self._loss = _NOTHING
        self.losses: list[Tensor] = []
        self.accuracies: list[Tensor | tuple[Tensor, Tensor]] = []
        # 'optimizers' may be an older revision's here ('optbench regress'), and know neither.
        own = getattr(prepared.optimizer, "step", "")
        takes_evaluation = getattr(self.bound, "takes_evaluation", False)
        self._label = spec.label
        self._stepping = stepping.of(self._optimizer, spec.step, own)
        self.needs_closure = self._stepping.protocol == "closure"
        self._step_arguments: dict[str, Any] = (
            {"evaluate": self._evaluate} if takes_evaluation else {}
        )
        self._take_step = self._stepper()
        self.iterate: Callable[[], None] = (
            self._iterate_with_closure if self.needs_closure else self._iterate
        )

    def draw(self) -> None:
        """Draw the next mini-batch: the phase ``data``."""
        self._inputs, self._targets = next(self._batches)

    def forward(self) -> None:
        """Zero the gradients, evaluate model and loss: the phase ``forward``."""
        self._optimizer.zero_grad()
        if self._step_arguments:
            self._began = _generator_states(self._inputs.device)
        self._outputs = self._model(self._inputs)
        self._loss = self._loss_fn(self._outputs, self._targets)

    def backward(self) -> None:
        """Differentiate, and compute the curvature if the optimizer needs one: ``backward``."""
        with self._context():
            if not self._stepping.create_graph:
                self._loss.backward()
                return
            with warnings.catch_warnings():  # that it leaks, which zero_grad prevents
                warnings.filterwarnings("ignore", message="Using backward.. with create_graph")
                self._loss.backward(create_graph=True)

    def step(self) -> None:
        """Update the parameters: the phase ``step``, but for what a closure does in it."""
        try:
            self._take_step()
        except Exception as error:
            if hint := stepping.hint(error, self._stepping, self._label):
                error.add_note(HINT + hint)
            raise

    def judge(self) -> None:
        """Note the mini-batch's accuracy and let its graph go; outside the clock."""
        if self._metric is accuracy and self._outputs.numel() <= _FEW:
            # For many at once when they are read: one by one they cost more than all else here.
            self.accuracies.append((self._outputs.detach(), self._targets))
        elif self._metric is not None:
            with torch.no_grad():
                self.accuracies.append(self._metric(self._outputs, self._targets))
        self._outputs = self._loss = _NOTHING

    def read_accuracies(self) -> list[float]:
        """The mini-batch accuracies since the last call."""
        noted, self.accuracies = self.accuracies, []
        later = [one for one in noted if isinstance(one, tuple)]
        if later and len(later) == len(noted) and later[0][0].ndim == 2:
            outputs, targets = (torch.stack(parts) for parts in zip(*later, strict=True))
            # The first of equal ones, as argmax has it, at half of its time.
            return (outputs.max(2).indices == targets).double().mean(1).tolist()
        each = [accuracy(*one) if isinstance(one, tuple) else one for one in noted]
        return torch.stack(each).double().tolist() if each else []

    @contextlib.contextmanager
    def evaluating(self, *, stepped: bool) -> Iterator[None]:
        """Have the model as it is judged: it, and an optimizer that averages, in evaluation mode.

        Afterwards parameters and the optimizer's tensors are what they were, bit for bit, also
        where the optimizer's way there and back rounds.

        Args:
            stepped: Whether there was a step: before it, an optimizer has averaged nothing.
        """
        training, switching = self._model.training, stepped and self._switches
        own = [getattr(self._optimizer, "state", {}), self._optimizer.param_groups]
        kept = {one: one.detach().clone() for one in _tensors(own)} if switching else {}
        self._model.eval()
        try:
            if switching:
                self._enter_mode("eval")
            yield
        finally:
            if switching:
                self._enter_mode("train")
            with torch.no_grad():
                for tensor, before in kept.items():
                    tensor.copy_(before)
            self._model.train(training)

    @contextlib.contextmanager
    def within(self, phase: str, around: Callable[[Callable[[], None]], None]) -> Iterator[None]:
        """Run a phase within something else for a while, as within a count or beside a delay.

        Args:
            phase: The method: ``draw``, ``forward``, ``backward`` or ``step``.
            around: Is called in its place, with what runs it.
        """
        # An attribute of the instance hides the class's method: outside, there is nothing to ask.
        setattr(self, phase, functools.partial(around, getattr(self, phase)))
        try:
            yield
        finally:
            delattr(self, phase)

    def _evaluate(self) -> tuple[Tensor, Tensor]:
        """Loss and outputs of the present mini-batch, for a step that asks: part of ``step``.

        What draws at random, as dropout, draws what it drew in the forward pass; the generators
        then go on as if nothing had been evaluated.
        """
        device = self._inputs.device
        states = _generator_states(device)
        _set_generators(device, self._began)
        try:
            outputs = self._model(self._inputs)
            return self._loss_fn(outputs, self._targets), outputs
        finally:
            _set_generators(device, states)

    def _enter_mode(self, mode: Literal["train", "eval"]) -> None:
        """Enter a mode of the optimizer."""
        getattr(self._optimizer, mode)()

    def _stepper(self) -> Callable[[], Any]:
        """What takes a step by the optimizer's protocol."""
        step: Callable[..., Any] = self._optimizer.step
        protocol, arguments = self._stepping.protocol, self._step_arguments
        handed: Callable[[], Any]
        if protocol == "plain":
            return lambda: step(**arguments)
        if protocol != "loss":
            name, handed = "closure", lambda: self._closure
        elif stepping.takes(self._optimizer, "loss"):
            name, handed = "loss", lambda: self._loss.detach()
        else:
            name, handed = "closure", lambda: self._loss.item
        if stepping.by_keyword(self._optimizer, name):
            return lambda: step(**{name: handed()}, **arguments)
        return lambda: step(handed(), **arguments)

    def _closure(self) -> Tensor:
        """Evaluate and differentiate within a step, in the phases ``forward`` and ``backward``.

        What is noted and judged is the mini-batch where the step began.
        """
        begun, clock = (self._outputs, self._loss), self._clock
        with torch.enable_grad():
            outer = clock.switch(FORWARD)
            self.forward()
            loss = self._loss
            if begun[0] is _NOTHING:
                self.losses.append(loss.detach())
            clock.switch(BACKWARD)
            self.backward()
            clock.switch(outer)
        if begun[0] is not _NOTHING:
            self._outputs, self._loss = begun
        return loss

    def _iterate(self) -> None:
        clock = self._clock
        clock.start()
        self.draw()
        clock.switch(FORWARD)
        self.forward()
        self.losses.append(self._loss.detach())
        clock.switch(BACKWARD)
        self.backward()
        clock.switch(STEP)
        self.step()
        clock.stop()
        self.judge()

    def _iterate_with_closure(self) -> None:
        clock = self._clock
        clock.start()
        self.draw()
        clock.switch(STEP)
        self.step()
        clock.stop()
        if self._outputs is _NOTHING:
            raise RuntimeError(f"{type(self._optimizer).__name__}.step did not call its closure")
        self.judge()


def _has_modes(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer judges other weights than it trains, as schedule-free ones do."""
    return all(callable(getattr(optimizer, mode, None)) for mode in ("train", "eval"))


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors in nested lists and mappings."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping):
            yield from _tensors(value.values())
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _generator_states(device: torch.device) -> list[Tensor]:
    """States of torch's global generators: the CPU's, and the device's own if there is one."""
    cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *cuda]


def _set_generators(device: torch.device, states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state, device)
