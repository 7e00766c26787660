"""One process at a time: a file that is locked while something is done in a folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.io.atomic import make_folder
from napari_necroseg.core.io.journal import lock

_SECONDS_BETWEEN_TRIES = 0.2


@contextmanager
def alone(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Keep others from entering a context of the same file, on this computer or on others that share it.

    The system frees the file when the process ends, however it ends. Where it knows no locks, all may enter.

    Parameters
    ----------
    path
        The file; it is gone afterwards.
    what
        What is being done, for the message.
    wait_s
        How long to wait for another process.

    Raises
    ------
    FileError
        If another process is within.
    ResourceError
        If the file cannot be made.
    """
    make_folder(path.parent)
    try:
        file = FileIO(path, "a")
    except OSError as error:
        raise ResourceError(f"{path} could not be written: {error.strerror}.") from error
    with file:
        _take(file, what, wait_s)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _take(file: FileIO, what: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            lock(file)
            return
        except FileError as error:
            if time.monotonic() >= deadline:
                raise FileError(
                    f"{what} is under way in another window or program; wait for it, or stop it there."
                ) from error
            time.sleep(_SECONDS_BETWEEN_TRIES)
