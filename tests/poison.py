"""Plug-ins that do something to their process: each is one's own misfortune, and nobody else's."""

import atexit
import os
import signal
import sys
from typing import Any

import torch


class _Poison(torch.optim.SGD):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr=lr)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step()
        self.poison()

    def poison(self) -> None: ...


class Dtype(_Poison):
    def poison(self) -> None:
        torch.set_default_dtype(torch.float64)


class Device(_Poison):
    def poison(self) -> None:
        torch.set_default_device("meta")


class Threads(_Poison):
    def poison(self) -> None:
        torch.set_num_threads(torch.get_num_threads() + 1)


class Grad(_Poison):
    def poison(self) -> None:
        torch.set_grad_enabled(False)


class Patched(_Poison):
    def poison(self) -> None:
        torch.optim.SGD.step = lambda self, closure=None: None  # type: ignore[method-assign]


class PatchedLoss(_Poison):
    def poison(self) -> None:
        forward = torch.nn.MSELoss.forward
        torch.nn.MSELoss.forward = lambda *given: 2 * forward(*given)  # type: ignore[method-assign]


class Elsewhere(_Poison):
    def poison(self) -> None:
        os.chdir("/")


class Exit(_Poison):
    def poison(self) -> None:
        os._exit(0)


class Leave(_Poison):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        sys.exit(0)


class Killed(_Poison):
    def poison(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Printing(_Poison):
    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, lr)
        atexit.register(print, "bye")

    def poison(self) -> None:
        print("here I am")


class Forking(_Poison):
    forked = False

    def poison(self) -> None:
        if not Forking.forked:
            Forking.forked = True
            os.fork()


FAILS = {
    "Dtype": "initial parameters are no longer",
    "Device": "",
    "Grad": "",
    "Exit": "exit code 0",
    "Leave": "SystemExit",
    "Killed": "SIGKILL",
}
"""The plug-ins whose own run fails, and what is said of it."""

NAMES = (
    "Dtype", "Device", "Threads", "Grad", "Patched", "PatchedLoss", "Elsewhere", "Exit", "Leave",
    "Killed", "Printing", "Forking",
)  # fmt: skip
