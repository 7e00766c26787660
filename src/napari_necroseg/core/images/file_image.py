"""An image as its file holds it: checks of the name, the values and the memory that it needs."""

import gzip
import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from napari_necroseg.core.case_names import check_case_name, listed, tidy_name
from napari_necroseg.core.errors import FileError, ResourceError, unreadable
from napari_necroseg.core.files import check_readable, open_to_read
from napari_necroseg.core.process import available_bytes
from napari_necroseg.core.volume import Origin, Volume, Voxels

NIFTI_SUFFIXES = (".nii.gz", ".nii", ".hdr", ".img", ".hdr.gz", ".img.gz")
TIFF_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff")
Spacing = tuple[float, float, float]

# A mask stored as 255 with a float32 slope of 1/255 gives nearly 1, and other arithmetic is coarser. The
# tolerance is a share of the label, since rounding errors grow with it, and stays far below a half.
WHOLE_TOLERANCE = 1e-3
MOST_WHOLE_TOLERANCE = 0.05

# Several times the largest stack of a scanner: a file that announces more is damaged or no MR stack.
MOST_VOXELS = 500_000_000

# A voxel as float32, twice while the axes are reordered.
_BYTES_A_VOXEL = 8

# A smaller image is not checked.
_SMALL_BYTES = 2**25
_GIB = 2**30


@dataclass(frozen=True, eq=False)
class FileImage:
    """Voxels in the axis order of their file."""

    # An image as float32 (with slope and intercept applied), or a mask as uint8, 0 and 1.
    volume: Volume
    # Needed to save a mask onto the same grid.
    origin: Origin
    _: KW_ONLY
    # Sentences for the user on how the file was read.
    notes: tuple[str, ...] = ()


def image_suffix(path: Path) -> str:
    """Return the suffix of an image file in lower case; empty if this program does not read such files."""
    name = path.name.lower()
    return next((suffix for suffix in NIFTI_SUFFIXES + TIFF_SUFFIXES if name.endswith(suffix)), "")


