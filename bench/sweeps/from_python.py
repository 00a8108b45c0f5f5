"""A sweep from Python: what ``optbench sweep`` and ``optbench recommend`` take, as values."""

import contextlib
import logging
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.errors import UsageError, WorkersError
from bench.problems import REGISTRY as PROBLEM_REGISTRY
from bench.runs import store
from bench.runs.record import RunRecord
from bench.runs.settings import parse_value, setting_key
from bench.runs.spec import TUTORIAL_ITERATIONS, called
from bench.support.text import shorten
from bench.sweeps import advice, file, local, outcome, worker
from bench.sweeps.experiment import Cell, Experiment
from bench.sweeps.grid import parse_axis
from bench.sweeps.outcome import Outcome
from bench.sweeps.sweep import Sweeper
from bench.sweeps.workers import Pool
from bench.training.tasks import Conditions
from optimizers import REGISTRY as OPTIMIZER_REGISTRY
from optimizers import OptimizerSpec
from optimizers.plugins import Registry

Optimizer = str | Callable[..., Any] | OptimizerSpec
_LOG = logging.getLogger(__name__)


def sweep(
    *,
    problem: str | Callable[..., Any] = "mnist_cnn",
    optimizers: Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer] = "diag_ggn_mc",
    grid: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    seeds: int | Iterable[int] = 3,
    iterations: int = TUTORIAL_ITERATIONS,
    objective: str = "val_loss",
    strategy: str = "grid",
    trials: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    dtype: str = "float32",
    curvature_every: int = 20,
    data_root: str | None = None,
    jobs: int = 1,
    results: str | Path = "results",
    fresh: bool = False,
) -> Outcome:
    """Try settings over seeds, judged on the validation split; what is stored is not run again.

    With one job the runs take place in this process, one after the other, and a logger says of each
    that it has ended. With several they do in processes of their own, one thread each: then problem
    and optimizers are names, or defined in a module that these can import.

    Args:
        problem: As in ``RunSpec``.
        optimizers: One or several, as in ``RunSpec``, or by label.
        grid: By ``key`` or ``label.key`` of a hyperparameter its values, or a range as the command
            line writes it, such as ``"1e-4:1e2:log7"``. What a label has no key of is tried on its
            registered search space.
        settings: Hyperparameters that are the same everywhere, by ``key`` or ``label.key``.
        seeds: How many, or which.
        iterations: Budget of a run.
        objective: ``val_loss``, ``val_accuracy``, ``train_loss`` or ``time_to(val_accuracy=0.95)``.
        strategy: ``grid``, ``halving`` or ``tpe``.
        trials: With ``tpe``, how many settings per optimizer.
        batch_size: As in ``RunSpec``.
        device: As in ``RunSpec``.
        dtype: As in ``RunSpec``.
        curvature_every: As in ``RunSpec``.
        data_root: As in ``RunSpec``.
        jobs: Runs at a time.
        results: The results folder.
        fresh: Run everything, whatever is stored.

    Returns:
        What was found, for :func:`recommended`; ``failed`` has the runs that failed, ``refused``
        why optimizers are not for this problem, by label.

    Raises:
        UsageError: A value that breaks its rule, or a run that cannot begin; nothing was run then.
        WorkersError: The processes cannot go on; what is finished is stored.
    """
    from bench.training.identity import is_importable, reference  # needs torch

    named = _named(optimizers)
    names = {label: reference(one) for label, one in named.items()}
    what = Experiment(
        problem=reference(problem),
        optimizers=tuple(
            name if label == name else f"{label}={name}" for label, name in names.items()
        ),
        grid=tuple(_axis(key, values) for key, values in (grid or {}).items()),
        settings=tuple(_assignment(key, value) for key, value in (settings or {}).items()),
        seeds=str(seeds) if isinstance(seeds, int) else ",".join(f"{one}-{one}" for one in seeds),
        iterations=iterations,
        objective=objective,
        strategy=strategy,
        trials=trials,
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        curvature_every=curvature_every,
    )
    if jobs < 1:
        raise UsageError(f"jobs={jobs} is not valid: it is a whole number >= 1.")
    if jobs > 1 and what.judged_by.timed:
        raise UsageError(
            f"jobs={jobs} is not valid with objective '{objective}': runs side by side take each "
            "other's time. Take jobs=1."
        )
    if jobs > 1:
        for name in (what.problem, *names.values()):
            if not is_importable(name):
                raise UsageError(
                    f"jobs={jobs} is not valid with {name}, which other processes cannot import: "
                    "define it in a module, or take jobs=1."
                )
    launch = uuid.uuid4().hex
    pool: Pool = (
        _ThisProcess(launch) if jobs == 1 else local.LocalPool(jobs, launch, local.gpus(device))
    )
    finished = False
    try:
        with _known(named.values(), problem):
            record = Sweeper(
                experiment=what,
                pool=pool,
                conditions=Conditions(
                    session=what.name,
                    threads=None if jobs == 1 else 1,
                    shared=pool.shared,
                    tuned=jobs > 1,  # a process of the user's is left as it is
                    isolated=jobs > 1,
                    launch=launch,
                ),
                results=Path(results),
                data_root=data_root,
                fresh=fresh,
                observer=_Log(),
            ).run(command="bench.sweep")
        finished = True
    finally:
        pool.close(at_once=not finished)
    return outcome.gather(record, store.Index(Path(results)).executions)


