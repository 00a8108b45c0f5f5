"""The command line: arguments to calls. What takes long to import is imported where it is used."""

import functools
import json
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bench import terminal
from bench.spec import TUTORIAL_ITERATIONS, RunSpec
from optimizers.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.comparison import Comparison
    from bench.record import RunRecord
    from bench.summary import Row

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
UNTIL_ITERATIONS = 2000

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Compare neural-network optimizers, with evidence, on this machine.",
)
_debug = False

Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Results folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
Command = TypeVar("Command", bound=Callable[..., None])


def main() -> None:
    """Entry point of ``optbench``."""
    sys.path.append(os.getcwd())  # so that '-o mymodule:MyOptimizer' finds what lies here
    warnings.showwarning = terminal.show_warning
    logging.basicConfig(format="%(message)s")
    logging.getLogger("bench").setLevel(logging.INFO)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except Exception as error:  # typer's own, for options that it cannot read
        if _debug or not isinstance(code := getattr(error, "exit_code", None), int):
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        # 'optbench' alone is answered with the help, as it is.
        terminal.complain(message if "\n" in message else f"optbench: {message}")
        sys.exit(code)


def _in_one_line(command: Command) -> Command:
    """Turn what the user must mend into one line and an exit code."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            terminal.complain("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except UsageError as error:
            if _debug:
                raise
            terminal.complain(f"optbench: {' '.join(str(error).split())}")
            raise typer.Exit(WRONG_USAGE) from None

    return wrapped  # type: ignore[return-value]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    global _debug
    _debug = debug


@app.command()
@_in_one_line
def run(
    problem: Annotated[
        str, typer.Option("-p", "--problem", help="Problem: a name or package.module:builder.")
    ] = "mnist_cnn",
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--optimizer",
            metavar="[LABEL=]NAME[,...]",
            help="Optimizers: names or package.module:Class; all built-in ones by default.",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="[LABEL.]KEY=VALUE", help="A hyperparameter."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds: 0, 1, ...")] = 3,
    iterations: Annotated[
        int | None,
        typer.Option(
            help=f"Budget of iterations. By default {TUTORIAL_ITERATIONS}; none with --seconds; "
            f"{UNTIL_ITERATIONS} with --until.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Budget of clocked seconds (without evaluation).")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC=VALUE",
            help="Stop when an evaluation reaches this, as in accuracy=0.97.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Mini-batch size; the problem's own by default.")
    ] = None,
    eval_every: Annotated[int, typer.Option(help="Iterations between evaluations.")] = 50,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:<i>.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    split: Annotated[
        str, typer.Option(help="Evaluate on: test, or validation (to choose settings).")
    ] = "test",
    data_root: Annotated[
        str | None,
        typer.Option(help="Folder with MNIST/raw/*-ubyte; OPTBENCH_DATA does the same."),
    ] = None,
    results: Results = Path("results"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is stored.")] = False,
    malloc_tuning: Annotated[
        bool,
        typer.Option(
            "--malloc-tuning/--no-malloc-tuning",
            help="On glibc, keep freed memory in the process: faster and steadier.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Compare optimizers: train, store every raw value, print a summary, write a report.

    A bare 'optbench run' is BackPACK's tutorial comparison: mnist_cnn, all four optimizers,
    3 seeds, 201 iterations. Runs that are stored already are not run again.
    """
    from bench import allocator, options

    if not malloc_tuning:
        os.environ[allocator.SWITCH] = "0"
    allocator.tune()
    if iterations is None and seconds is None:
        iterations = UNTIL_ITERATIONS if until else TUTORIAL_ITERATIONS
    base = RunSpec(
        problem=problem,
        iterations=iterations,
        seconds=seconds,
        until=options.parse_until(until),
        batch_size=batch_size,
        device=device,
        dtype=dtype,
        split=split,
        eval_every=eval_every,
        data_root=data_root,
    )
    specs = options.comparison_specs(base, optimizer or [], setting or [], seeds)

    from bench.comparison import compare
    from bench.progress import ComparisonProgress

    with ComparisonProgress(terminal.errors()) as progress:
        outcome = compare(specs, results, fresh=fresh, observer=progress)
    if outcome.interrupted:
        finished = sum(record.status in ("completed", "diverged") for record in outcome.training)
        terminal.complain(
            f"Interrupted: {finished} of {len(specs)} runs are finished and stored; "
            "the same command goes on from there."
        )
        raise typer.Exit(INTERRUPTED)
    _conclude(outcome, results, as_json=as_json)


def _conclude(outcome: "Comparison", results: Path, *, as_json: bool) -> None:
    """Print the summary of a comparison and write its report."""
    from bench import report, stability, store
    from bench.summary import summarise

    rows = summarise(outcome.training, outcome.yardsticks, outcome.memory)
    verdict = stability.verdict(outcome.yardsticks)
    first = outcome.training[0]
    if not as_json:  # before the report, so that nothing can come between
        _print_summary(rows, first, verdict)
    command = shlex.join(["optbench", *sys.argv[1:]])
    path = report.write(results / "report", rows, outcome.training, outcome.yardsticks, command)
    if as_json:
        document = {
            "data": dict(first.data),
            "rows": [row.to_json() for row in rows],
            "stability": verdict,
            "records": str(store.runs_folder(results)),
            "report": str(path),
        }
        print(json.dumps(_finite(document), indent=2, allow_nan=False))
    else:
        reused = f" ({outcome.reused} runs were stored before)" if outcome.reused else ""
        terminal.say(f"Records: {store.runs_folder(results)}{reused}")
        terminal.say(f"Report:  {path}")
    failed = [record for record in outcome.training if record.status == "failed"]
    for record in failed:
        terminal.complain(
            f"optbench: {record.label}, seed {record.config['seed']} failed: {record.reason} "
            f"('optbench show {record.key} --results {results}' has the traceback)"
        )
    if failed:
        raise typer.Exit(FAILED)


