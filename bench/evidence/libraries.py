"""Every optimizer of other libraries: the command against a loop by hand, bit by bit.

Each exported ``torch.optim.Optimizer`` subclass that trains dense parameters in one process is run
by ``optbench run`` on ``mnist_mlp``, and by a loop that follows its library's own documentation
with the same seeds and mini-batches. Losses and evaluations are compared to the bit. The libraries
are this script's own: install those that are to be tried. Around an evaluation the loop by hand
keeps parameters and puts them back, as the harness does, since the way there and back may round.

    python -m bench.evidence.libraries --output results/reference/libraries
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import inspect
import io
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bench.problems.data import batch_indices
from bench.runs import store
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.training.prepare import Prepared, prepare
from bench.training.seeding import initial_model, seed_globally, stream_seed

LIBRARIES = {
    "torch.optim": "torch",
    "pytorch_optimizer": "pytorch_optimizer",
    "torch_optimizer": "torch-optimizer",
    "schedulefree": "schedulefree",
    "heavyball": "heavyball",
    "dadaptation": "dadaptation",
    "prodigyopt": "prodigyopt",
    "lion_pytorch": "lion-pytorch",
    "optimi": "torch-optimi",
    "adam_atan2_pytorch": "adam-atan2-pytorch",
    "muon": "muon-optimizer",
    "came_pytorch": "came-pytorch",
}
COMPOSITE = "optimizers:Composite"
PROBLEM, ITERATIONS, EVERY = "mnist_mlp", 20, 10

# What is no optimizer of dense parameters in one process.
LEFT_OUT = {
    "torch.optim:SparseAdam": "sparse gradients",
    "muon:Muon": "needs a process group",
    "muon:MuonWithAuxAdam": "needs a process group",
    "heavyball:PSGDBase": "a base class",
    "heavyball:SOAPBase": "a base class",
    "heavyball:SplitOpt": "combines optimizers of groups that its user makes",
    "pytorch_optimizer:DeMo": "needs a process group",
    "pytorch_optimizer:DistributedMuon": "needs a process group",
    "pytorch_optimizer:PCGrad": "several losses",
    "pytorch_optimizer:SafeFP16Optimizer": "half precision",
}
SGD = "torch.optim:SGD"
SETTINGS: dict[str, dict[str, Any]] = {
    "came_pytorch:CAME": {"lr": 1e-3},
    "pytorch_optimizer:BSAM": {"num_data": 4000},
    "pytorch_optimizer:FriendlySAM": {"base_optimizer": SGD, "lr": 0.1},
    "pytorch_optimizer:LookSAM": {"base_optimizer": SGD, "lr": 0.1},
    "pytorch_optimizer:Lookahead": {"optimizer": f"{SGD}(lr=0.1)"},
    "pytorch_optimizer:Magma": {"optimizer": f"{SGD}(lr=0.1)"},
    "pytorch_optimizer:OrthoGrad": {"optimizer": f"{SGD}(lr=0.1)"},
    "pytorch_optimizer:Ranger21": {"num_iterations": ITERATIONS},
    "pytorch_optimizer:SAM": {"base_optimizer": SGD, "lr": 0.1},
    "pytorch_optimizer:ScheduleFreeWrapper": {"optimizer": f"{SGD}(lr=0.1)"},
    "pytorch_optimizer:TRAC": {"optimizer": f"{SGD}(lr=0.1)"},
    "pytorch_optimizer:WSAM": {"base_optimizer": SGD, "lr": 0.1},
    "torch_optimizer:Lookahead": {"optimizer": f"{SGD}(lr=0.1)"},
    **{
        f"optimi:{name}": {"lr": 1e-3}
        for name in ("Adam", "AdamW", "Adan", "Lion", "RAdam", "Ranger", "SGD", "StableAdamW")
    },
}
# Matrices by Muon and the rest by the Adam that comes with it, as their documentation has it.
FLAGGED = {
    "muon:SingleDeviceMuonWithAuxAdam",
    *(f"pytorch_optimizer:{n}" for n in ("AdaGO", "AdaMuon", "Muon", "MuonClip", "NorMuon")),
}
GROUPS = ("ndim>=2: use_muon=true", "*: use_muon=false")
# Matrices by it and the rest by AdamW, since it takes nothing else.
COMPOSED = {"muon:SingleDeviceMuon", "pytorch_optimizer:SpectralSphere", "torch.optim:Muon"}
MATRICES = "ndim>=2"
MODELESS = {"heavyball:SAMWrapper"}  # hands its modes on to an optimizer that has none
# By hand: how the libraries' documentation takes a step, where it is not the plain way.
CLOSURE, GRADIENT_FIRST, LOSS, GRAPH = "closure", "gradient first", "loss", "graph"
DOCUMENTED = {
    "torch.optim:LBFGS": CLOSURE,
    "pytorch_optimizer:LBFGS": CLOSURE,
    "heavyball:SAMWrapper": CLOSURE,
    "pytorch_optimizer:AdaHessian": GRAPH,
    "pytorch_optimizer:AliG": LOSS,
    "pytorch_optimizer:BSAM": CLOSURE,
    "pytorch_optimizer:FriendlySAM": GRADIENT_FIRST,
    "pytorch_optimizer:LookSAM": GRADIENT_FIRST,
    "pytorch_optimizer:SAM": GRADIENT_FIRST,
    "pytorch_optimizer:SophiaH": GRAPH,
    "pytorch_optimizer:WSAM": CLOSURE,
    "schedulefree:AdamWScheduleFreeClosure": CLOSURE,
    "schedulefree:RAdamScheduleFreeClosure": CLOSURE,
    "schedulefree:SGDScheduleFreeClosure": CLOSURE,
    "torch_optimizer:Adahessian": GRAPH,
}


def exported(library: str) -> list[str]:
    """References to the optimizers that a library exports, each class once."""
    module, found = importlib.import_module(library), dict[int, str]()
    for name in dir(module):
        item = getattr(module, name)
        is_one = inspect.isclass(item) and issubclass(item, torch.optim.Optimizer)
        if is_one and item is not torch.optim.Optimizer:
            found.setdefault(id(item), f"{library}:{name}")
    return [name for name in found.values() if name not in LEFT_OUT]


def by_command(names: list[str], folder: Path) -> dict[str, RunRecord | str]:
    """What ``optbench run`` makes of them, by reference: a record, or the line that refused it."""
    labels = {f"o{index}": name for index, name in enumerate(names)}
    command = [
        *(sys.executable, "-m", "bench", "run", "-p", PROBLEM, "--seeds", "1", "--warmup", "1"),
        *("--iterations", str(ITERATIONS), "--eval-every", str(EVERY)),
        *("--results", str(folder), "-o"),
        ",".join(f"{k}={COMPOSITE if v in COMPOSED else v}" for k, v in labels.items()),
    ]
    for label, name in labels.items():
        if name in COMPOSED:
            for assignment in (f"hidden={name}", f"select={MATRICES}"):
                command += ["--set", f"{label}.{assignment}"]
        for key, value in SETTINGS.get(name, {}).items():
            command += ["--set", f"{label}.{key}={value}"]
        if name in FLAGGED:
            for group in GROUPS:
                command += ["--group", f"{label}={group}"]
    said = []
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if line.startswith("Measuring the peak memory"):  # all is stored that is wanted
                process.send_signal(signal.SIGINT)
    records = [one for one in store.load(folder) if one.role == "training"]
    if not records:  # one that lacks a setting ends all: the others without it
        refused = next((name for name in names if f"'{name}'" in said[-1]), None)
        if refused is None:
            raise RuntimeError("".join(said[-20:]))
        others = [name for name in names if name != refused]
        return {refused: said[-1].strip()} | by_command(others, folder)
    return {labels[one.label]: one for one in records}


def by_hand(name: str) -> tuple[list[float], list[float]]:
    """The losses and the held-out losses of a loop as the library's documentation has it."""
    prepared = prepare(RunSpec(problem=PROBLEM, optimizer="sgd", device="cpu"))
    problem, seed = prepared.problem, 0
    assert problem.held_out is not None
    data = problem.held_out
    model, loss_fn = initial_model(problem, seed), problem.make_loss()
    optimizer, *others = _built(name, model)
    seed_globally(stream_seed(seed, "training"))
    batches = _batches(prepared, seed)
    how, averages = DOCUMENTED.get(name, ""), name not in MODELESS and hasattr(optimizer, "eval")
    losses, held_out = list[float](), list[float]()

    def evaluate() -> None:
        kept = [p.detach().clone() for p in model.parameters()]
        switch = averages and bool(losses)
        model.eval()
        if switch:
            optimizer.eval()
        with torch.no_grad():
            found = problem.evaluate(model, loss_fn, data)
        held_out.append(float(found["loss"]))
        if switch:
            optimizer.train()
        model.train()
        with torch.no_grad():
            for p, before in zip(model.parameters(), kept, strict=True):
                p.copy_(before)

    if averages:
        optimizer.train()
    evaluate()
    for iteration in range(ITERATIONS):
        inputs, targets = next(batches)
        seen = list[float]()
        for other in others:
            other.zero_grad()

        def closure(inputs: Any = inputs, targets: Any = targets, seen: Any = seen) -> Any:
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = loss_fn(model(inputs), targets)
                loss.backward(create_graph=how == GRAPH)
            seen.append(loss.item())
            return loss

        if how == CLOSURE:
            optimizer.step(closure)
        elif how == GRADIENT_FIRST:
            closure()
            optimizer.step(closure)
        else:
            closure()
            optimizer.step(*([lambda seen=seen: seen[0]] if how == LOSS else []))
        for other in others:
            other.step()
        losses.append(seen[0])
        if (iteration + 1) % EVERY == 0:
            evaluate()
    return losses, held_out


