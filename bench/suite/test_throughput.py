"""Step throughput: forward, backward, step and the whole iteration, of every optimizer.

    pytest bench/ --benchmark-only

A group is one phase on one problem, batch size and device, so that its table compares optimizers.
The plain gradient (no curvature, no step) is among them: it is the unit of ``relative_cost``, which
is of means, so that what an optimizer does only now and then counts, with that of medians beside.
"""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.errors import NotApplicableError
from bench.suite import cases
from bench.suite.cases import Subject
from bench.suite.rounds import ITERATION, PhaseRounds

PHASES = ("forward", "backward", "step", ITERATION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for every subject and phase."""
    config = metafunc.config
    subjects = cases.subjects(
        config.getoption("optbench_optimizer"), full=config.getoption("optbench_full")
    )
    metafunc.parametrize(
        ("subject", "phase"),
        [
            pytest.param(
                subject,
                phase,
                id=f"{subject}-{phase}",
                marks=pytest.mark.benchmark(
                    group=f"{phase}: {subject.problem}, "
                    f"batch size {subject.batch_size or 'default'}, {subject.device}",
                    timer=cases.timer(subject),
                ),
            )
            for subject in subjects
            for phase in PHASES
            if not (subject.is_plain_gradient and phase == "step")
        ],
    )


def test_throughput(
    subject: Subject,
    phase: str,
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
) -> None:
    """Time one phase, and the plain gradient right before and right after it."""
    try:
        cases.prepared(subject)
    except NotApplicableError as error:
        pytest.skip(str(error))
    rounds = pytestconfig.getoption("optbench_rounds")
    peak = None
    if not pytestconfig.getoption("optbench_no_memory"):
        peak = cases.peak_memory_bytes(subject)
    training = cases.training(subject)
    if training.needs_closure and phase != ITERATION:
        pytest.skip("its step runs forward and backward itself: only the iteration is timed")
    plain = cases.plain_gradient_s(subject)
    if training.needs_closure:
        benchmark.pedantic(training.iterate, rounds=rounds, warmup_rounds=1)
    else:
        timed = PhaseRounds(training, phase)
        benchmark.pedantic(timed.run, setup=timed.set_up, rounds=rounds, warmup_rounds=1)
    plain += cases.plain_gradient_s(subject)
    if benchmark.stats is None:  # --benchmark-disable
        return
    found, spec = benchmark.stats.stats, cases.prepared(subject).resolved
    assert spec.batch_size is not None
    benchmark.extra_info.update(
        {
            "phase": phase,
            "optimizer": subject.optimizer,
            "problem": subject.problem,
            "batch_size": spec.batch_size,
            "device": spec.device,
            "data": cases.prepared(subject).problem.source.name,
            "samples_per_s": float(f"{spec.batch_size / found.median:.4g}"),
            "relative_cost": float(f"{found.mean / np.mean(plain):.4g}"),
            "relative_cost_median": float(f"{found.median / np.median(plain):.4g}"),
            "plain_gradient_s": float(f"{np.median(plain):.4g}"),
            "plain_gradient_mean_s": float(f"{np.mean(plain):.4g}"),
            "peak_memory_bytes": peak,
        }
    )
