"""The registry's settings for SGD and Adam are those that the committed search found."""

from pathlib import Path

import pandas as pd
import pytest

from bench.suite.settings_search import RESULT, best_settings, cells
from optimizers import OPTIMIZERS

FOLDER = Path(__file__).resolve().parents[1] / "results" / "reference" / "settings"


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_settings_are_those_of_the_best_cell(name: str) -> None:
    results = pd.read_csv(FOLDER / RESULT)
    chosen = ", ".join(f"{key}={value}" for key, value in OPTIMIZERS[name].defaults.items())
    assert chosen == best_settings(results, name)


def test_every_optimizer_had_the_same_number_of_cells_on_the_same_seeds() -> None:
    results = pd.read_csv(FOLDER / RESULT)
    for name, own in results.groupby("optimizer"):
        expected = {
            ", ".join(f"{key}={value}" for key, value in cell.items())
            for cell in cells(OPTIMIZERS[str(name)])
        }
        assert set(own["settings"]) == expected
    counts = results.groupby("optimizer")[["settings", "seed"]].nunique()
    assert len(counts) == 2
    assert len(counts.drop_duplicates()) == 1
    assert results["data"].str.contains("10000 validation images").all()
