"""Scripts called as from the command line, and optimizers that are text."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch


def call(main: Callable[[], None], patch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Call a script with arguments."""
    patch.setattr(sys, "argv", ["script", *arguments])
    main()


def help_of(
    main: Callable[[], None], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a script says of itself."""
    with pytest.raises(SystemExit, match=r"^0$"):
        call(main, patch, "--help")
    return capsys.readouterr().out


def stepped(source: str) -> list[float]:
    """The parameters 1 and 2 with gradients 3 and 4 after a step of ``Mine`` with lr 0.1."""
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    parameter = torch.tensor([1.0, 2.0], dtype=torch.float64)
    parameter.grad = torch.tensor([3.0, 4.0], dtype=torch.float64)
    namespace["Mine"]([parameter], lr=0.1).step()
    found: list[float] = parameter.tolist()
    return found
