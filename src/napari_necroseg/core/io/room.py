"""Whether an image has room in memory: asked before it is read, said in a sentence if it has none."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.memory import available_bytes

# Several times the largest stack that a scanner makes: what announces more is damaged or no MR stack.
MOST_VOXELS = 500_000_000
# A voxel as float32, and once more while it is put into order.
_BYTES_A_VOXEL = 8
# Less is not worth the question.
_SMALL_BYTES = 2**25
_GIB = 2**30


def check_room(shape: tuple[int, ...], name: str, *, file_bytes_a_voxel: int) -> None:
    """Refuse an image that has no room in memory, before anything of its size is allocated.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    name
        Of the file.
    file_bytes_a_voxel
        What is held of the file's own voxels meanwhile.

    Raises
    ------
    ResourceError
        With the memory that it takes and the memory that there is.
    """
    needed = math.prod(shape) * (file_bytes_a_voxel + _BYTES_A_VOXEL)
    if needed > _SMALL_BYTES and needed > (free := available_bytes()):
        raise ResourceError(
            f"{_capital(name)} has {times(shape)} voxels, and working on it takes about {_gib(needed)} of "
            f"memory; {_gib(free)} are free. Close other programs, or crop the image."
        )


def check_number_of_voxels(shape: tuple[int, ...], name: str) -> None:
    """Refuse an image with more voxels than any scanner makes.

    Raises
    ------
    FileError
        With how many it announces.
    """
    if math.prod(shape) > MOST_VOXELS:
        raise FileError(
            f"{name} announces {times(shape)} voxels, more than the {MOST_VOXELS // 10**6} million that are "
            "read here; it is damaged or no stack of MR slices. Export it again, or crop it."
        )


@contextmanager
def memory_for(what: str) -> Iterator[None]:
    """Turn a lack of memory within the context into one sentence about `what`.

    Raises
    ------
    ResourceError
        Where numpy or Python found too little memory.
    """
    try:
        yield
    except MemoryError as error:
        raise ResourceError(
            f"Not enough memory for {what}; close other programs, or crop the image."
        ) from error


def times(shape: tuple[int, ...]) -> str:
    """A shape as a person writes it, ``20 x 320 x 320``."""
    return " x ".join(str(n) for n in shape)


def _capital(name: str) -> str:
    return f"T{name[1:]}" if name.startswith("the ") else name


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.1f} GiB"
