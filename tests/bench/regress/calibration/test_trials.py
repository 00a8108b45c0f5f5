"""Calibration: what is measured, stored and resumed."""

from pathlib import Path

import numpy as np
import pytest

from bench.errors import UsageError
from bench.regress.calibration import trials as calibration
from bench.regress.calibration.trials import Settings
from tests.bench.regress.calibration.trials import FIELDS, made_settings, made_trial
from tests.bench.regress.workers import side

BENCHMARK = {"problem": "quadratic", "optimizer": "sgd", "eval_every": 0, "device": "cpu"}


@pytest.fixture
def settings() -> Settings:
    return made_settings()


def test_each_trial_has_the_main_delay_and_the_others_in_turn_in_each_phase(
    settings: Settings,
) -> None:
    assert [settings.arms(number)[2:] for number in range(3)] == [
        [0.05, 0.02], [0.05, 0.10], [0.05, 0.02],
    ]  # fmt: skip
    met = {(settings.arms(n)[3], settings.phase(n)) for n in range(6)}
    assert met == {(d, p) for d in (0.02, 0.10) for p in ("forward", "backward", "step")}


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
    assert trial.blocks.shape[2] == len(trial.delays) == 4
    medians = np.median(trial.blocks, axis=(0, 1, 3))
    forward = 1 + calibration.PHASES.index(trial.phase)
    assert medians[2, forward] - medians[0, forward] >= 0.8 * settings.iteration_s
    assert trial.elapsed_s[-1] > 0


def test_only_what_is_missing_is_measured_again(measured: tuple[Path, Settings]) -> None:
    folder, settings = measured
    assert calibration.missing(folder, 3) == [1, 2]
    assert calibration.open_folder(folder, side(Path.cwd()), FIELDS, BENCHMARK) == settings


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
