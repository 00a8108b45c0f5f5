"""Which device a run uses."""

import torch

from bench.errors import UsageError


def resolve(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:<i>`` into a device that is there.

    Raises:
        UsageError: The name is none of these, or the device is not there.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    available = ["auto", "cpu", *(f"cuda:{index}" for index in range(count))]
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    if name == "cuda":
        name = "cuda:0"
    if name not in available:
        raise UsageError(
            f"Device '{name}' is not available. Available here: {', '.join(available)}."
        )
    return torch.device(name)
