"""Made-up trials of a calibration, whose delays are exactly what its settings say."""

from typing import Any

import numpy as np

from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings, Trial

FIELDS: dict[str, Any] = {
    "problem": "quadratic", "optimizer": "sgd", "budget_s": 0.1, "delays": (0.5, 1.0),
    "tuned": False, "machine": {"cpu": "a"}, "versions": {"torch": "2"},
}  # fmt: skip


def made_settings(**fields: Any) -> Settings:
    """Of a calibration with three delays and 40 s per comparison."""
    made = FIELDS | {"delays": (0.02, 0.05, 0.10), "budget_s": 40} | fields
    return Settings(**made, iteration_s=0.0177, data="made up", threads=2)


def made_trial(number: int, settings: Settings, noise: float, launches: int = 8) -> Trial:
    """A trial in simulated noise: the delay is exactly what the settings say."""
    generator = np.random.default_rng(number)
    delays, phase = settings.comparisons, settings.phase(number)
    base = np.array([0.1, 8.0, 9.0, 0.6]) * 1e-3
    blocks = np.tile(base, (launches, 4, len(delays), 2, 5, 1))
    for comparison, delay in enumerate(delays):
        blocks[:, :, comparison, 1, :, 1 + calibration.PHASES.index(phase)] += delay * base.sum()
    blocks *= np.exp(generator.normal(0, noise, (launches, 1, len(delays), 2, 1, 4)))
    ends = tuple(float(end) for end in np.linspace(5, 40, launches))
    return Trial(
        number=number, phase=phase, delays=delays, elapsed_s=ends, commit="a1", blocks=blocks
    )
