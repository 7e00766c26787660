"""An image as a file holds it, whatever the format."""

from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.errors import FileError
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


def read_image(path: Path, *, spacing_mm: Spacing | None = None, channel: int | None = None) -> FileImage:
    """Read a NIfTI or TIFF image.

    Parameters
    ----------
    path
        The file; its kind is told by its name.
    spacing_mm
        Slice, row and column spacing of a TIFF stack that does not state its own.
    channel
        Which channel of a TIFF stack with several.

    Raises
    ------
    FileError, GeometryError
        For whatever cannot be read as a single three-dimensional real image with a place in space.
    """
    check_is_file(path)
    if image_suffix(path) in TIFF_SUFFIXES:
        from napari_necroseg.core.io.tiff import read_tiff

        return read_tiff(path, spacing_mm=spacing_mm, channel=channel)
    from napari_necroseg.core.io.nifti import read_nifti

    return read_nifti(path)


def read_mask(path: Path, *, spacing_mm: Spacing | None = None) -> FileImage:
    """Read a NIfTI or TIFF mask with one label; see `read_image`.

    Raises
    ------
    FileError, GeometryError
        As `read_image`; also for fractional values and for more than one label.
    """
    check_is_file(path)
    if image_suffix(path) in TIFF_SUFFIXES:
        from napari_necroseg.core.io.tiff import read_tiff_mask

        return read_tiff_mask(path, spacing_mm=spacing_mm)
    from napari_necroseg.core.io.nifti import read_nifti_mask

    return read_nifti_mask(path)


def image_suffix(path: Path) -> str:
    """The suffix of an image file that this program reads, in lower case; empty for any other file."""
    name = path.name.lower()
    return next((suffix for suffix in NIFTI_SUFFIXES + TIFF_SUFFIXES if name.endswith(suffix)), "")


def image_stem(path: Path) -> str:
    """The file's name without its image suffix."""
    return path.name[: len(path.name) - len(image_suffix(path))]


def check_is_file(path: Path) -> None:
    """Refuse what is missing, a folder, empty, or not named like an image, in one sentence."""
    if not path.exists():
        raise FileError(f"There is no file {path}.")
    if not path.is_file():
        raise FileError(f"{path} is a folder, not an image file.")
    if not image_suffix(path):
        raise FileError(
            f"{path.name} is not named like an image that can be read here; use NIfTI (.nii, .nii.gz, "
            ".hdr/.img) or TIFF (.tif, .tiff)."
        )
    if path.stat().st_size == 0:
        raise FileError(f"{path.name} is empty (0 bytes); copy or export it again.")
