"""NIfTI files: one real three-dimensional image, or a sentence that says why not."""

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.io.atomic import atomic_path
from napari_necroseg.core.io.gz import inflated
from napari_necroseg.core.io.image import FileImage, check_is_file
from napari_necroseg.core.io.voxels import finite_or_zero, one_label
from napari_necroseg.core.volume import Affine, Grid, Origin, Volume, Voxels

MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
SPACING_BOUNDS_MM = (0.01, 100.0)
# Deflate cannot shrink data by more than this; a header that asks for more is damaged or hostile.
MOST_DEFLATE_RATIO = 1032
# What may follow the voxels in a file without being thought damaged.
TRAILING_BYTES = 1 << 20
# Free text in which scanners and converters leave names of patients and machines.
TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name")


def read_nifti(path: Path) -> FileImage:
    """Read an image as float32, slope and intercept applied, in the file's axis order.

    NIfTI-1 and -2, ``.nii``, ``.nii.gz`` and ``.hdr``/``.img``, either byte order, any real dtype,
    four or more dimensions if all but three have length 1. NaN and infinity become 0, with a note.

    Raises
    ------
    FileError
        For a file that is missing, foreign, truncated or damaged, or not a single real 3-D image.
    GeometryError
        For a spacing of zero or beyond 0.01 to 100 mm, or a singular affine.
    """
    image = _open(path)
    grid, notes = _grid(image, path.name)
    voxels = _read_voxels(image, path, np.float32).reshape(grid.shape)
    if _may_be_non_finite(image):
        voxels, replaced = finite_or_zero(voxels, path.name)
        notes += replaced
    return FileImage(Volume(voxels, grid), _origin(image, path, grid), notes)


def read_nifti_mask(path: Path) -> FileImage:
    """Read a mask with one label as uint8, 0 and 1; see `read_nifti`.

    Raises
    ------
    FileError, GeometryError
        As `read_nifti`; also for fractional values and for more than one label.
    """
    image = _open(path)
    grid, notes = _grid(image, path.name)
    voxels = _read_voxels(image, path, None).reshape(grid.shape)
    mask, label_notes = one_label(voxels, path.name)
    return FileImage(Volume(mask, grid), _origin(image, path, grid), notes + label_notes)


def write_nifti(path: Path, voxels: Voxels, origin: Origin) -> None:
    """Write voxels atomically onto the grid of the file that they belong to.

    Parameters
    ----------
    path
        ``.nii`` or ``.nii.gz``.
    voxels
        In the axis order of `origin`'s grid; their dtype is kept, no scaling is written.
    origin
        Its NIfTI header, where it has one, gives affine, qform, sform, their codes and the units
        exactly; free text and header extensions are left behind, since they may hold a name.
    """
    import nibabel

    assert voxels.shape == origin.grid.shape, (voxels.shape, origin.grid.shape)
    if origin.nifti_header is None:
        image = nibabel.Nifti1Image(voxels, origin.grid.affine_ras)
        image.set_qform(origin.grid.affine_ras, code=1, strip_shears=True)
        image.set_sform(origin.grid.affine_ras, code=1)
        image.header.set_xyzt_units("mm")
    else:
        header = _clean_header(origin.nifti_header, voxels)
        of_kind = nibabel.Nifti2Image if len(origin.nifti_header) == 540 else nibabel.Nifti1Image
        image = of_kind(voxels, None, header)
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)


