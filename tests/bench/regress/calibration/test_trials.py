"""Calibration: what is measured, stored and resumed."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import UsageError
from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings
from bench.regress.turns import Arm, Plan
from tests.bench.regress.calibration.trials import FIELDS, made_settings, made_trial
from tests.bench.regress.workers import side

BENCHMARK = {"problem": "quadratic", "optimizer": "sgd", "eval_every": 0, "device": "cpu"}


@pytest.fixture
def settings() -> Settings:
    return made_settings()


def test_each_trial_has_none_and_every_delay_in_a_phase_in_turn(settings: Settings) -> None:
    assert settings.comparisons == (0.0, 0.02, 0.05, 0.10)
    phases = ["forward", "backward", "step"]
    assert [settings.phase(number) for number in range(6)] == 2 * phases


class _Logged:
    """A process that only notes what is asked of it; the time of a block tells its delay."""

    def __init__(self, log: list[tuple[str, float]], name: str) -> None:
        self._log, self._name = log, name

    def block(
        self, _: int, warm: int, iterations: int, delay: tuple[str, float] | None
    ) -> list[list[float]]:
        seconds = delay[1] if delay else 0.0
        if warm + iterations > 1:
            self._log.append((self._name, seconds))
        return [[0.0, 0.0, 0.0, (10.0 if self._name == "other" else 20.0) + seconds]] * iterations


def test_every_comparison_has_its_own_blocks_of_a_and_as_many_of_either_follow_their_own() -> None:
    log: list[tuple[str, float]] = []
    one: Any = _Logged(log, "one")
    other: Any = _Logged(log, "other")
    heads = [Arm(other, 0, ("step", delay) if delay else None) for delay in (0.0, 1.0, 2.0, 3.0)]
    blocks = calibration._compared(Arm(one, 0), heads, Plan(1, 3, 4), last_first=False)
    assert blocks.shape == (4, 4, 2, 3, 4)
    assert blocks[..., 3][:, :, 0].ravel().tolist() == [20.0] * 48
    assert blocks[2, :, 1, 0, 3].tolist() == [10.0, 11.0, 12.0, 13.0]
    follows = [
        (name, delay) for before, (name, delay) in itertools.pairwise(log) if before[0] == name
    ]
    assert sum(name == "one" for name, _ in follows) in (7, 8)  # of 16: the first follows nothing
    assert {follows.count(("other", delay)) for delay in (0.0, 1.0, 2.0, 3.0)} == {2}  # of 4 each


def test_a_file_from_before_comparisons_had_their_own_blocks_of_a(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    blocks = np.arange(2 * 4 * 3 * 5 * 4, dtype=float).reshape(2, 4, 3, 5, 4)
    np.savez(
        tmp_path / "trials" / "0000.npz", number=0, phase="step", delays=[0.0, 0.0, 0.05],
        elapsed_s=[1.0, 2.0], commit="", blocks_us=blocks,
    )  # fmt: skip
    (found,) = calibration.load(tmp_path)
    assert found.delays == (0.0, 0.05)
    for comparison in range(2):
        np.testing.assert_allclose(found.blocks[:, :, comparison, 0], 1e-6 * blocks[:, :, 0])
        expected = 1e-6 * blocks[:, :, 1 + comparison]
        np.testing.assert_allclose(found.blocks[:, :, comparison, 1], expected)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """One trial that was really measured, with delays as long as an iteration."""
    folder = tmp_path_factory.mktemp("calibration")
    settings = calibration.open_folder(folder, side(Path.cwd()), FIELDS, BENCHMARK)
    calibration.measure(settings, 0, side(Path.cwd()), BENCHMARK, folder, lambda *_: None)
    return folder, settings


def test_a_measured_trial_has_its_delay_in_its_phase(measured: tuple[Path, Settings]) -> None:
    folder, settings = measured
    (trial,) = calibration.load(folder)
    assert trial.delays == (0.0, 0.5, 1.0)
    assert trial.blocks.shape[2:4] == (3, 2)
    base, head = np.median(trial.blocks, axis=(0, 1, 4))[2]
    forward = 1 + calibration.PHASES.index(trial.phase)
    assert head[forward] - base[forward] >= 0.8 * settings.iteration_s
    assert trial.elapsed_s[-1] > 0


def test_only_what_is_missing_is_measured_again(measured: tuple[Path, Settings]) -> None:
    folder, settings = measured
    assert calibration.missing(folder, 3) == [1, 2]
    assert calibration.open_folder(folder, side(Path.cwd()), FIELDS, BENCHMARK) == settings
    updated = FIELDS | {"machine": {**FIELDS["machine"], "kernel": "6.2"}}
    assert calibration.open_folder(folder, side(Path.cwd()), updated, BENCHMARK) == settings


def test_a_folder_with_other_settings_is_refused(measured: tuple[Path, Settings]) -> None:
    with pytest.raises(UsageError, match=r"another optimizer, another machine \(optimizer: sgd"):
        calibration.open_folder(
            measured[0], side(Path.cwd()), FIELDS | {"optimizer": "adam", "machine": {}}, BENCHMARK
        )


def test_a_damaged_trial_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "0003.npz").write_bytes(b"PK\x03\x04half")
    with pytest.raises(UsageError, match=r"0003.npz' is damaged .* remove it"):
        list(calibration.load(tmp_path))


def test_an_optimizer_whose_phases_cannot_be_delayed_is_refused(tmp_path: Path) -> None:
    benchmark = BENCHMARK | {"optimizer": "torch.optim:LBFGS"}
    fields = FIELDS | {"optimizer": "torch.optim:LBFGS"}
    with pytest.raises(UsageError, match="runs forward and backward itself"):
        calibration.open_folder(tmp_path / "new", side(Path.cwd()), fields, benchmark)
    assert not (tmp_path / "new").exists()


def test_a_folder_without_calibration_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no calibration"):
        calibration.read_settings(tmp_path)


def test_what_is_stored_is_what_was_measured(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    trial = made_trial(4, settings, 0.01)
    calibration._store(trial, tmp_path)
    (found,) = calibration.load(tmp_path)
    np.testing.assert_allclose(found.blocks, trial.blocks, atol=1e-7)
    assert (found.number, found.phase, found.delays) == (4, trial.phase, trial.delays)
    assert found.commit == "a1"
