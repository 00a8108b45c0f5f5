"""The suite as a plugin of pytest: its options and defaults."""

from typing import Any

import pytest

from bench.errors import UsageError
from bench.machine import allocator, environment
from bench.support import importing
from optimizers import REGISTRY

ROUNDS = 30
STORAGE = "results/baselines"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this suite to pytest's."""
    group = parser.getgroup("optbench")
    group.addoption(
        "--optbench-rounds",
        type=_rounds,
        default=ROUNDS,
        metavar="N",
        help=f"Rounds of every benchmark (default: {ROUNDS}). Each round sets up what comes before "
        "the phase that it times, so that --benchmark-min-rounds, --benchmark-max-time and "
        "--benchmark-precision have no effect.",
    )
    group.addoption(
        "--optbench-optimizer",
        action="append",
        default=[],
        metavar="NAME",
        help="Time this optimizer instead of the tutorial's: a name or package.module:Class; "
        "may be repeated.",
    )
    group.addoption(
        "--optbench-no-memory",
        action="store_true",
        help="Do not measure peak memory, which takes a process for each optimizer and problem.",
    )
    group.addoption(
        "--optbench-full",
        action="store_true",
        help="Time every registered optimizer and problem, at several batch sizes.",
    )


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark reads its options
def pytest_configure(config: pytest.Config) -> None:
    """Keep raw values by default, in ``results/baselines`` of the user's folder; tune malloc."""
    config.option.benchmark_save_data = True
    if config.option.benchmark_storage == "file://./.benchmarks":
        config.option.benchmark_storage = f"file://{config.invocation_params.dir / STORAGE}"
    importing.from_here()
    try:
        for name in config.option.optbench_optimizer:
            REGISTRY.get(name)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    allocator.tune()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what decides the number of rounds, and what does not."""
    ignored = [
        option
        for option, default in (("min_rounds", 5), ("max_time", "1.0"), ("precision", None))
        if str(config.getoption(f"benchmark_{option}", default)) != str(default)
    ]
    line = f"optbench: {config.getoption('optbench_rounds')} rounds of each benchmark"
    names = ", ".join(f"--benchmark-{option.replace('_', '-')}" for option in ignored)
    return f"{line}; {names} without effect: use --optbench-rounds" if ignored else line


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Add what decides whether two files may be compared."""
    machine_info["optbench"] = environment.comparable()


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"--optbench-rounds={text} is not valid: a whole number >= 1.")
    return int(text)