def image_stem(path: Path) -> str:
    """Return the name of a file without its image suffix."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def is_tiff(path: Path) -> bool:
    """Whether a file has the name of a TIFF stack."""
    return image_suffix(path) in TIFF_SUFFIXES


def is_gzip(path: Path) -> bool:
    """Whether a file has the name of a compressed one."""
    return path.name.lower().endswith(".gz")


@contextmanager
def open_inflated(path: Path) -> Iterator[gzip.GzipFile | FileIO]:
    """Open a file to read, through gzip where its name says so; see `open_to_read` for errors."""
    with open_to_read(path) as file:
        yield gzip.GzipFile(fileobj=file) if is_gzip(path) else file


def case_name_of(path: Path) -> str:
    """Return the name of a case that consists of a single file: that of the file without its suffix."""
    name = tidy_name(image_stem(path))
    reason = check_case_name(name)
    if reason:
        raise FileError(f"The file gives the case its name, but {reason}; rename the file.")
    return name


def check_is_file(path: Path) -> None:
    """Raise an error if a file is missing, unreadable, empty, a folder, or not named like an image."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise FileError(f"There is no file {path}.") from None
    except OSError as error:
        raise unreadable(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise FileError(f"{path} is a folder, not an image file.")
    if not image_suffix(path):
        raise FileError(
            f"{path.name} is not named like an image that can be read here; use NIfTI (.nii, .nii.gz, "
            ".hdr/.img) or TIFF (.tif, .tiff)."
        )
    check_readable(path)
    if found.st_size == 0:
        raise FileError(f"{path.name} is empty (0 bytes); copy or export it again.")


def finite_or_zero(voxels: Voxels, name: str) -> tuple[Voxels, tuple[str, ...]]:
    """Replace NaN and infinity by 0, with a note on how many there were."""
    finite = np.isfinite(voxels)
    if finite.all():
        return voxels, ()
    n_replaced = int(voxels.size - np.count_nonzero(finite))
    if n_replaced == voxels.size:
        raise FileError(f"{name} holds no number at all (every voxel is NaN or infinite); export it again.")
    replaced = np.where(finite, voxels, np.asarray(0, dtype=voxels.dtype))
    were = "voxel was" if n_replaced == 1 else "voxels were"
    return replaced, (f"{name}: {n_replaced} {were} not a finite number and became 0.",)


def one_label(voxels: Voxels, name: str, *, is_own: bool = False) -> tuple[Voxels, tuple[str, ...]]:
    """Turn voxels with one label into a uint8 mask, 0 and 1, of the same memory layout.

    `voxels`: values that are nearly whole numbers count as whole. `name`: of the file, for notes and errors.
    `is_own`: whether every label counts as inside; else there must be only one.
    Raises FileError for fractional values, or for more than one label.
    """
    voxels, notes = finite_or_zero(voxels, name) if voxels.dtype.kind == "f" else (voxels, ())
    whole = _whole(voxels, name) if voxels.dtype.kind == "f" else voxels
    inside = whole != 0
    values = whole[inside]
    mask = inside.astype(np.uint8, order="K")
    if is_own or not values.size:
        return mask, notes
    if (values != values[0]).any():
        _refuse_labels(np.unique(values), name)
    label = int(values[0])
    if label not in (1, 255):
        notes += (f"{name}: its only label is {label}; it was taken as the mask.",)
    return mask, notes


def _whole(voxels: Voxels, name: str) -> Voxels:
    """Round values that scaling and the arithmetic of other programs have left nearly whole."""
    whole = np.round(voxels)
    tolerance = np.clip(np.abs(whole) * WHOLE_TOLERANCE, WHOLE_TOLERANCE, MOST_WHOLE_TOLERANCE)
    is_fractional = np.abs(voxels - whole) > tolerance
    if is_fractional.any():
        values = np.unique(voxels[is_fractional])
        raise FileError(
            f"{name} is not a mask: it has fractional values ({_shown(values)}). Save a mask of 0 and 1, not "
            "a probability or a resampled image."
        )
    return whole


def _refuse_labels(labels: Voxels, name: str) -> None:
    raise FileError(
        f"{name} has {len(labels)} labels ({_shown(labels)}), but a mask with one is needed; save the "
        "structure that is meant on its own."
    )


def _shown(values: Voxels) -> str:
    return listed([f"{value:.6g}" for value in values], 6)


def check_room(shape: tuple[int, ...], name: str, *, file_bytes_a_voxel: int) -> None:
    """Raise an error if an image does not fit into memory, before anything of its size is allocated.

    `file_bytes_a_voxel` is the memory for the voxels as stored in the file, per voxel.
    """
    needed = math.prod(shape) * (file_bytes_a_voxel + _BYTES_A_VOXEL)
    if needed > _SMALL_BYTES and needed > (free := available_bytes()):
        raise ResourceError(
            f"{capitalized(name)} has {times(shape)} voxels, and working on it takes about {_gib(needed)} of "
            f"memory; {_gib(free)} are free. Close other programs, or crop the image."
        )


def check_number_of_voxels(shape: tuple[int, ...], name: str) -> None:
    """Raise an error if an image has more voxels than any scanner makes."""
    if math.prod(shape) > MOST_VOXELS:
        raise FileError(
            f"{name} announces {times(shape)} voxels, more than the {MOST_VOXELS // 10**6} million that are "
            "read here; it is damaged or no stack of MR slices. Export it again, or crop it."
        )


@contextmanager
def memory_for(what: str) -> Iterator[None]:
    """Report a lack of memory within the context as one sentence about `what`."""
    try:
        yield
    except MemoryError as error:
        raise ResourceError(
            f"Not enough memory for {what}; close other programs, or crop the image."
        ) from error


def times(shape: tuple[int, ...]) -> str:
    """Return a shape in words, ``20 x 320 x 320``."""
    return " x ".join(str(n) for n in shape)


def capitalized(name: str) -> str:
    """Return the beginning of a sentence with a capital; the name of a file stays as it is."""
    return f"T{name[1:]}" if name.startswith("the ") else name


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / _GIB:.1f} GiB"
