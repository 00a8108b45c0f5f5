"""Where tests find data, and which tests can run here."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.problems.mnist_files import MNIST_MD5
from tests import strict

_BESIDE_CHECKOUT = Path(__file__).resolve().parents[2] / "shared" / "mnist"


def _full_mnist() -> Path | None:
    """Full MNIST in torchvision's layout, if it is at hand."""
    named = os.environ.get("OPTBENCH_DATA")
    root = Path(named) if named else _BESIDE_CHECKOUT
    complete = all((root / "MNIST" / "raw" / name).is_file() for name in MNIST_MD5)
    return root if complete else None


_MNIST = _full_mnist()


def pytest_configure(config: pytest.Config) -> None:
    strict.configure(config)
    for marker in (
        "gpu: needs a CUDA device",
        "mnist: needs full MNIST, in OPTBENCH_DATA or beside this checkout",
    ):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
        if item.get_closest_marker("mnist") and _MNIST is None:
            item.add_marker(
                pytest.mark.skip(reason="full MNIST is neither in OPTBENCH_DATA nor at hand")
            )


@pytest.fixture(scope="session", autouse=True)
def _no_network_and_own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither download anything nor touch the user's cache or data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPTBENCH_OFFLINE", "1")
        patch.delenv("OPTBENCH_DATA", raising=False)
        patch.delenv("OPTBENCH_CACHE", raising=False)
        # By it pytest-benchmark takes a suite that a test starts for a part of these tests.
        patch.delenv("PYTEST_XDIST_WORKER", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def mnist_root() -> Path:
    """Folder with full MNIST; only for tests marked ``mnist``."""
    assert _MNIST is not None
    return _MNIST


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """Every device at hand."""
    return str(request.param)
