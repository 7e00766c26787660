"""What an error means for the person in front of the screen."""

import errno

from napari_necroseg.core.errors import NecrosegError

_PLAIN_OS_ERRORS = {
    errno.ENOSPC: "The disk is full",
    errno.EACCES: "This place cannot be written to or read from",
    errno.EPERM: "This place cannot be written to or read from",
    errno.EROFS: "This place cannot be written to",
    errno.ENOENT: "A file or folder is missing",
}


def is_foreseen(error: BaseException) -> bool:
    """Whether the message says all there is to say, so that a traceback would help nobody."""
    return isinstance(error, NecrosegError | MemoryError) or (
        isinstance(error, OSError) and error.errno in _PLAIN_OS_ERRORS
    )


def explain(error: BaseException) -> str:
    """Say in plain words what happened, and what to do next."""
    if isinstance(error, NecrosegError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this. Close other programs or layers, and try again."
    if isinstance(error, OSError) and error.errno in _PLAIN_OS_ERRORS:
        place = f" ({error.filename})" if error.filename else ""
        return f"{_PLAIN_OS_ERRORS[error.errno]}{place}. Choose another place, or make room, and try again."
    return (
        f"This failed in a way that the program did not foresee ({type(error).__name__}: {error}). "
        "Your data is unchanged. Press Details to copy the report for the developers."
    )
