"""``optbench sweep``: try settings on a grid, to choose among them."""

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands import recommend, shared
from bench.errors import UsageError
from bench.support import console
from bench.support.text import plural

if TYPE_CHECKING:
    from bench.sweeps.experiment import Experiment
    from bench.sweeps.workers import Pool


@shared.in_one_line
def sweep(
    experiment: Annotated[
        Path | None,
        typer.Argument(metavar="[EXPERIMENT.yaml]", help="A file that says what to sweep."),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option("-p", "--problem", help="Problem; mnist_cnn by default.", show_default=False),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--optimizer",
            metavar="[LABEL=]NAME[,...]",
            help="Optimizers; diag_ggn_mc by default.",
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="[LABEL.]KEY=VALUES",
            help="Values of a hyperparameter: 1e-4:1e2:log7, 0:0.9:lin4 or 0.1,1,10. Several "
            "cross. By default the optimizer's registered search space.",
        ),
    ] = None,
    setting: shared.Setting = None,
    step: shared.Step = None,
    group: shared.Group = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N|LIST", help="How many seeds (3), or which: 5,7 or 10-14."),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Iterations of a run; 201 by default.", show_default=False)
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="val_loss (by default), val_accuracy, train_loss or time_to(val_accuracy=0.95)."
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="grid (by default), halving (half of the time), or tpe (Optuna)."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="With tpe: how many settings per optimizer.")
    ] = None,
    batch_size: shared.BatchSize = None,
    curvature_every: Annotated[
        int | None,
        typer.Option(help="Iterations between observations of the curvature (20); 0 for none."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:<i>.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64.")] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Runs at a time. By default one per physical core or GPU, as memory allows; "
            "1 where times are the objective.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Threads of a run, with which losses differ: 1 by default; torch's choice with "
            "--jobs 1, and where times are the objective.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a Dask cluster, as in tcp://host:8786."),
    ] = None,
    data_root: shared.DataRoot = None,
    results: shared.Results = Path("results"),
    fresh: shared.Fresh = False,
    malloc_tuning: shared.MallocTuning = True,
    as_json: shared.AsJson = False,
) -> None:
    """Sweep settings over seeds, judged on the validation split, and recommend one.

    A bare 'optbench sweep' sweeps damping and learning rate of diag_ggn_mc on mnist_cnn. Runs that
    are stored are not run again: after whatever stopped it, the same command goes on.
    """
    from bench.commands.progress import SweepProgress
    from bench.errors import WorkersError
    from bench.sweeps import file as records
    from bench.sweeps.experiment import Experiment
    from bench.sweeps.experiment_file import read_yaml
    from bench.sweeps.sweep import Sweeper
    from bench.training.processes import first
    from bench.training.tasks import Conditions

    fields: dict[str, Any] = {}
    yaml = ""
    if experiment is not None:
        fields, yaml = read_yaml(experiment)
    given: dict[str, Any] = {
        "problem": problem,
        "optimizers": tuple(optimizer) if optimizer else None,
        "grid": tuple(grid) if grid else None,
        "settings": tuple(setting) if setting else None,
        "steps": tuple(step) if step else None,
        "groups": tuple(group) if group else None,
        "seeds": seeds,
        "iterations": iterations,
        "objective": objective,
        "strategy": strategy,
        "trials": trials,
        "batch_size": batch_size,
        "device": device,
        "dtype": dtype,
        "curvature_every": curvature_every,
    }
    what = Experiment(
        **fields | {name: value for name, value in given.items() if value is not None}
    )
    timed = what.judged_by.timed
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise UsageError(f"{name}={value} is not valid: it is a whole number >= 1.")
    first()  # it imports torch while this process imports other things
    launch = f"{what.name}-{uuid.uuid4().hex}"
    pool = _pool(what, jobs, scheduler, launch, timed=timed)
    conditions = Conditions(
        session=what.name,
        # One, however many jobs there turn out to be: the same command finds its runs again.
        threads=threads or (None if not pool.shared and (jobs == 1 or timed) else 1),
        shared=pool.shared,
        tuned=malloc_tuning,
        launch=launch,
    )
    if timed and pool.shared:
        console.complain(
            "Runs share a machine: their times, which are the objective, depend on what ran beside "
            "them. --jobs 1 measures them alone."
        )
    before = records.existing(results, what)
    if before is not None and before.threads != conditions.threads and not fresh:
        console.complain(
            f"The runs of this sweep that are stored had {_threads(before.threads)}, these have "
            f"{conditions.threads or 'all'}: losses differ with it, so all are run again."
        )
    at_once = True
    try:
        with console.Bar(console.errors(), "runs") as bar:
            record = Sweeper(
                experiment=what,
                pool=pool,
                conditions=conditions,
                results=results,
                data_root=data_root,
                fresh=fresh,
                observer=SweepProgress(bar, what.judged_by, pool.width),
            ).run(yaml=yaml, command=shared.command_line())
        at_once = False
    except KeyboardInterrupt:
        console.complain(
            "Interrupted: finished runs are stored; the same command goes on from there, and "
            f"'optbench recommend {what.name}' tells what can be said so far."
        )
        raise typer.Exit(shared.INTERRUPTED) from None
    except WorkersError as error:
        raise WorkersError(
            f"{error} Finished runs are stored; the same command goes on."
        ) from error
    finally:
        pool.close(at_once=at_once)
    named = bool(optimizer) or "optimizers" in fields
    recommend.conclude(record, results, named=named, as_json=as_json)


def _threads(count: int | None) -> str:
    return plural(count, "thread") if count else "all threads"


def _pool(
    what: "Experiment", jobs: int | None, scheduler: str | None, launch: str, *, timed: bool
) -> "Pool":
    """The workers that were asked for."""
    from bench.sweeps.dask import DaskPool
    from bench.sweeps.local import LocalPool, default_jobs, gpus

    if scheduler is None:
        jobs = jobs or (1 if timed else default_jobs(what.device))
        return LocalPool(jobs, launch, gpus(what.device))
    if jobs is not None:
        raise UsageError("--jobs is not valid with --scheduler: the cluster has its workers.")
    return DaskPool(scheduler, what.device)
