"""Reading an image or a mask, whatever the format."""

from pathlib import Path

from napari_necroseg.core.io.file_image import TIFF_SUFFIXES, FileImage, Spacing, check_is_file, image_suffix


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
