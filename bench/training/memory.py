"""Peak memory of training on the CPU, measured in a process of its own.

The times of such a run do not count: ``mallopt`` tuning is off, so that freed memory goes back to
the kernel, and it is only a few iterations long.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from bench.errors import UsageError
from bench.runs import store
from bench.runs.record import RunRecord
from bench.runs.spec import RunSpec
from bench.support import importing
from bench.training import identity
from bench.training.prepare import prepare

ITERATIONS = 3


def memory_spec(spec: RunSpec) -> RunSpec:
    """The memory run that belongs to a training run."""
    return replace(
        spec,
        role="memory",
        iterations=ITERATIONS,
        seconds=None,
        until=None,
        eval_every=0,
        curvature_every=0,
    )


def is_supported() -> bool:
    """Whether this system tells the peak of a process's resident set and lets it be reset."""
    return sys.platform == "linux" and os.access("/proc/self/clear_refs", os.W_OK)


def measure(spec: RunSpec, results: Path, session: str) -> RunRecord:
    """Run a memory run in a fresh process, which stores its record.

    Args:
        spec: What :func:`memory_spec` returns.
        results: The results folder.
        session: The session that the record belongs to.

    Raises:
        UsageError: The process failed; the message is its last line. Or it would not find the
            optimizer or the problem.
    """
    names = {part: identity.reference(getattr(spec, part)) for part in ("problem", "optimizer")}
    for name in names.values():
        if not identity.is_importable(name):
            raise UsageError(
                f"The peak memory of '{spec.label}' is not measured: that takes another process, "
                f"which cannot import {name}; define it in a module."
            )
    fields = asdict(spec) | names
    request = json.dumps({"spec": fields, "results": str(results), "session": session})
    finished = subprocess.run(
        # -P: a folder 'bench' or 'optimizers' where the user works is not this project's.
        [sys.executable, "-P", "-c", "from bench.training import memory; memory.main()"],
        input=request,
        capture_output=True,
        text=True,
        env=os.environ | {"OPTBENCH_OFFLINE": "1"},  # what can be downloaded already is
    )
    if finished.returncode != 0:
        last = finished.stderr.strip().splitlines()[-1:] or ["no message"]
        raise UsageError(f"The memory run of '{spec.label}' failed: {last[0]}")
    return store.read(Path(finished.stdout.splitlines()[-1]))


def _measure_here(spec: RunSpec, session: str) -> RunRecord:
    """Run in this process and note by how much its resident set grew at the most."""
    from bench.training import loop

    prepared = prepare(spec)
    process = psutil.Process()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present size
    before = process.memory_info().rss
    record = loop.execute(prepared, session=session)
    status = Path("/proc/self/status").read_text()
    peak_kib = next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")
    )
    return replace(record, peak_memory_bytes=max(0, peak_kib * 1024 - before))


def main() -> None:
    """Do what the standard input asks for, and print where the record is."""
    importing.from_here()
    request = json.loads(sys.stdin.read())
    fields = request["spec"]
    if fields["until"] is not None:
        fields["until"] = tuple(fields["until"])
    record = _measure_here(RunSpec(**fields), request["session"])
    print(store.save(record, Path(request["results"])))