def _print_summary(rows: Sequence["Row"], first: "RunRecord", verdict: str) -> None:
    from bench import tables

    config = first.config
    title = f"{config['problem']} on {config['device']}, batch size {config['batch_size']}"
    terminal.print_table(f"{title}: {first.data['detail']}", tables.convergence(rows))
    if tables.lengths_differ(rows):
        terminal.print_table("Length of the runs, without evaluation", tables.length(rows))
    terminal.print_table("Milliseconds per iteration, by phase", tables.cost(rows))
    for note in (*tables.NOTES, verdict):
        terminal.out().print(note, style="dim", highlight=False, markup=False)


@app.command("list")
@_in_one_line
def list_(
    what: Annotated[
        str, typer.Argument(help="optimizers, problems, or runs; the first two by default.")
    ] = "",
    results: Results = Path("results"),
) -> None:
    """List optimizers, problems, or the stored runs."""
    kinds = ("optimizers", "problems", "runs")
    if what and what not in kinds:
        raise unknown("list", what, kinds)
    if what in ("", "optimizers"):
        _list_optimizers()
    if what in ("", "problems"):
        _list_problems()
    if what == "runs":
        _list_runs(results)


def _list_optimizers() -> None:
    from bench import tables
    from optimizers import REGISTRY

    body = [
        [spec.name, spec.summary, tables.settings(spec.defaults), spec.settings_source]
        for spec in REGISTRY.entries.values()
    ]
    body += [[point.name, f"plug-in {point.value}", "", ""] for point in REGISTRY.installed()]
    terminal.print_table("Optimizers (-o)", (["name", "what it is", "settings", "from"], body))


def _list_problems() -> None:
    from bench.problems import REGISTRY

    body = [[spec.name, spec.summary] for spec in REGISTRY.entries.values()]
    body += [[point.name, f"plug-in {point.value}"] for point in REGISTRY.installed()]
    terminal.print_table("Problems (-p)", (["name", "what it is"], body))


def _list_runs(results: Path) -> None:
    from bench import store

    body = [
        [
            record.run_id,
            f"{record.started_at:%Y-%m-%d %H:%M}",
            str(record.config["problem"]),
            record.label,
            str(record.config["seed"]),
            f"{record.status} ({len(record.values['loss'])})",
        ]
        for record in store.load(results)
        if record.role == "training"
    ]
    header = ["run", "started (UTC)", "problem", "label", "seed", "status (iterations)"]
    terminal.print_table(f"Runs in {results}", (header, body))


@app.command()
@_in_one_line
def show(
    run: Annotated[
        str,
        typer.Argument(help="A run as 'list runs' names it, or how its name begins; the newest."),
    ],
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Show one stored run: what it was, where it ran, how it ended."""
    from bench import store, tables
    from bench.record import PHASE_COLUMNS, PHASES
    from bench.stats import per_iteration

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
        "status": record.status
        + (f" at iteration {record.diverged_at}" if record.diverged_at is not None else ""),
        "problem": f"{config['problem']}, batch size {config['batch_size']}, {config['dtype']}",
        "optimizer": f"{config['optimizer']} ({tables.settings(config['hyperparameters'])})",
        "seed": config["seed"],
        "data": f"{record.data['detail']} ({record.data['origin']})",
        "iterations": len(record.values["loss"]),
        "ms per iteration": ", ".join(
            f"{phase} {tables.milliseconds(per_iteration([record.values[column]]))}"
            for phase, column in zip(PHASES, PHASE_COLUMNS, strict=True)
        ),
        "evaluations": "; ".join(
            f"{row['iteration']:.0f}: "
            + ", ".join(f"{name} {row[name]:.4g}" for name in record.metrics)
            for row in record.evaluations
        ),
        "machine": f"{facts['cpu']}, {facts['threads']} threads ({facts['fingerprint']})",
        "versions": ", ".join(f"{name} {number}" for name, number in facts["versions"].items()),
        "commit": facts["commit"],
    }
    for name, value in lines.items():
        terminal.say(f"{name + ':':18}{value}")
    if record.error:
        terminal.say(record.error)


@app.command()
@_in_one_line
def query(
    sql: Annotated[str, typer.Argument(help="SQL over runs, iterations and evaluations.")],
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Ask the stored runs in SQL (DuckDB): views runs, iterations, evaluations, joined by run."""
    from bench import views

    columns, rows = views.query(results, sql)
    if as_json:
        named = [dict(zip(columns, row, strict=True)) for row in rows]
        print(json.dumps(_finite(named), indent=2, allow_nan=False, default=str))
    else:
        terminal.print_table("", (columns, [[str(value) for value in row] for row in rows]))


@app.command()
@_in_one_line
def doctor(as_json: AsJson = False) -> None:
    """Tell what on this machine makes timings unreliable."""
    from bench import allocator
    from bench.doctor import examine

    allocator.tune()
    findings = examine()
    if as_json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
        return
    words = {True: "fine", False: "look", None: "–"}
    body = [[finding.subject, words[finding.fine], finding.message] for finding in findings]
    terminal.print_table("What makes timings unreliable here", (["looked at", "", "found"], body))


def _finite(value: Any) -> Any:
    """Strict JSON: non-finite numbers become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
