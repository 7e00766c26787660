"""How much memory this process may still use, and how it keeps what it frees and needs again at once."""

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import psutil

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1
_MIB = 2**20


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
    """Return the memory that is left for this process: the least of what the system and each limit leave.

    The limits are those of its control groups (a container, a SLURM job), of ``ulimit``, and of a SLURM job
    that is watched without a control group. What the process has freed and kept counts as left.
    """
    library = _gnu_library()
    idle = int(library.mallinfo2().fordblks) if library else 0
    left = [int(psutil.virtual_memory().available), *_left_by_limits()]
    return max(0, min(left)) + idle


def _left_by_limits() -> Iterator[int]:
    yield from left_in_control_groups()
    yield from _left_by_ulimit()
    yield from left_in_slurm_job(os.environ)


def left_in_control_groups(root: Path = Path("/")) -> Iterator[int]:
    """Yield what each control group of this process leaves of its limit, in bytes; nothing without a limit.

    Parameters
    ----------
    root
        Below it lies ``proc/self`` with the groups and where they are mounted; another one for tests.
    """
    for kind, mounted_root, mount in _mounts_of_groups(root / "proc/self/mountinfo"):
        names = _GROUP_FILES[kind]
        top = root / mount.relative_to("/")
        for group in _with_parents(_group_of(root / "proc/self/cgroup", kind), mounted_root):
            with suppress(OSError, ValueError):
                yield _left_in_group(top / group, names)


# Of each version of control groups: the limit, what is in use, and how much of that is a cache of files that
# the system drops when memory is short.
_GROUP_FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _mounts_of_groups(mountinfo: Path) -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """Yield kind, root within the hierarchy, and mount point of each tree that can limit memory."""
    for line in _lines(mountinfo):
        fields, _, rest = line.partition(" - ")
        mount, system = fields.split(), rest.split()
        if len(mount) < 5 or len(system) < 3:
            continue
        if system[0] == "cgroup2" or (system[0] == "cgroup" and "memory" in system[2].split(",")):
            yield system[0], PurePosixPath(mount[3]), PurePosixPath(mount[4])


def _group_of(table: Path, kind: str) -> PurePosixPath:
    """Return the group of this process in the tree of a kind; its root if nothing says so."""
    for line in _lines(table):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "" if kind == "cgroup2" else "memory" in controllers.split(","):
            return PurePosixPath(path)
    return PurePosixPath("/")


def _with_parents(group: PurePosixPath, mounted_root: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield a group and all above it, relative to where the tree is mounted: each may have a limit."""
    # Within a container the mount may begin at the container's own group, or the group be told from outside.
    inside = group.relative_to(mounted_root) if group.is_relative_to(mounted_root) else PurePosixPath()
    if inside.is_absolute():
        inside = inside.relative_to("/")
    yield from dict.fromkeys((inside, *inside.parents, PurePosixPath()))


def _left_in_group(folder: Path, names: tuple[str, str, str]) -> int:
    """Return the memory that a group leaves of its limit.

    Raises
    ------
    OSError, ValueError
        If it has none: the files are missing, or say ``max``.
    """
    limit, used = (int((folder / name).read_text(encoding="ascii")) for name in names[:2])
    dropped = 0
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name == names[2]:
            dropped = int(value)
    return limit - max(0, used - dropped)


def _left_by_ulimit() -> Iterator[int]:
    """Yield what the limits on address space and data leave (``ulimit -v``, ``ulimit -d``)."""
    try:
        import resource
    except ImportError:
        # Windows has none.
        return
    memory = psutil.Process().memory_info()
    for limit, used in ((resource.RLIMIT_AS, memory.vms), (resource.RLIMIT_DATA, getattr(memory, "data", 0))):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield soft - used


def left_in_slurm_job(environment: Mapping[str, str]) -> Iterator[int]:
    """Yield what a SLURM job's share of a node leaves: many clusters end a job that is over it.

    Parameters
    ----------
    environment
        Of the process. SLURM states memory in MiB; 0 stands for all of the node.
    """
    per_node = _number(environment, "SLURM_MEM_PER_NODE")
    per_core, cores = (_number(environment, f"SLURM_{name}") for name in ("MEM_PER_CPU", "CPUS_ON_NODE"))
    limit_mib = per_node or per_core * max(1, cores)
    if limit_mib:
        yield limit_mib * _MIB - _used_by_family()


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "").strip()
    return int(text) if text.isdecimal() else 0


def _used_by_family() -> int:
    """Return the memory of this process and of those that it started."""
    used = 0
    process = psutil.Process()
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.Error):
            used += int(one.memory_info().rss)
    return used


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


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
