"""``optbench list``, ``show`` and ``query``: what there is to run, and what was run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.commands import shared
from bench.errors import unknown
from bench.support import console
from bench.support.strict_json import with_nulls
from bench.support.text import in_words, plural


@shared.in_one_line
def list_(
    what: Annotated[
        str,
        typer.Argument(help="optimizers, problems, quantities, or runs; the first two by default."),
    ] = "",
    results: shared.Results = Path("results"),
) -> None:
    """List optimizers, problems, the quantities that runs are told by, or the stored runs."""
    kinds = ("optimizers", "problems", "quantities", "runs")
    if what and what not in kinds:
        raise unknown("list", what, kinds)
    if what in ("", "optimizers"):
        _list_optimizers()
    if what in ("", "problems"):
        _list_problems()
    if what == "quantities":
        _list_quantities()
    if what == "runs":
        _list_runs(results)


def _list_optimizers() -> None:
    from bench.runs import settings
    from optimizers import REGISTRY

    body = [
        [spec.name, spec.summary, settings.written(spec.defaults), spec.settings_source]
        for spec in REGISTRY.entries.values()
    ]
    body += [[point.name, f"plug-in {point.value}", "", ""] for point in REGISTRY.installed()]
    console.print_table("Optimizers (-o)", (["name", "what it is", "settings", "from"], body))


def _list_problems() -> None:
    from bench.problems import REGISTRY

    body = [[spec.name, spec.summary] for spec in REGISTRY.entries.values()]
    body += [[point.name, f"plug-in {point.value}"] for point in REGISTRY.installed()]
    console.print_table("Problems (-p)", (["name", "what it is"], body))


def _list_quantities() -> None:
    from bench.comparison.quantities import QUANTITIES, metric

    known = [QUANTITIES[0], metric("METRIC", "", "SPLIT"), *QUANTITIES[1:]]
    body = [[one.key, one.title, one.unit, one.better, one.help] for one in known]
    header = ["quantity", "title", "unit", "better", "what it is"]
    console.print_table("Quantities of runs", (header, body))


def _list_runs(results: Path) -> None:
    from bench.runs import store

    body = [
        [
            record.run_id,
            f"{record.started_at:%Y-%m-%d %H:%M}",
            str(record.config["problem"]),
            record.label,
            str(record.config["seed"]),
            f"{in_words(record.status)} ({len(record.values['loss'])})",
        ]
        for record in store.load(results)
        if record.role == "training"
    ]
    header = ["run", "started (UTC)", "problem", "label", "seed", "status (iterations)"]
    console.print_table(f"Runs in {results}", (header, body))


@shared.in_one_line
def show(
    run: Annotated[
        str,
        typer.Argument(help="A run as 'list runs' names it, or how its name begins; the newest."),
    ],
    results: shared.Results = Path("results"),
    as_json: shared.AsJson = False,
) -> None:
    """Show one stored run: what it was, where it ran, how it ended."""
    from bench.runs import settings, store
    from bench.runs.record import PHASE_COLUMNS, PHASES
    from bench.statistics.intervals import per_iteration
    from bench.support import numbers

    records = store.load(results)
    matches = [record for record in records if record.key.startswith(run)]
    if not matches:
        raise unknown("run", run, [record.key for record in records[-5:]])
    record = matches[-1]
    if as_json:
        print(json.dumps(record.metadata(), indent=2, allow_nan=False))
        return
    config, facts = record.config, record.environment
    lines = {
        "run": record.key,
        "status": record.ended,
        "problem": f"{config['problem']}, batch size {config['batch_size']}, {config['dtype']}",
        "optimizer": f"{config['optimizer']} ({settings.written(config['hyperparameters'])})",
        "seed": config["seed"],
        "data": f"{record.data['detail']} ({record.data['origin']})",
        "iterations": len(record.values["loss"]),
        "ms per iteration": ", ".join(
            f"{phase} {numbers.milliseconds(per_iteration([record.values[column]]))}"
            for phase, column in zip(PHASES, PHASE_COLUMNS, strict=True)
        ),
        "evaluations": "; ".join(
            f"{row['iteration']:.0f}: "
            + ", ".join(f"{name} {row[name]:.4g}" for name in record.metrics)
            for row in record.evaluations
        ),
        "machine": f"{facts['cpu']}, {plural(facts['threads'], 'thread')} ({facts['fingerprint']})",
        "versions": ", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
        "commit": facts["commit"],
    }
    for name, value in lines.items():
        console.say(f"{name + ':':18}{value}")
    if record.error:
        console.say(record.error)


@shared.in_one_line
def query(
    sql: Annotated[
        str,
        typer.Argument(help="SQL over runs, iterations, evaluations, curvature and quantities."),
    ],
    results: shared.Results = Path("results"),
    as_json: shared.AsJson = False,
) -> None:
    """Ask the stored runs in SQL (DuckDB).

    The views are runs, iterations, evaluations, curvature, and quantities (run, quantity, unit,
    value): what 'optbench list quantities' lists.
    """
    from bench.comparison import quantities
    from bench.runs import views

    columns, rows = views.query(results, sql, {"quantities": quantities.view})
    if as_json:
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        print(json.dumps(with_nulls(named), indent=2, allow_nan=False, default=str))
    else:
        console.print_table("", (columns, [[str(value) for value in row] for row in rows]))
