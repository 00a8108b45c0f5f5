"""What processes are told to do in tests: importable, since they are processes of their own."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.errors import UnknownNameError
from bench.support.forking import Tell

STATE: list[int] = []


class Foreign:
    pass


def prepare(_: Tell, value: int) -> None:
    STATE.append(value)


def compute_with_threads(_: Tell, value: int) -> None:
    import torch

    torch.set_num_threads(2)
    torch.ones(1 << 20).exp().sum()
    STATE.append(value)


def refuse(_: Tell, *__: Any) -> None:
    raise UnknownNameError("there is no such thing")


def vanish(_: Tell, *__: Any) -> None:
    os._exit(0)


def state(_: Tell) -> list[int]:
    return STATE


def change(_: Tell, value: int) -> list[int]:
    STATE.append(value)
    return STATE


def backward(_: Tell) -> float:
    import torch

    torch.set_num_threads(2)
    weight = torch.ones(1 << 17, requires_grad=True)
    (weight.exp().sum() / weight.numel()).backward()
    assert weight.grad is not None
    return round(float(weight.grad.sum()), 4)


def count(tell: Tell, up_to: int) -> np.ndarray:
    for number in range(up_to):
        tell(number)
    return np.zeros(1 << 20)


def kill_itself(_: Tell) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_: Tell) -> None:
    sys.exit(3)


def fail(_: Tell) -> None:
    raise RuntimeError("no good")


def answer_something_foreign(_: Tell) -> Foreign:
    return Foreign()


def fork(_: Tell) -> int:
    os.fork()
    return 5


def leave_a_process_behind(_: Tell) -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


def shout(_: Tell) -> None:
    print("HERE")
    os.system("echo AND HERE")


def wait(tell: Tell) -> str:
    try:
        tell(os.getpid())
        time.sleep(600)
    except KeyboardInterrupt:
        return "interrupted"
    return "waited"


def sleep(tell: Tell) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell(os.getpid())
    time.sleep(600)
