"""Which way data flows: from torch to the record, and no torch from there on."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = (
    "bench",
    "bench.cli",
    "bench.comparison.analysis",
    "bench.comparison.export",
    "bench.comparison.groups",
    "bench.comparison.summary",
    "bench.comparison.tables",
    "bench.comparison.targets",
    "bench.machine.doctor",
    "bench.problems",
    "bench.recommend.recommendation",
    "bench.recommend.rivals",
    "bench.recommend.wording",
    "bench.regress.baseline",
    "bench.regress.calibration.judgements",
    "bench.regress.compare",
    "bench.regress.history",
    "bench.regress.presentation",
    "bench.regress.sides",
    "bench.report",
    "bench.report.contents",
    "bench.report.figures.heat_map",
    "bench.report.figures.history",
    "bench.report.figures.style",
    "bench.report.writer",
    "bench.runs.export",
    "bench.runs.record",
    "bench.runs.settings",
    "bench.runs.spec",
    "bench.runs.stability",
    "bench.runs.store",
    "bench.runs.views",
    "bench.statistics.intervals",
    "bench.statistics.ranking",
    "bench.statistics.selection",
    "bench.support.text",
    "bench.sweeps.advice",
    "bench.sweeps.file",
    "bench.sweeps.outcome",
    "bench.sweeps.progress",
    "bench.sweeps.sweep",
    "bench.sweeps.workers",
    "optimizers",
)


def imported_by(statement: str) -> set[str]:
    """Top-level and dotted names of all modules that a statement loads in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return set(finished.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_from_the_record_on_nothing_imports_torch(module: str) -> None:
    assert "torch" not in imported_by(f"import {module}")


def test_optimizers_never_import_bench() -> None:
    everything = "import optimizers, optimizers.diag_ggn, optimizers.curvature.backpack"
    assert not {name for name in imported_by(everything) if name.partition(".")[0] == "bench"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["run", "--help"],
        ["regress", "--help"],
        ["sweep", "--help"],
        ["export", "--help"],
    ],
)
def test_help_and_list_import_neither_torch_nor_pandas(arguments: list[str]) -> None:
    statement = (
        f"import sys, bench.cli; sys.argv = ['optbench', *{arguments!r}]\n"
        "try: bench.cli.main()\nexcept SystemExit: pass"
    )
    assert not {"torch", "pandas", "pyarrow", "matplotlib"} & imported_by(statement)