def _batches(prepared: Prepared, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    train = prepared.problem.train
    size = prepared.problem.batch_size
    for indices in batch_indices(len(train), size, stream_seed(seed, "batches"), train.device):
        yield train.batch(indices)


def _built(name: str, model: torch.nn.Module) -> list[Any]:
    library, _, attribute = name.partition(":")
    kind: Callable[..., Any] = getattr(importlib.import_module(library), attribute)
    settings = {k: v for k, v in SETTINGS.get(name, {}).items() if k != "base_optimizer"}
    parameters = list(model.parameters())
    matrices = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    if name in COMPOSED:
        return [kind(matrices, **settings), torch.optim.AdamW(others)]
    if name in FLAGGED:
        flagged = [(matrices, True), (others, False)]
        return [kind([{"params": own, "use_muon": flag} for own, flag in flagged], **settings)]
    if "optimizer" in settings:
        return [kind(torch.optim.SGD(parameters, lr=0.1))]
    if "base_optimizer" in SETTINGS.get(name, {}):
        first = [model, parameters] if attribute == "WSAM" else [parameters]
        return [kind(*first, torch.optim.SGD, **settings)]
    first_name = next(iter(inspect.signature(kind).parameters))
    return [kind(model if first_name == "model" else parameters, **settings)]


def compared(name: str, record: RunRecord | str) -> dict[str, Any]:
    """A row of the table: how the command ended, and whether both agree to the bit."""
    row: dict[str, Any] = {"optimizer": name, "status": "refused", "agree": "", "note": ""}
    if isinstance(record, str):
        return row | {"note": record[:200]}
    row |= {"status": record.status, "note": record.reason[:200]}
    if record.status not in ("completed", "diverged"):
        return row
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            losses, held_out = by_hand(name)
    except Exception as error:  # whatever a library raises is what the table is to tell
        return row | {"agree": "no", "note": f"by hand: {type(error).__name__}: {error}"[:200]}
    mine = np.asarray(record.values["loss"])
    judged = np.asarray([one["loss"] for one in record.evaluations])
    same = np.array_equal(mine, losses[: len(mine)], equal_nan=True)
    alike = np.array_equal(judged, held_out[: len(judged)], equal_nan=True)
    if not same:
        first = int(np.argmin(mine == losses[: len(mine)]))
        row["note"] = f"losses differ from iteration {first}: {mine[first]!r}, {losses[first]!r}"
    elif not alike:
        row["note"] = f"evaluations differ: {judged.tolist()}, {held_out}"
    return row | {"agree": "yes" if same and alike else "no"}


def main() -> None:
    """Try what is installed, print sums and what differs, keep a table of each library."""
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # heavyball compiles each of its optimizers for minutes
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    for library in options.only:
        try:
            names = exported(library)
        except ImportError as error:
            print(f"{library} is left out: {error}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            records = by_command(names, Path(folder))
            found = [compared(name, records[name]) for name in names]
        version = importlib.metadata.version(LIBRARIES[library])
        found = [{"library": f"{LIBRARIES[library]} {version}", **row} for row in found]
        rows += found
        if options.output is not None:
            options.output.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(found).to_csv(options.output / f"{LIBRARIES[library]}.csv", index=False)
        ended = sum(row["status"] in ("completed", "diverged") for row in found)
        agree = sum(row["agree"] == "yes" for row in found)
        print(f"{library} {version}: of {len(found)}, {ended} complete, {agree} agree", flush=True)
    table = pd.DataFrame(rows)
    done = table["status"].isin(["completed", "diverged"])
    print(
        f"Of {len(table)} optimizers, {done.sum()} complete ({done.mean():.1%}), "
        f"{(table['agree'] == 'yes').sum()} agree."
    )
    print(
        table[table["agree"] != "yes"]
        .drop(columns="library")
        .to_string(index=False, max_colwidth=160)
    )


if __name__ == "__main__":
    main()
