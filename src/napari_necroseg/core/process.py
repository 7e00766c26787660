"""Runs a job in a process of its own, and measures the memory that a process may still use."""

import ctypes
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from importlib import import_module
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psutil

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.events import Event

Flags = Mapping[str, threading.Event]
Job = Callable[[Flags], Iterator[Event]]

# The window comes first (benchmarks/window_while_training.py). At a higher value other programs that compute
# would leave the job next to nothing.
_NICENESS = 5
_SECONDS_BETWEEN_LOOKS = 0.03

# Time to clean up for a job that was asked to stop; within two seconds it must be gone.
_SECONDS_TO_STOP = 1.5
_MOST_OF_A_REPORT = 4000

# Exit codes of SIGKILL, by which the system ends a process that takes too much memory, of SIGABRT, by which a
# library ends one that gets none, and of the same on Windows.
_KILLED = (-9, 137, -6, 134, 0xC0000017, 0xC0000409)

# Kinds of messages: an event, an error, the end of the job, or the loss of the other process.
_EVENT, _ERROR, _END, _GONE = "event", "error", "end", "gone"

# From malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1
_MIB = 2**20

# For each version of control groups: the limit, the memory in use, and how much of that is a cache of files,
# which the system drops when memory is short.
_GROUP_FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def run_remotely(job: Job, flags: Flags) -> Iterator[Event]:
    """Run a job in another process of lower priority, and yield its events.

    Closing the iterator ends the process at once or, if the flag ``stop`` is set, after the job has cleaned
    up, for 1.5 seconds at most. A job that ignores ``stop`` for so long is ended as well.

    `job`: called in the other process, with flags of the same names; the job and its events can be pickled.
    `flags`: may be set and cleared at any time; the job sees the changes.
    Raises ResourceError if the process ends without a report, as it does when the system runs out of memory.
    Raises whatever the job raises.
    """
    key = os.urandom(32)
    with Listener(authkey=key) as listener, tempfile.TemporaryFile() as report:
        command = [sys.executable, "-m", __name__, str(listener.address)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=report, stderr=report, **_quiet())
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            # A process that has ended already is reported below.
            process.stdin.write(key.hex().encode() + b"\n")
            process.stdin.flush()
        other = _Other(process, flags)
        threading.Thread(target=other.listen, args=(listener, job), daemon=True).start()
        try:
            yield from other.events(report)
        finally:
            other.end()


class _Other:
    """The other process, as this one sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", flags: Flags) -> None:
        self._process = process
        self._flags = flags
        self._sent = dict.fromkeys(flags, False)
        self._deadline = math.inf
        self._connection: Connection | None = None
        self._arrived: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def listen(self, listener: Listener, job: Job) -> None:
        """Send the job and receive messages; runs in a thread of its own."""
        try:
            self._connection = listener.accept()
            self._connection.send(job)
            while True:
                self._arrived.put(self._connection.recv())
        except (OSError, EOFError):
            # All that it sent before is in the queue already.
            self._arrived.put((_GONE, None))
        except (
            Exception
        ) as error:  # another program connected, or an object cannot be pickled: `events` raises it
            self._arrived.put((_ERROR, error))

    def events(self, report: IO[bytes]) -> Iterator[Event]:
        """Yield events until the end, or until a stop takes too long; raise the error of the job."""
        while not self._is_overdue():
            self._tell_flags()
            try:
                kind, what = self._arrived.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                if self._connection is None and self._process.poll() is not None:
                    raise _vanished(self._process.returncode, report) from None
                continue
            if kind == _END:
                return
            if kind == _GONE:
                raise _vanished(self._process.wait(), report)
            if kind == _ERROR:
                raise what
            yield what

    def end(self) -> None:
        """End the process, after time to clean up if it was asked to stop."""
        self._tell_flags()
        try:
            # A process that has not connected yet has nothing to clean up.
            if self._is_stopping and self._connection is not None:
                self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._connection is not None:
                self._connection.close()

    @property
    def _is_stopping(self) -> bool:
        """Whether it was asked to stop; its time to clean up begins when this is first read."""
        if "stop" not in self._flags or not self._flags["stop"].is_set():
            return False
        self._deadline = min(self._deadline, time.monotonic() + _SECONDS_TO_STOP)
        return True

    def _is_overdue(self) -> bool:
        return self._is_stopping and (self._connection is None or time.monotonic() > self._deadline)

    def _tell_flags(self) -> None:
        if self._connection is None:
            return
        for name, flag in self._flags.items():
            if flag.is_set() != self._sent[name]:
                self._sent[name] = flag.is_set()
                try:
                    self._connection.send((name, self._sent[name]))
                except OSError:
                    # It has ended; its earlier messages are still read.
                    return


def _vanished(code: int, report: IO[bytes]) -> ResourceError:
    report.seek(0, os.SEEK_END)
    report.seek(max(0, report.tell() - _MOST_OF_A_REPORT))
    said = report.read().decode(errors="replace").strip().splitlines()
    last = f" It said last: {said[-1]}" if said else ""
    if code in _KILLED:
        return ResourceError(
            f"The process that computed was ended by the system (code {code}); most often the memory of the "
            "computer did not suffice. Close other programs, or choose a smaller batch, and go on from the "
            f"last save.{last}"
        )
    return ResourceError(
        f"The process that computed ended by itself (code {code}); go on from the last save.{last}"
    )


def _quiet() -> dict[str, Any]:
    """Options for Windows: no console window, and a lower priority, since `os.nice` does not exist there."""
    if sys.platform != "win32":
        return {}
    return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS}


def serve(address: str) -> None:
    """Receive a job, run it and send its events: the other process of `run_remotely`."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    keep_freed_memory()
    key = bytes.fromhex(sys.stdin.readline().strip())
    with Client(address, authkey=key) as connection:
        job = connection.recv()
        flags = _mirrored(connection)
        try:
            with closing(job(flags)) as events:
                for event in events:
                    connection.send((_EVENT, event))
            connection.send((_END, None))
        except Exception as error:  # raised in the other process
            error.add_note("".join(traceback.format_exception(error)))
            connection.send((_ERROR, error))