def read_header(path: Path) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a file and the notes on it, after all checks that need no voxels."""
    return _grid(_open(path), path.name)


def _open(path: Path) -> Any:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, HeaderTypeError
    from nibabel.wrapstruct import WrapStructError

    check_is_file(path)
    foreign = (ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError, EOFError, zlib.error)
    try:
        image = nibabel.load(path)
    except (*foreign, OSError, ValueError) as error:
        raise FileError(f"{path.name} is not a NIfTI file that can be read; export it again.") from error
    if not isinstance(image, nibabel.Nifti1Pair):
        raise FileError(
            f"{path.name} is a {type(image).__name__}, not a NIfTI file; its place in the patient is not "
            "certain. Convert it to NIfTI."
        )
    _check_kind(image, path.name)
    _check_size(image, path)
    return image


def _check_kind(image: Any, name: str) -> None:
    shape = image.shape
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise FileError(f"{name} is a colour (RGB) image; export the grey values of the sequence.")
    if dtype.kind == "c":
        raise FileError(f"{name} holds complex numbers; export the magnitude image.")
    if len(shape) < 3:
        raise FileError(
            f"{name} is {len(shape)}-D ({_times(shape)} voxels); a stack of slices (3-D) is needed."
        )
    if any(n != 1 for n in shape[3:]):
        raise FileError(
            f"{name} is {len(shape)}-D ({_times(shape)} voxels), several volumes in one file; export the one "
            "volume that is meant."
        )
    if min(shape) < 1:
        raise FileError(f"{name} has no voxels ({_times(shape)}); export it again.")


def _check_size(image: Any, path: Path) -> None:
    """Refuse a file too short for its header before anything of that size is allocated."""
    data = image.file_map["image"].filename or image.file_map.get("header", image.file_map["image"]).filename
    held = Path(data).stat().st_size
    if str(data).lower().endswith(".gz"):
        held *= MOST_DEFLATE_RATIO
    else:
        held -= int(image.dataobj.offset)
    if _n_bytes(image) > held:
        raise FileError(
            f"{path.name} is truncated: its header announces {_times(image.shape)} voxels, the file is too "
            "short for them. Copy or export it again."
        )


def _n_bytes(image: Any) -> int:
    """Size of the voxels by the header, as whole numbers of any length: a damaged one overflows 64 bits."""
    return math.prod(int(n) for n in image.shape) * int(image.get_data_dtype().itemsize)


def _grid(image: Any, name: str) -> tuple[Grid, tuple[str, ...]]:
    affine = image.affine.copy()
    notes = _form_notes(image, name)
    unit = image.header.get_xyzt_units()[0]
    if MM_PER_UNIT.get(unit, 1.0) != 1.0:
        affine[:3] *= MM_PER_UNIT[unit]
        notes += (f"{name}: its lengths are given in units of a {unit}; they were converted to millimetres.",)
    _check_spacing(affine, image.header.get_zooms()[:3], name)
    shape = image.shape
    try:
        grid = Grid((shape[0], shape[1], shape[2]), affine)
    except GeometryError as error:
        raise GeometryError(f"{name}: {error}") from None
    return grid, notes


def _check_spacing(affine: Affine, zooms: tuple[float, ...], name: str) -> None:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = SPACING_BOUNDS_MM
    for spacing in (*lengths, *(z for z in zooms if z == 0)):
        if not low <= spacing <= high:
            raise GeometryError(
                f"{name}: a voxel spacing of {spacing:g} mm is impossible (0.01 to 100 mm is accepted); "
                "its header is damaged, so export it again."
            )


def _form_notes(image: Any, name: str) -> tuple[str, ...]:
    header = image.header
    qform, sform = int(header["qform_code"]), int(header["sform_code"])
    if qform == 0 and sform == 0:
        return (
            f"{name}: the file does not say where it lies in the patient (qform and sform codes are 0); "
            "left, right and upright are a guess.",
        )
    if qform > 0 and sform > 0 and _differ(header.get_qform(), header.get_sform(), image.shape):
        return (f"{name}: qform and sform place the image differently; the sform was used.",)
    return ()


def _differ(one: Affine, other: Affine, shape: tuple[int, ...]) -> bool:
    """Whether two affines put a corner of the volume more than half a voxel apart."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(shape[:3]) - 1)
    gap = (one - other)[:3]
    gaps_mm = np.abs(corners @ gap[:, :3].T + gap[:, 3])
    return bool(gaps_mm.max() > 0.5 * np.linalg.norm(other[:3, :3], axis=0).min())


def _read_voxels(image: Any, path: Path, dtype: type[np.float32] | None) -> Voxels:
    try:
        if path.name.lower().endswith(".nii.gz"):
            most_bytes = int(image.dataobj.offset) + _n_bytes(image) + TRAILING_BYTES
            image = type(image).from_bytes(inflated(path.read_bytes(), most_bytes=most_bytes))
        with np.errstate(over="ignore", invalid="ignore"):
            if dtype is None:
                return np.asanyarray(image.dataobj)
            return np.asarray(image.get_fdata(dtype=dtype, caching="unchanged"))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise FileError(
            f"{path.name} is truncated or damaged: its voxels could not be read. Copy or export it again."
        ) from error


def _may_be_non_finite(image: Any) -> bool:
    """Whole numbers without scaling cannot be NaN, so that the pass over the voxels can be saved."""
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    is_scaled = not (slope == 1 and intercept == 0)
    return bool(image.get_data_dtype().kind == "f" or is_scaled)


def _origin(image: Any, path: Path, grid: Grid) -> Origin:
    return Origin(grid, path, image.header.binaryblock)


def _clean_header(header_bytes: bytes, voxels: Voxels) -> Any:
    import nibabel

    of_kind = nibabel.Nifti2Header if len(header_bytes) == 540 else nibabel.Nifti1Header
    header = of_kind(header_bytes, check=False)
    pixdim = header["pixdim"].copy()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    # set_data_shape resets what it thinks unused; the file's own spacing and handedness must stay.
    header["pixdim"] = pixdim
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    header["intent_code"] = 0
    for field in TEXT_FIELDS:
        if field in header:
            header[field] = b""
    return header


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
