"""An image as a file holds it, whatever the format."""

import stat
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.casename import check_case_name, tidy_name
from napari_necroseg.core.errors import FileError, unreadable
from napari_necroseg.core.files import check_readable
from napari_necroseg.core.volume import Origin, Volume

NIFTI_SUFFIXES = (".nii.gz", ".nii", ".hdr", ".img", ".hdr.gz", ".img.gz")
TIFF_SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff")
Spacing = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class FileImage:
    """Voxels in the axis order of their file.

    Parameters
    ----------
    volume
        An image as float32 (real values: slope and intercept applied), or a mask as uint8, 0 and 1.
    origin
        What is needed to save a mask onto the same grid.
    notes
        What the user should know of how the file was read, one sentence each.
    """

    volume: Volume
    origin: Origin
    notes: tuple[str, ...] = ()


def image_suffix(path: Path) -> str:
    """The suffix of an image file that this program reads, in lower case; empty for any other file."""
    name = path.name.lower()
    return next((suffix for suffix in NIFTI_SUFFIXES + TIFF_SUFFIXES if name.endswith(suffix)), "")


def image_stem(path: Path) -> str:
    """The file's name without its image suffix."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def case_name_of(path: Path) -> str:
    """The name of the case that a single file is of: its own, without the suffix.

    Raises
    ------
    FileError
        If no case can be called so.
    """
    name = tidy_name(image_stem(path))
    reason = check_case_name(name)
    if reason:
        raise FileError(f"The file gives the case its name, but {reason}; rename the file.")
    return name


def check_is_file(path: Path) -> None:
    """Refuse what is missing, may not be read, is a folder, empty, or not named like an image."""
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
