"""Mistakes that a user can act on: the message says what happened, with numbers, and what to do next."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What to do about an error of the system, by its name (not every system knows each); what it is, the system
# says itself.
_ADVICE = {
    "EACCES": "Ask for access to it, or choose another place.",
    "EPERM": "Ask for access to it, or choose another place.",
    "EROFS": "Choose a place that can be written to.",
    "EBUSY": "Another program has it open: close it there, and try again.",
    "ETXTBSY": "Another program has it open: close it there, and try again.",
    "EIO": "The disk or the network drive fails: check it, and copy the file again.",
    "ENOSPC": "Free some space or choose another folder.",
    "EDQUOT": "Your share of the disk is used up: free some space or choose another folder.",
    "EFBIG": "The file system or a limit of yours allows no file that large: choose another folder.",
    "ENAMETOOLONG": "Choose a shorter name.",
    "EISDIR": "It is a folder; name a file.",
    "ENOTDIR": "A part of its path is a file, not a folder: mend the path.",
    "ELOOP": "It is a link that leads back to itself: remove the link, or name the real place.",
    "ENOENT": "Check the path.",
    "EEXIST": "Choose another name.",
    "ENOTEMPTY": "Choose another folder.",
    "EMFILE": "Too many files are open: close other programs, and try again.",
    "ENFILE": "Too many files are open: close other programs, and try again.",
    "ESTALE": "The network drive was cut off: connect it again.",
    "ETIMEDOUT": "The network drive does not answer: connect it again.",
    "ENOMEM": "Close other programs, and try again.",
}
# Lack of memory, as torch, numba and the system's loader say it in errors of other kinds.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to map segment",
)
# Python, of a limit of processes, and pathlib up to Python 3.12.
_NO_THREAD = "can't start new thread"
_LOOP = "Symlink loop"
_FEWER = "Close other programs, or raise the limit (ulimit -u)."
# Windows: another process has the file, or a part of it.
_IN_USE = (32, 33)


class NecrosegError(Exception):
    """A mistake that the user can mend; shown as one sentence, never as a traceback."""


class FileError(NecrosegError):
    """A file that is missing, foreign, damaged, or of a kind that this program refuses."""


class GeometryError(NecrosegError):
    """Voxels whose place in the patient is unknown, impossible, or contradicts another image."""


class CohortError(NecrosegError):
    """A table or folder of cases with a row that is wrong, missing or ambiguous."""


class SettingsError(NecrosegError):
    """A choice that is out of bounds or contradicts another choice."""


class ModelError(NecrosegError):
    """A trained model that is damaged, of another kind, or unfit for the case."""


class ResourceError(NecrosegError):
    """Too little memory, disk space or an absent device."""


# What `mistake_of` may know a sentence for.
SYSTEM_ERRORS = (OSError, MemoryError, UnicodeEncodeError, RuntimeError, ImportError)


@contextmanager
def as_mistakes() -> Iterator[None]:
    """Raise errors of the system as the mistakes that they mean; those that nobody foresaw stay."""
    try:
        yield
    except SYSTEM_ERRORS as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        raise mistake from error


def unreadable(path: Path, error: OSError) -> FileError:
    """Return the sentence for a file that could not be read."""
    said = "may not be read" if error.errno in (errno.EACCES, errno.EPERM) else "could not be read"
    return FileError(f"{path} {said}: {_reason(error)}")


def unwritable(path: Path, error: OSError, *, done: str = "written") -> ResourceError:
    """Return the sentence for a file or folder that could not be written, or what else was to be `done`."""
    if error.errno == errno.ENOMEM:
        return _no_memory(error)
    return ResourceError(f"{path} could not be {done}: {_reason(error)}")


def mistake_of(error: BaseException) -> NecrosegError | None:
    """Return what an error of the system means for a person; None for one that nobody foresaw.

    Mistakes are returned as they are.
    """
    if isinstance(error, NecrosegError):
        return error
    if _lacks_memory(error):
        return _no_memory(error)
    match error:
        case OSError():
            place = "" if error.filename is None else f"{error.filename}: "
            return ResourceError(f"{place}{_reason(error)}")
        case UnicodeEncodeError(object=text, start=start, end=end):
            name = ascii(text[max(0, start - 40) : end + 40])
            return FileError(f"A name cannot be written here ({error.reason}): {name}. Choose another name.")
        case RuntimeError():
            return _of_runtime(error)
    return None


def _of_runtime(error: RuntimeError) -> NecrosegError | None:
    if _LOOP in str(error):
        return FileError(f"{error}. Remove the link that leads back to itself, or name the real place.")
    if _NO_THREAD in str(error):
        return ResourceError(f"The system allows this program no more threads. {_FEWER}")
    return None


def _lacks_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    says_so = any(sign in str(error).lower() for sign in _NO_MEMORY)
    return isinstance(error, MemoryError) or (says_so and isinstance(error, RuntimeError | ImportError))


def _no_memory(error: BaseException) -> ResourceError:
    size = re.search(r"[0-9.,]+ ?([KMGT]i?B|bytes)", str(error))
    lack = f" ({size[0]} were asked for)" if size else ""
    return ResourceError(f"There is not enough memory for this{lack}; close other programs, and try again.")


def _reason(error: OSError) -> str:
    """What happened, in the system's words, and what to do about it; starts with a capital letter."""
    said = error.strerror or str(error) or type(error).__name__
    is_in_use = getattr(error, "winerror", None) in _IN_USE
    name = "EBUSY" if is_in_use else errno.errorcode.get(error.errno or 0, "")
    return f"{said.rstrip('.')}. {_ADVICE.get(name, 'Try again, or choose another place.')}"
