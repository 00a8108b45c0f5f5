"""The small search behind the settings of ``sgd`` and ``adam``.

Every optimizer with a search space gets the same number of cells; each cell is trained on
``mnist_cnn`` for the tutorial's 201 iterations with three seeds that the default comparison does
not use, and judged on the validation split. The lowest median validation loss wins.

    python -m bench.suite.settings_search --output results/reference/settings
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import bench
from bench import allocator
from optimizers import OPTIMIZERS, OptimizerSpec

SEEDS = (100, 101, 102)
RESULT = "first_order.csv"


def cells(spec: OptimizerSpec) -> Iterator[dict[str, Any]]:
    """Every combination of an optimizer's search space."""
    for values in itertools.product(*spec.search_space.values()):
        yield dict(zip(spec.search_space, values, strict=True))


def best_settings(results: pd.DataFrame, optimizer: str) -> str:
    """The cell with the lowest median validation loss; one that diverges loses."""
    own = results[results["optimizer"] == optimizer]
    losses = own["validation_loss"].fillna(float("inf")).groupby(own["settings"]).median()
    return str(losses.idxmin())


def search(seeds: tuple[int, ...] = SEEDS) -> pd.DataFrame:
    """Run the search; one row per cell and seed."""
    rows = []
    for spec in OPTIMIZERS.values():
        for cell, seed in itertools.product(cells(spec), seeds if spec.search_space else ()):
            record = bench.run(
                bench.RunSpec(
                    problem="mnist_cnn",
                    optimizer=spec.name,
                    hyperparameters=cell,
                    seed=seed,
                    split="validation",
                    eval_every=201,
                )
            )
            final = record.evaluations[-1] if record.status == "completed" else {}
            rows.append(
                {
                    "optimizer": spec.name,
                    "settings": ", ".join(f"{name}={value}" for name, value in cell.items()),
                    "seed": seed,
                    "status": record.status,
                    "validation_loss": final.get("loss"),
                    "validation_accuracy": final.get("accuracy"),
                    "data": record.data["detail"],
                }
            )
            print(*rows[-1].values(), sep=" | ", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Run the search and write its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    output = parser.parse_args().output
    allocator.tune()
    results = search()
    output.mkdir(parents=True, exist_ok=True)
    results.to_csv(output / RESULT, index=False)
    for optimizer in results["optimizer"].unique():
        print(f"{optimizer}: {best_settings(results, optimizer)}")


if __name__ == "__main__":
    main()
