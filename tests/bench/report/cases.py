"""Reports of made-up runs, and all that is in one."""

from pathlib import Path
from typing import Any

from bench.report import contents
from bench.report.document import Block, Folded, Report
from bench.report.material import Material
from bench.runs.record import RunRecord
from tests.bench.records import made_record


def comparison(**fields: Any) -> list[RunRecord]:
    """Two seeds of two optimizers."""
    return [
        made_record(
            run_id=f"{fields.get('problem', '')}{label}",
            label=label,
            seed=seed,
            losses=[2.0, 1.0 + seed, 0.5],
            minutes=seed,
            **fields,
        )
        for label in ("one", "two")
        for seed in (0, 1)
    ]


def made(records: list[RunRecord], **options: Any) -> Report:
    """The report of a results folder with these records."""
    material = Material(folders=[Path("results")], records=records)
    return contents.of_results(material, "optbench report", **options)


def blocks(report: Report) -> list[Block]:
    """All blocks, those that are folded too."""
    found: list[Block] = []
    waiting = [block for section in report.sections for block in section.blocks]
    while waiting:
        block = waiting.pop(0)
        found.append(block)
        if isinstance(block, Folded):
            waiting += block.blocks
    return found
