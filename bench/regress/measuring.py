"""What the process of a benchmark does: it builds it from its side's code and times blocks."""

import contextlib
import itertools
import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from bench.errors import UnknownNameError, UsageError
from bench.machine import allocator, environment
from bench.runs.spec import RunSpec
from bench.training.clock import PhaseClock, phase_clock
from bench.training.iteration import Training
from bench.training.prepare import prepare
from optimizers import REGISTRY
from optimizers.spec import OptimizerSpec

HARNESS = Path(__file__).resolve().parents[2]  # where this code lies: the same for both sides
_PREFIXES = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)]


def preload() -> None:
    """Import what the first optimizer of a process makes torch import: longer than torch itself."""
    torch.optim.Optimizer([torch.zeros(1)], {})


class Measuring:
    """One benchmark in training, continued from block to block; or what is said of a side at all.

    Nothing else is measured in its process.
    """

    def __init__(self, setup: Mapping[str, Any]) -> None:
        """Build the benchmark.

        Args:
            setup: ``paths`` (the side's folders), ``others`` (the other side's), ``tuned`` (whether
                to tune the allocator), ``benchmarks`` (fields of ``RunSpec``) and ``benchmark``,
                that of this process if it has one.
        """
        if setup["tuned"]:
            allocator.tune()
        self._paths = [Path(path).resolve() for path in setup["paths"]]
        self._others = [Path(path).resolve() for path in setup["others"]]
        self._listed = not setup["benchmarks"]
        self._training: tuple[Training, PhaseClock[Any]]
        fields = setup["benchmark"]
        self._state = None if fields is None else self._build(RunSpec(**fields))

    def describe(self) -> dict[str, Any]:
        """What this process holds, or what the side runs on.

        A benchmark is ``{"missing": why}``, ``{"error": why}`` with a ``traceback`` if its code
        raised, or what it runs on: ``own`` (whether any of its code comes from the side's folders),
        ``needs_closure``, ``device``, ``data`` and ``threads``. Where the side is asked for no
        benchmarks, ``optimizers`` are the registered ones whose code comes from its folders.
        """
        if self._state is not None:
            return self._state
        return {
            "optimizers": self._own_optimizers() if self._listed else [],
            "versions": environment.library_versions(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        }

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Time a block, or survey some iterations, or say what went wrong."""
        given = {name: value for name, value in request.items() if name != "benchmark"}
        try:
            if "loaded" in given:
                return {"files": self._loaded()}
            if "survey" in given:
                return self._survey(given["survey"])
            return {"phases_s": self._block(**given)}
        except (Exception, SystemExit) as error:
            return self._told(error)

    def _told(self, error: BaseException) -> dict[str, Any]:
        """An error of the code under test in one line, with its place, and the whole traceback."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [*str(error).splitlines(), (frames[-1].line or "") if frames else ""]
        said = next((line.strip() for line in lines if line.strip()), "")
        own = [frame for frame in frames if _lies_in(frame.filename, self._paths)]
        place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
        return {
            "error": f"{type(error).__name__}: {said}{place}",
            "traceback": "".join(traceback.format_exception(error)),
        }

    def _build(self, spec: RunSpec) -> dict[str, Any]:
        try:
            prepared = prepare(spec)
            device = torch.device(prepared.resolved.device)
            train = prepared.problem.train.to(device, getattr(torch, spec.dtype))
            clock = phase_clock(device)
            training = Training(prepared, train, clock)
            own = self._comes_from_here(
                [
                    *_references(str(spec.optimizer), prepared.optimizer),
                    *([problem.partition(":")[0]] if ":" in (problem := str(spec.problem)) else []),
                    prepared.builder.__module__,
                ]
            )
            self._require_no_stranger()
        except UnknownNameError as error:
            return {"missing": str(error)}
        except UsageError as error:
            return {"error": str(error)}
        except (Exception, SystemExit) as error:
            return self._told(error)
        self._training = training, clock
        return {
            "own": own,
            "needs_closure": training.needs_closure,
            "device": prepared.resolved.device,
            "data": prepared.problem.source.detail,
            "threads": torch.get_num_threads(),
        }

    def _block(
        self, warm: int, iterations: int, delay: tuple[str, float] | None
    ) -> list[list[float]]:
        """Seconds per phase of each iteration of a block.

        The first ``warm`` iterations bring the caches and threads back and do not count.
        """
        training, clock = self._training
        with _delayed(training, *delay) if delay else contextlib.nullcontext():
            for _ in range(warm + iterations):
                training.iterate()
        rows = clock.read()[warm:]
        _require_finite(training)
        return rows

    def _survey(self, iterations: int) -> dict[str, Any]:
        """How many of torch's operations Python calls in each iteration, and its seconds per phase.

        Drawing mini-batches does not count: it does more at the end of an epoch.
        """
        training, clock = self._training
        counter = _Counter()

        def uncounted(draw: Callable[[], None]) -> None:
            before = counter.calls
            draw()
            counter.calls = before

        totals = [0]
        with counter, training.within("draw", uncounted):
            for _ in range(iterations):
                training.iterate()
                totals.append(counter.calls)
        rows = clock.read()
        counts = [after - before for before, after in itertools.pairwise(totals)]
        _require_finite(training)
        self._require_no_stranger()  # by now it has imported what it imports
        return {"operations": counts, "phases_s": rows}

    def _loaded(self) -> list[str]:
        """Files of this side's folders that this process has imported, or mapped as libraries."""
        maps = Path("/proc/self/maps")
        lines = maps.read_text().splitlines() if maps.is_file() else []
        files = {"/" + line.partition("/")[2] for line in lines if line.endswith(".so")}
        for module in list(sys.modules.values()):
            if isinstance(file := getattr(module, "__file__", None), str):
                files.add(file)
        return sorted(file for file in files if _lies_in(file, self._paths))

    def _require_no_stranger(self) -> None:
        """Notice any module that came from the other side.

        Raises:
            UsageError: One did, by whatever way.
        """
        strange: dict[Path, bool] = {}  # by folder: there are far fewer of them than modules
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            top = name.partition(".")[0]
            if not isinstance(file, str) or _is_harness(top):
                continue  # without a file, or the same for both sides
            folder = Path(file).parent
            if folder not in strange:
                theirs = _lies_in(folder, self._others)
                fine = [*self._paths, HARNESS / "bench"]
                strange[folder] = theirs and not _lies_in(folder, fine)
            if strange[folder]:
                raise UsageError(
                    f"Module '{name}' was imported from {file}, which is the other side's code: "
                    "take that folder off the path (PYTHONPATH, or an editable installation)."
                )

    def _own_optimizers(self) -> list[str]:
        names = [*REGISTRY.entries, *(point.name for point in REGISTRY.installed())]
        own = []
        for name in names:
            try:
                if self._comes_from_here(_references(name, REGISTRY.get(name))):
                    own.append(name)
            except UsageError:
                continue  # a broken plug-in of somebody else's, which nobody asked for
        return own

    def _comes_from_here(self, modules: Sequence[str]) -> bool:
        """Whether any of these modules lies in the side's folders.

        Raises:
            UsageError: A module was imported from the other side, or from somewhere else although
                the side's folders hold it.
        """
        found = False
        for name in dict.fromkeys(modules):
            top = name.partition(".")[0]
            file = getattr(sys.modules.get(name), "__file__", None)
            if file is None or top == "bench":
                continue  # built in, or the same for both sides
            inside = _lies_in(file, self._paths)
            if not inside and _is_harness(top):
                continue
            held = any(
                (path / top / "__init__.py").is_file() or (path / f"{top}.py").is_file()
                for path in self._paths
            )
            if not inside and (held or _lies_in(file, self._others)):
                raise UsageError(
                    f"Module '{name}' was imported from {file}, not from this side's "
                    f"{self._paths[0]}: work in the folder that it is imported from, or take the "
                    "other copy off the path."
                )
            found |= inside
        return found


class _Counter(TorchFunctionMode):
    """Counts the calls of torch's functions and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _require_finite(training: Training) -> None:
    last = training.losses[-1].item()
    training.losses.clear()
    training.accuracies.clear()
    if not math.isfinite(last):
        raise FloatingPointError(f"the loss became {last}: choose settings that converge")


def _lies_in(file: str | Path, folders: Sequence[Path]) -> bool:
    """Whether a file, or a folder, is of these folders and not of an environment within them."""
    path = Path(file).resolve()
    for folder in folders:
        if path.is_relative_to(folder):
            inner = [prefix for prefix in _PREFIXES if folder in prefix.parents]
            return not (
                {"site-packages", "dist-packages"} & {*path.relative_to(folder).parts}
                or any(path.is_relative_to(prefix) for prefix in inner)
            )
    return False


def _is_harness(package: str) -> bool:
    """Whether it is ``optimizers`` as loaded from beside the harness."""
    file = getattr(sys.modules.get(package), "__file__", None)
    return package == "optimizers" and file is not None and _lies_in(file, [HARNESS / package])


def _references(name: str, optimizer: OptimizerSpec) -> list[str]:
    """The modules behind an optimizer: where its name leads, its class and its curvature."""
    modules = [name.partition(":")[0]] if ":" in name else []
    for target in (optimizer.factory, optimizer.curvature):
        if isinstance(target, str):
            modules.append(target.partition(":")[0])
    for item in (optimizer.load_factory(), optimizer.load_curvature()):
        modules.append(getattr(item, "__module__", None) or "builtins")
    return modules


def _delayed(
    training: Training, phase: str, seconds: float
) -> contextlib.AbstractContextManager[None]:
    """Make a phase longer for a while, by a time spent busily: sleeping is not exact."""

    def delayed(run: Callable[[], None]) -> None:
        run()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    return training.within(phase, delayed)
