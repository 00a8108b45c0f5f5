"""Names of devices, and that one which is not there is refused."""

import pytest
import torch

from bench.errors import UsageError
from bench.machine import devices


def with_cards(patch: pytest.MonkeyPatch, count: int) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: count > 0)
    patch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("cards", "name", "device"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (2, "auto", "cuda:0"),
        (2, "cuda", "cuda:0"),
        (2, "cuda:1", "cuda:1"),
        (2, "cpu", "cpu"),
    ],
)
def test_a_name_is_a_device_with_its_index(
    monkeypatch: pytest.MonkeyPatch, cards: int, name: str, device: str
) -> None:
    with_cards(monkeypatch, cards)
    assert str(devices.resolve(name)) == device


@pytest.mark.parametrize(
    ("cards", "name", "there"),
    [(0, "cuda", "auto, cpu"), (1, "cuda:1", "auto, cpu, cuda:0"), (1, "gpu", "auto, cpu, cuda:0")],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, cards: int, name: str, there: str
) -> None:
    with_cards(monkeypatch, cards)
    with pytest.raises(UsageError, match=rf"is not available\. Available here: {there}\.$"):
        devices.resolve(name)
