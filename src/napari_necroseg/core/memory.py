"""Memory that a job frees and needs again at once stays with its process."""

import ctypes
import sys
from functools import cache
from typing import Any

import psutil

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


class _Mallinfo2(ctypes.Structure):
    # Ten numbers, of which the bytes that are free within the process are the ninth.
    _fields_ = (
        ("of_no_interest", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the rest of a process that does nothing but compute.

    A network's features come and go with every layer. As it is set up, the GNU C library hands pieces of more
    than 32 MiB back to the system at once, which then clears them page by page for the next layer: a third of
    the time of a 3D training. Nothing changes elsewhere than with the GNU C library, and blocks of more than
    64 MiB are kept in a process's first thread only.
    """
    if library := _gnu_library():
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def available_bytes() -> int:
    """Return the memory that is left for this process: that of the system, and what it has freed and kept."""
    library = _gnu_library()
    idle = int(library.mallinfo2().fordblks) if library else 0
    return int(psutil.virtual_memory().available) + idle


@cache
def _gnu_library() -> Any:
    """Return the C library if it is GNU's (of 2021 or later), else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _Mallinfo2
    return library
