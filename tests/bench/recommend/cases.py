"""Made-up sweeps of realistic shape, for what reads them."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from bench.recommend.swept import Dropped, Measure, Swept, Trial
from bench.runs import store
from bench.runs.record import DONE, RunRecord
from bench.sweeps.experiment import Arm, Cell, Experiment
from bench.sweeps.file import SweepRecord
from bench.sweeps.grid import Axis
from bench.sweeps.outcome import Outcome
from tests.bench.records import made_curvature, made_record

LOSS = Measure(name="val_loss", better="min", logarithmic=True)
ACCURACY = Measure(name="val_accuracy", better="max")


def trial(
    settings: Mapping[str, Any], *scores: float, lost: str = "diverged", of: int | None = None
) -> Trial:
    """A setting with these scores of seeds 0, 1, ...; the other seeds up to ``of`` are lost."""
    return Trial(
        settings=settings,
        scores=dict(enumerate(scores)),
        lost=dict.fromkeys(range(len(scores), of or 0), lost),
    )


def valley(
    *,
    label: str = "diag_ggn_mc",
    lrs: Sequence[float] = (0.003, 0.03, 0.3),
    dampings: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
    seeds: int = 3,
    noise: float = 0.05,
    seed: int = 0,
    floor: float = 0.08,
    best_damping: float = 0.3,
    measure: Measure = LOSS,
    halved: bool = False,
) -> Swept:
    """A loss valley along lr / damping = 0.1 that ends where runs diverge.

    Args:
        label: The label.
        lrs: Learning rates.
        dampings: Dampings.
        seeds: How many seeds.
        noise: Of log losses, the shared part of seeds and the own part of runs alike.
        seed: Of the noise.
        floor: Loss of the best setting.
        best_damping: Where along the valley the best setting is.
        measure: Of it, the loss or ``ACCURACY``, one minus a third of it.
        halved: Whether settings far off were dropped after 22 iterations.
    """
    generator = np.random.default_rng(seed)
    shared = generator.normal(0, noise, seeds)
    trials, dropped = [], []
    for lr in lrs:
        for damping in dampings:
            settings = {"lr": lr, "damping": damping}
            ratio = math.log10(lr / damping) + 1
            along = math.log10(damping / best_damping)
            log_loss = math.log(floor) + 0.45 * ratio**2 + 0.08 * along**2
            scores = np.exp(np.minimum(log_loss, 0.8) + shared + generator.normal(0, noise, seeds))
            if measure is ACCURACY:
                scores = 1 - scores / 3
            lost = {s: "diverged" for s in range(seeds) if ratio > 2.2 or (ratio > 1.8 and s)}
            if halved and abs(ratio) > 1.2 and not lost:
                dropped.append(Dropped(settings=settings, iterations=22, score=float(scores[0])))
                continue
            kept = {s: float(score) for s, score in enumerate(scores) if s not in lost}
            trials.append(Trial(settings=settings, scores=kept, lost=lost))
    return Swept(
        label=label, optimizer=label, axes={"lr": tuple(lrs), "damping": tuple(dampings)},
        measure=measure, trials=trials, dropped=dropped,
    )  # fmt: skip


def scattered(points: int = 24, seed: int = 1) -> Swept:
    """The same valley, sampled anywhere."""
    generator = np.random.default_rng(seed)
    places = 10 ** generator.uniform([-3, -4], [0, 2], (points, 2))
    trials = []
    for index, (lr, damping) in enumerate(places):
        one = valley(lrs=(float(lr),), dampings=(float(damping),), seed=index).trials[0]
        trials.append(one)
    axes = {name: tuple(sorted(one.settings[name] for one in trials)) for name in ("lr", "damping")}
    return Swept(label="diag_ggn_mc", optimizer="diag_ggn_mc", axes=axes, measure=LOSS,
                 trials=trials, scattered=True)  # fmt: skip


def line(
    scores: Mapping[float, Sequence[float]],
    *,
    axis: str = "lr",
    label: str = "sgd",
    measure: Measure = LOSS,
    of: int = 0,
    lost: str = "diverged",
) -> Swept:
    """A sweep of one hyperparameter: scores by value."""
    trials = [trial({axis: value}, *found, of=of, lost=lost) for value, found in scores.items()]
    return Swept(label=label, optimizer=label, axes={axis: tuple(scores)}, measure=measure,
                 trials=trials)  # fmt: skip


SGD = Swept(
    label="sgd", optimizer="sgd", axes={"lr": (0.1, 1.0)}, measure=LOSS,
    trials=[trial({"lr": 0.1}, 0.05, 0.051, 0.049), trial({"lr": 1.0}, 0.2, 0.21, 0.19)],
)  # fmt: skip


def outcome(*swept: Swept, curved: Sequence[str] = ("diag_ggn_mc",), **fields: Any) -> Outcome:
    """A sweep with a record per run of these."""
    full: list[tuple[Cell, RunRecord]] = [
        (
            Cell(label=one.label, settings=cell.settings, seed=seed, iterations=201),
            made_record(
                label=one.label, seed=seed, hyperparameters=dict(cell.settings),
                split="validation", session="s",
                curvature=(
                    [row for i in (0, 3) for row in made_curvature(i)]
                    if one.label in curved else []
                ),
                **fields,
            ),
        )
        for one in swept
        for cell in one.trials
        for seed in cell.scores
    ]  # fmt: skip
    experiment = Experiment(optimizers=tuple(one.label for one in swept))
    record = SweepRecord(
        experiment=experiment,
        command="optbench sweep",
        arms=[
            Arm(label=one.label, optimizer=one.optimizer,
                axes={name: Axis(values) for name, values in one.axes.items()})
            for one in swept
        ],
    )  # fmt: skip
    return Outcome(record=record, swept=swept, full=full)


def saved(results: Path, *swept: Swept, lost: str = "", **fields: Any) -> SweepRecord:
    """A sweep in a results folder: its file, and a record for each run of these.

    Args:
        results: The folder.
        swept: What was swept, judged by the loss.
        lost: What became of the runs that have no score; they are not there if empty.
        fields: Of the experiment.
    """
    experiment = Experiment(optimizers=tuple(one.label for one in swept), **fields)
    record = SweepRecord(
        experiment=experiment,
        command="optbench sweep",
        metrics={"loss": "min", "accuracy": "max"},
        arms=outcome(*swept).record.arms,
    )
    for one in swept:
        for cell in one.trials:
            for seed in (*cell.scores, *cell.lost):
                score = cell.scores.get(seed)
                run_id = f"{crc32(experiment.name.encode()):08x}{len(record.cells):08x}"
                own = Cell(
                    label=one.label, settings=cell.settings, seed=seed,
                    iterations=experiment.iterations,
                )  # fmt: skip
                record.cells.append((own, run_id))
                if score is None and not lost:
                    continue
                evaluations = [{"iteration": 3.0, "seconds": 0.03, "loss": score, "accuracy": 0.5}]
                run = made_record(
                    run_id=run_id, label=one.label, problem=experiment.problem, seed=seed,
                    settings=dict(cell.settings), session=experiment.name, split="validation",
                    status=lost if score is None else "completed",
                    error="OSError: no step today" if lost not in DONE and score is None else "",
                    evaluations=[] if score is None else evaluations,
                )  # fmt: skip
                store.save(run, results)
    record.save(results)
    return record
