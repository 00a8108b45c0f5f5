"""glibc's allocator: keep freed memory instead of returning it to the kernel.

Training allocates and frees the same large blocks every iteration. By default glibc maps each of
them anew and the kernel clears them page by page, which costs up to a third of an iteration and
much of its steadiness. ``mallopt(3)`` raises the thresholds; it holds for the whole process.
"""

import ctypes
import os
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_MMAP_THRESHOLD = 32 * 1024 * 1024  # the most that glibc accepts on 64 bits
_LARGE = 64 * 1024
_TRIM_THRESHOLD = 2**31 - 1
SWITCH = "OPTBENCH_MALLOC"

_tuned = False


def is_glibc() -> bool:
    """Whether this process runs on glibc."""
    return platform.libc_ver()[0] == "glibc"


def tune() -> bool:
    """Raise glibc's thresholds for this process, unless ``OPTBENCH_MALLOC=0``.

    Only the command line calls this, in processes of its own.

    Returns:
        Whether it is in force.
    """
    global _tuned
    if is_glibc() and os.environ.get(SWITCH) != "0":
        mallopt = ctypes.CDLL(None).mallopt
        accepted = [
            mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD),
            mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD),
        ]
        _tuned = all(accepted)
    return _tuned


def return_at_once() -> None:
    """Make what is allocated and what is resident the same, but for blocks below 64 KiB.

    Each larger one is mapped on its own from now on, and goes back to the kernel when it is freed;
    what was freed before goes back now. Otherwise the same training scatters by several MiB.
    """
    if is_glibc():
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.malloc_trim(0)


def describe() -> dict[str, str | bool]:
    """The allocator of this process, for the record."""
    return {"libc": " ".join(platform.libc_ver()).strip() or platform.system(), "tuned": _tuned}
