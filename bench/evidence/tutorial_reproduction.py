"""The tutorial, reproduced: its five printed points against the curves of ten seeds.

Each printed point should lie where one more run of ours would: inside the prediction interval,
at 99 % for the five together (Bonferroni), for losses (of their logarithms) and for accuracies.

    python -m bench.evidence.tutorial_reproduction --output results/reference/tutorial
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import bench
from bench.evidence.tutorial import PRINTED, RUN
from bench.machine import allocator
from bench.report.figures import style
from bench.runs import store
from bench.runs.record import RunRecord
from bench.statistics.intervals import prediction_interval
from bench.training import loop
from bench.training.prepare import prepare

SEEDS = range(10)
CONFIDENCE = 0.99
QUANTITIES = ("loss", "accuracy")


def intervals(records: list[RunRecord]) -> pd.DataFrame:
    """Per quantity and printed point: the interval, and whether the point is inside."""
    level = 1 - (1 - CONFIDENCE) / len(PRINTED)
    rows = []
    for position, quantity in enumerate(QUANTITIES):
        for iteration, printed in PRINTED.items():
            sample = [record.values[quantity][iteration] for record in records]
            # Losses are positive and skewed: their logarithms are nearer to normal.
            values = np.log(sample) if quantity == "loss" else sample
            ends = prediction_interval(values, level)
            low, high = np.exp(ends) if quantity == "loss" else np.clip(ends, 0.0, 1.0)
            rows.append(
                {
                    "quantity": quantity,
                    "iteration": iteration,
                    "tutorial": printed[position],
                    "seeds_median": float(np.median(sample)),
                    "low": low,
                    "high": high,
                    "inside": low <= printed[position] <= high,
                }
            )
    return pd.DataFrame(rows)


def draw(records: list[RunRecord], table: pd.DataFrame) -> Figure:
    """Our curves, the intervals and the tutorial's points."""
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        for axes, quantity in zip(figure.subplots(1, 2), QUANTITIES, strict=True):
            for index, record in enumerate(records):
                label = f"{len(records)} seeds, this harness" if index == 0 else None
                axes.plot(record.values[quantity], color="C0", lw=0.6, alpha=0.4, label=label)
            own = table[table["quantity"] == quantity]
            middle, half = (own["low"] + own["high"]) / 2, (own["high"] - own["low"]) / 2
            label = "prediction interval, 99 % for all five"
            axes.errorbar(
                own["iteration"], middle, half, fmt="none", color="C1", capsize=5, lw=2, label=label
            )
            axes.plot(own["iteration"], own["tutorial"], "kD", ms=6, label="tutorial's printout")
            axes.set(xlabel="iteration", ylabel=f"mini-batch {quantity}")
            if quantity == "loss":
                style.log_scale(axes)
        figure.axes[0].legend()
        figure.suptitle("BackPACK's tutorial (diagonal GGN, Monte-Carlo) reproduced on MNIST")
    return figure


def main() -> None:
    """Run the ten seeds, store their records, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    allocator.tune()
    records = []
    for seed in SEEDS:
        prepared = prepare(bench.RunSpec(**RUN, seed=seed, eval_every=0))
        record = store.find(output, prepared.run_id)
        if record is None:
            record = loop.execute(prepared)
            store.save(record, output)
        records.append(record)
        print(f"seed {seed}: {record.status}, loss {record.values['loss'][-1]:.3f}", flush=True)
    table = intervals(records)
    table.round(4).to_csv(output / "intervals.csv", index=False)
    style.save(draw(records, table), output / "tutorial")
    print(f"Data: {records[0].data['detail']}")
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