def recommended(
    sweep: Outcome | str | Path = "results", name: str | None = None
) -> dict[str, dict[str, Any]]:
    """The recommended settings of a sweep: the centre of each plateau, not the luckiest cell.

    What to know before relying on them is told in warnings; why it is these, and how far they can
    move, in the report.

    Args:
        sweep: What :func:`sweep` returns, or a results folder.
        name: Of a results folder, which sweep; the latest if ``None``.

    Returns:
        By label, hyperparameters for a ``RunSpec``. A label without a recommendation is absent.

    Raises:
        UsageError: There is no such sweep.
    """
    if not isinstance(sweep, Outcome):
        folder = Path(sweep)
        record = file.read(file.find(folder, name))
        sweep = outcome.gather(record, store.Index(folder).executions)
    fixed = {arm.label: arm.fixed for arm in sweep.record.arms}
    found = {}
    for text in sweep.refused.values():
        warnings.warn(text, stacklevel=2)
    for one in advice.advise(sweep):
        for text in one.found.warnings:
            warnings.warn(text, stacklevel=2)
        if one.found.chosen is not None:
            found[one.label] = {**fixed[one.label], **one.found.chosen.settings}
    return found


def _named(
    optimizers: Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer],
) -> dict[str, Optimizer]:
    """Optimizers by label."""
    if isinstance(optimizers, Mapping):
        return dict(optimizers)
    if isinstance(optimizers, str) or not isinstance(optimizers, Sequence):
        optimizers = [optimizers]
    found: dict[str, Optimizer] = {}
    for one in optimizers:
        if (label := called(one)) in found:
            raise UsageError(f"Two optimizers are called '{label}': give them by label, in a dict.")
        found[label] = one
    return found


def _axis(key: str, values: Any) -> str:
    """An axis as the command line writes it."""
    if isinstance(values, str):
        return f"{key}={values}"
    given = list(values) if isinstance(values, Iterable) else [values]
    nested = any(isinstance(value, (list, tuple)) for value in given)
    texts = [_text(value) for value in given]
    written = f"{key}={''.join(f'{text};' for text in texts) if nested else ','.join(texts)}"
    if setting_key(parse_axis(written)[1].values) != setting_key(given):
        raise UsageError(f"grid={{'{key}': {values!r}}} is not valid: {_RULE}.")
    return written


def _assignment(key: str, value: Any) -> str:
    """A setting as the command line writes it."""
    if setting_key(parse_value(_text(value))) != setting_key(value):
        raise UsageError(f"settings={{'{key}': {value!r}}} is not valid: {_RULE}.")
    return f"{key}={_text(value)}"


_RULE = "values are numbers, words, true, false, none, or tuples of these"


def _text(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return str(value)
    return ",".join(map(str, value)) + ("," if len(value) == 1 else "")


@contextlib.contextmanager
def _known(optimizers: Iterable[Optimizer], problem: str | Callable[..., Any]) -> Iterator[None]:
    """Let what is given itself be found by the name that it is stored under."""
    from bench.training.identity import reference

    given: list[tuple[Registry[Any], Any]] = [(OPTIMIZER_REGISTRY, one) for one in optimizers]
    with contextlib.ExitStack() as stack:
        for registry, one in [*given, (PROBLEM_REGISTRY, problem)]:
            name = reference(one)
            if not isinstance(one, str) and name not in registry.entries:
                registry.entries[name] = registry.adopt(name, one)
                stack.callback(registry.entries.pop, name)
        yield


class _ThisProcess:
    """A pool without workers: each call is made here, at once."""

    lost: tuple[type[BaseException], ...] = ()
    shared = remote = False
    width = 1

    def __init__(self, launch: str) -> None:
        """Know the launch of the conditions under which calls are made."""
        self._launch = launch

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Make a call; Ctrl-C ends it and the sweep."""
        from bench.training import untouched  # needs torch

        future: Future[Any] = Future()
        untouched.at_first()
        before = untouched.now()
        try:
            result = function(*arguments)
            if changes := untouched.changed(before):
                raise WorkersError(
                    "A run changed for this whole process, and is not stored: "
                    f"{shorten(', '.join(changes), 200)}. Restart, and take jobs=2."
                )
        except Exception as error:  # the sweep knows what to do with it
            future.set_exception(error)
            return future
        if isinstance(result, RunRecord) and result.status == "interrupted":
            raise KeyboardInterrupt
        future.set_result(result)
        return future

    def close(self, *, at_once: bool) -> None:
        """Let go of it."""
        worker.forget(self._launch)


class _Log:
    """Satisfies ``bench.sweeps.sweep.Observer``."""

    def planned(self, runs: Sequence[tuple[Cell, RunRecord]], stored: int) -> None:
        """These runs come next."""
        _LOG.info("%d runs to go, %d are stored", len(runs), stored)

    def reused(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        """A run was stored before, or cannot begin."""

    def finished(self, cell: Cell, record: RunRecord, score: float | str) -> None:
        """A run ended and is stored."""
        _LOG.info("%s: %s", cell, score)