class _Flags(dict[str, threading.Event]):
    """Flags by name, made on first use."""

    def __missing__(self, name: str) -> threading.Event:
        return self.setdefault(name, threading.Event())


def _mirrored(connection: Connection) -> Flags:
    """Return flags that follow those of the other process; if that ends, this process ends, too."""
    flags = _Flags()

    def follow() -> None:
        try:
            while True:
                name, is_set = connection.recv()
                (flags[name].set if is_set else flags[name].clear)()
        except (OSError, EOFError):
            # The other process is gone: exit without cleaning up, so that the checkpoint survives.
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    return flags


if __name__ == "__main__":
    # Under its real name, since pickled objects are looked up there.
    import_module("napari_necroseg.core.process").serve(sys.argv[1])


class _Mallinfo2(ctypes.Structure):
    # Ten numbers; the ninth is how many bytes are free within the process.
    _fields_ = (
        ("of_no_interest", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def keep_freed_memory() -> None:
    """Make the C library keep freed memory, for the rest of a process that does nothing but compute.

    The features of a network are allocated anew in every layer. By default the GNU C library hands pieces of
    more than 32 MiB back to the system at once, which then clears them page by page for the next layer: a
    third of the time of a 3D training. Other C libraries are left as they are, and blocks of more than 64 MiB
    are kept in the first thread of a process only.
    """
    if library := _gnu_library():
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def available_bytes() -> int:
    """Return the memory that this process may still use, by the system and by each limit that applies.

    The limits are those of its control groups (a container, a SLURM job), of ``ulimit``, and of a SLURM job
    that is watched without a control group. Memory that the process has freed and kept counts as usable.
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
    """Yield, for each control group of this process with a limit, how many bytes of that are left.

    `root` is the folder of ``proc/self``, which lists the groups and their mounts; tests give another one.
    """
    for kind, mounted_root, mount in _mounts_of_groups(root / "proc/self/mountinfo"):
        names = _GROUP_FILES[kind]
        top = root / mount.relative_to("/")
        for group in _with_parents(_group_of(root / "proc/self/cgroup", kind), mounted_root):
            with suppress(OSError, ValueError):
                yield _left_in_group(top / group, names)


def _mounts_of_groups(mountinfo: Path) -> Iterator[tuple[str, PurePosixPath, PurePosixPath]]:
    """Yield the kind, the root in the hierarchy and the mount point of each tree that can limit memory."""
    for line in _lines(mountinfo):
        fields, _, rest = line.partition(" - ")
        mount, system = fields.split(), rest.split()
        if len(mount) < 5 or len(system) < 3:
            continue
        if system[0] == "cgroup2" or (system[0] == "cgroup" and "memory" in system[2].split(",")):
            yield system[0], PurePosixPath(mount[3]), PurePosixPath(mount[4])


def _group_of(table: Path, kind: str) -> PurePosixPath:
    """Return the group of this process in the tree of a kind; the root of the tree if none is listed."""
    for line in _lines(table):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "" if kind == "cgroup2" else "memory" in controllers.split(","):
            return PurePosixPath(path)
    return PurePosixPath("/")


def _with_parents(group: PurePosixPath, mounted_root: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield a group and all above it, relative to the mount of the tree: each may have a limit."""
    # In a container the mount may begin at the container's group, or the group be named from outside.
    inside = group.relative_to(mounted_root) if group.is_relative_to(mounted_root) else PurePosixPath()
    if inside.is_absolute():
        inside = inside.relative_to("/")
    yield from dict.fromkeys((inside, *inside.parents, PurePosixPath()))


def _left_in_group(folder: Path, names: tuple[str, str, str]) -> int:
    """Return how much of its limit a group has left; an error if its files are missing or say ``max``."""
    limit, used = (int((folder / name).read_text(encoding="ascii")) for name in names[:2])
    dropped = 0
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name == names[2]:
            dropped = int(value)
    return limit - max(0, used - dropped)


def _left_by_ulimit() -> Iterator[int]:
    """Yield how much is left of the limits on address space and data (``ulimit -v``, ``ulimit -d``)."""
    try:
        import resource
    except ImportError:
        # Windows has no such limits.
        return
    memory = psutil.Process().memory_info()
    for limit, used in ((resource.RLIMIT_AS, memory.vms), (resource.RLIMIT_DATA, getattr(memory, "data", 0))):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield soft - used


def left_in_slurm_job(environment: Mapping[str, str]) -> Iterator[int]:
    """Yield how much is left of a SLURM job's memory on a node: many clusters end a job that takes more.

    SLURM states memory in MiB; 0 stands for the whole node.
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
    """Return the memory in use by this process and by those that it started."""
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
    """Return the C library if it is that of GNU (of 2021 or later), else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _Mallinfo2
    return library
