"""Errors that a user can act on: each message says what happened, with numbers, and what to do next."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_necroseg.core.language import Said, said, to_translate

# What to do about an error of the system, by the error's name (not every system has all of them). The system
# itself says what has happened.
_ADVICE = {
    "EACCES": to_translate("Ask for access to it, or choose another place."),
    "EPERM": to_translate("Ask for access to it, or choose another place."),
    "EROFS": to_translate("Choose a place that can be written to."),
    "EBUSY": to_translate("Another program has it open: close it there, and try again."),
    "ETXTBSY": to_translate("Another program has it open: close it there, and try again."),
    "EIO": to_translate("The disk or the network drive fails: check it, and copy the file again."),
    "ENOSPC": to_translate("Free some space or choose another folder."),
    "EDQUOT": to_translate("Your share of the disk is used up: free some space or choose another folder."),
    "EFBIG": to_translate(
        "The file system or a limit of yours allows no file that large: choose another folder."
    ),
    "ENAMETOOLONG": to_translate("Choose a shorter name."),
    "EISDIR": to_translate("It is a folder; name a file."),
    "ENOTDIR": to_translate("A part of its path is a file, not a folder: mend the path."),
    "ELOOP": to_translate("It is a link that leads back to itself: remove the link, or name the real place."),
    "ENOENT": to_translate("Check the path."),
    "EEXIST": to_translate("Choose another name."),
    "ENOTEMPTY": to_translate("Choose another folder."),
    "EMFILE": to_translate("Too many files are open: close other programs, and try again."),
    "ENFILE": to_translate("Too many files are open: close other programs, and try again."),
    "ESTALE": to_translate("The network drive was cut off: connect it again."),
    "ETIMEDOUT": to_translate("The network drive does not answer: connect it again."),
    "ENOMEM": to_translate("Close other programs, and try again."),
}
# What the system says, where the catalogue of the languages has it, too.
_WORDS_OF_SYSTEMS = (
    to_translate("No space left on device"),
    to_translate("Permission denied"),
    to_translate("Read-only file system"),
    to_translate("No such file or directory"),
    to_translate("Input/output error"),
)
# How torch, numba and the system's loader report a lack of memory in errors of other types.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to map segment",
)
# Messages of Python at a limit of processes, and of pathlib up to Python 3.12.
_NO_THREAD = "can't start new thread"
_LOOP = "Symlink loop"
# Windows errors of a file that another process has open or locked.
_IN_USE = (32, 33)


class NecrosegError(Exception):
    """A problem that the user can solve; shown as one sentence, never as a traceback."""


class FileError(NecrosegError):
    """A file that is missing, damaged, another program's, or of a kind that this program refuses."""


class GeometryError(NecrosegError):
    """Voxels whose place in the patient is unknown, impossible, or in contradiction to another image."""


class CohortError(NecrosegError):
    """A table or folder of cases with a wrong, missing or ambiguous case."""


class SettingsError(NecrosegError):
    """A setting that is out of bounds or contradicts another one."""


class ModelError(NecrosegError):
    """A trained model that is damaged, of another kind, or unfit for the case."""


class ResourceError(NecrosegError):
    """Too little memory or disk space, or a device that is not there."""


# The types of errors for which `mistake_of` may have a sentence.
SYSTEM_ERRORS = (OSError, MemoryError, UnicodeEncodeError, RuntimeError, ImportError)


@contextmanager
def as_mistakes() -> Iterator[None]:
    """Raise known errors of the system as a `NecrosegError`; others are raised as they are."""
    try:
        yield
    except SYSTEM_ERRORS as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        raise mistake from error


def unreadable(path: Path, error: OSError) -> FileError:
    """Return the error for a file that could not be read."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileError(said("{path} may not be read: {reason}", path=path, reason=_reason(error)))
    return FileError(said("{path} could not be read: {reason}", path=path, reason=_reason(error)))


def unwritable(path: Path, error: OSError, *, done: str = "written") -> ResourceError:
    """Return the error for a file or folder that could not be written (or removed: `done`)."""
    if error.errno == errno.ENOMEM:
        return _no_memory(error)
    if done == "removed":
        return ResourceError(said("{path} could not be removed: {reason}", path=path, reason=_reason(error)))
    return ResourceError(said("{path} could not be written: {reason}", path=path, reason=_reason(error)))


def mistake_of(error: BaseException) -> NecrosegError | None:
    """Return an error of the system as a `NecrosegError`; None for one that is not known.

    A `NecrosegError` is returned as it is.
    """
    if isinstance(error, NecrosegError):
        return error
    if _lacks_memory(error):
        return _no_memory(error)
    match error:
        case OSError():
            reason = _reason(error)
            named = said("{place}: {reason}", place=error.filename, reason=reason)
            return ResourceError(reason if error.filename is None else named)
        case UnicodeEncodeError(object=text, start=start, end=end):
            name = ascii(text[max(0, start - 40) : end + 40])
            return FileError(
                said(
                    "A name cannot be written here ({reason}): {name}. Choose another name.",
                    reason=error.reason,
                    name=name,
                )
            )
        case RuntimeError():
            return _of_runtime(error)
    return None


def _of_runtime(error: RuntimeError) -> NecrosegError | None:
    if _LOOP in str(error):
        return FileError(
            said(
                "{error}. Remove the link that leads back to itself, or name the real place.",
                error=str(error),
            )
        )
    if _NO_THREAD in str(error):
        return ResourceError(
            said(
                "The system allows this program no more threads. Close other programs, or raise the limit "
                "(ulimit -u)."
            )
        )
    return None


def _lacks_memory(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    says_so = any(sign in str(error).lower() for sign in _NO_MEMORY)
    return isinstance(error, MemoryError) or (says_so and isinstance(error, RuntimeError | ImportError))


def _no_memory(error: BaseException) -> ResourceError:
    size = re.search(r"[0-9.,]+ ?([KMGT]i?B|bytes)", str(error))
    if size is None:
        return ResourceError(
            said("There is not enough memory for this; close other programs, and try again.")
        )
    return ResourceError(
        said(
            "There is not enough memory for this ({size} were asked for); close other programs, and try "
            "again.",
            size=size[0],
        )
    )


def _reason(error: OSError) -> Said:
    """Return what happened, in the system's words, and what to do about it."""
    words = (error.strerror or str(error) or type(error).__name__).rstrip(".")
    is_in_use = getattr(error, "winerror", None) in _IN_USE
    name = "EBUSY" if is_in_use else errno.errorcode.get(error.errno or 0, "")
    advice = _ADVICE.get(name, to_translate("Try again, or choose another place."))
    return said("{what}. {advice}", what=Said(words), advice=Said(advice))
