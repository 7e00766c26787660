"""The NIfTI header: the grid on which it places the voxels, and whether its extensions are plausible."""

import gzip
import struct
import zlib
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.images.file_image import open_inflated
from napari_necroseg.core.volume import Affine, Grid, Position

# Codes of the header field `xyzt_units`; files without a unit are in millimetres by convention.
UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
UNIT_NAMES = {1: "metres", 3: "micrometres"}
SPACING_BOUNDS_MM = (0.01, 100.0)

# Farther out, 32-bit numbers do not resolve a hundredth of a millimetre.
FARTHEST_MM = 1e5

# Rounding and gantry tilts stay below this; the affine of a registration does not.
MOST_SHEAR_DEG = 1.0

# By the size of the header (NIfTI-1, NIfTI-2): the position and type of the field that says where the voxels
# begin. Four bytes follow the header, of which the first tells whether there are extensions.
_LAYOUTS = {348: (108, "f"), 540: (168, "q")}

# Whole DICOM headers and processing histories are far smaller.
MOST_EXTENSION_BYTES = 1 << 26
MOST_EXTENSIONS = 1000


def grid_of_header(image: Any, name: str) -> tuple[Grid, tuple[str, ...]]:
    """Return the grid of a nibabel image in millimetres, and notes on what is doubtful about it.

    The sform counts where its code is set, else the qform. Without either nibabel's base affine is used, with
    a note that left, right and upright are a guess. An impossible spacing or position is a `GeometryError`.
    """
    with np.errstate(all="ignore"):
        affine, unit_notes = _in_mm(image, name)
        _check_position(affine, image.header.get_zooms()[:3], name=name)
        notes = (*_form_notes(image, name), *unit_notes, *_shape_notes(affine, image.header, name=name))
    shape = image.shape
    try:
        return Grid((shape[0], shape[1], shape[2]), affine, position=_position(image.header)), notes
    except GeometryError as error:
        raise GeometryError(f"{name}: {error}") from None


def _in_mm(image: Any, name: str) -> tuple[Affine, tuple[str, ...]]:
    affine = np.array(image.affine, dtype=np.float64)
    code = _unit_code(image.header)
    affine[:3] *= UNIT_MM.get(code, 1.0)
    if code in UNIT_NAMES:
        return affine, (
            f"{name}: its lengths are given in {UNIT_NAMES[code]}; they were converted to millimetres.",
        )
    if code not in UNIT_MM:
        return affine, (
            f"{name}: its unit of length is unknown (code {code}) and was taken for millimetres.",
        )
    return affine, ()


def _unit_code(header: Any) -> int:
    """Return the code of the length unit; nibabel's own function fails for unknown codes."""
    return int(header["xyzt_units"]) & 0b111


def _check_position(affine: Affine, zooms: tuple[float, ...], *, name: str) -> None:
    low, high = SPACING_BOUNDS_MM
    for spacing in (*np.linalg.norm(affine[:3, :3], axis=0), *(zoom for zoom in zooms if zoom == 0)):
        if not low <= spacing <= high:
            raise GeometryError(
                f"{name}: a voxel spacing of {spacing:g} mm is impossible ({low:g} to {high:g} mm is "
                "accepted); its header or its unit of length is wrong, so export it again."
            )
    farthest = np.abs(affine[:3, 3]).max()
    if not farthest <= FARTHEST_MM:
        raise GeometryError(
            f"{name}: its header places it {farthest:g} mm away from the scanner's centre; it is damaged, so "
            "export the image again."
        )


def _position(header: Any) -> Position:
    is_stated = int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0
    return Position.STATED if is_stated else Position.UNKNOWN


def _form_notes(image: Any, name: str) -> tuple[str, ...]:
    header = image.header
    if _position(header) is Position.UNKNOWN:
        return (
            f"{name}: the file does not say where it lies in the patient (qform and sform codes are 0); "
            "left, right and upright are a guess.",
        )
    qform_code, sform_code = int(header["qform_code"]), int(header["sform_code"])
    if qform_code > 0 and sform_code > 0 and _differ(_qform(header), header.get_sform(), shape=image.shape):
        return (f"{name}: qform and sform place the image differently; the sform was used.",)
    return ()


def _qform(header: Any) -> Affine:
    """Return the qform; all NaN where its quaternion is impossible."""
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except ValueError:
        return np.full((4, 4), np.nan)


def _differ(one: Affine, other: Affine, *, shape: tuple[int, ...]) -> bool:
    """Whether two affines put a corner of the volume more than half a voxel apart."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(shape[:3]) - 1)
    gap = (one - other)[:3]
    gaps_mm = np.abs(corners @ gap[:, :3].T + gap[:, 3])
    return not gaps_mm.max() <= 0.5 * np.linalg.norm(other[:3, :3], axis=0).min()


def _shape_notes(affine: Affine, header: Any, *, name: str) -> tuple[str, ...]:
    """Return notes on voxels that other programs will see differently."""
    notes = []
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    zooms = np.asarray(header.get_zooms()[:3], dtype=np.float64) * UNIT_MM.get(_unit_code(header), 1.0)
    if not np.allclose(zooms, spacing, rtol=0.01, atol=0):
        notes.append(
            f"{name}: its header gives a voxel size of {_mm(zooms)}, its affine one of {_mm(spacing)}; the "
            "affine was used."
        )
    shear = _shear_deg(affine)
    if shear > MOST_SHEAR_DEG:
        notes.append(
            f"{name}: its axes are up to {shear:.0f} degrees off right angles, as after an affine "
            "registration; masks are saved exactly onto it, but distances in mm are only nearly right."
        )
    return tuple(notes)


def _shear_deg(affine: Affine) -> float:
    """Return how far the axes are from being at right angles."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(directions.T @ directions)[np.triu_indices(3, k=1)]
    return float(np.degrees(np.arcsin(np.clip(cosines, 0, 1))).max())


def _mm(lengths: Affine) -> str:
    return " x ".join(f"{length:.3g}" for length in lengths) + " mm"


def check_extensions(path: Path) -> None:
    """Raise an error if the extensions of a header are larger than those of any program.

    nibabel trusts their stated size. A file that is not NIfTI, or ends too early, is left to the reader.
    """
    try:
        with open_inflated(path) as file:
            problem = _announced_problem(file)
    except (OSError, EOFError, zlib.error, struct.error):
        return
    if problem:
        raise FileError(f"{path.name} is damaged: {problem}. Copy or export it again.")


def _announced_problem(file: gzip.GzipFile | FileIO) -> str:
    start = file.read(4)
    orders = [order for order in "<>" if struct.unpack(f"{order}i", start)[0] in _LAYOUTS]
    if not orders:
        return ""
    order = orders[0]
    (size,) = struct.unpack(f"{order}i", start)
    header = start + file.read(size - len(start))
    offset, kind = _LAYOUTS[size]
    (begin,) = struct.unpack_from(f"{order}{kind}", header, offset)
    is_single = header[344:346] == b"n+" or header[4:6] == b"n+"
    if is_single and not begin <= MOST_EXTENSION_BYTES:
        return f"its voxels are said to begin at byte {begin:.0f}"
    if not file.read(4)[:1].strip(b"\0"):
        return ""
    return _of_extensions(file, order, n_bytes=begin - size - 4 if is_single else MOST_EXTENSION_BYTES)


def _of_extensions(file: gzip.GzipFile | FileIO, order: str, *, n_bytes: float) -> str:
    """Follow the extensions, which take at most `n_bytes`, without keeping them."""
    for _ in range(MOST_EXTENSIONS):
        start = file.read(8) if n_bytes >= 16 else b""
        if not start:
            return ""
        (size,) = struct.unpack_from(f"{order}i", start)
        if not 8 <= size <= n_bytes:
            return f"an extension of its header is said to take {size} bytes"
        file.seek(size - len(start), 1)
        n_bytes -= size
    return f"its header has more than {MOST_EXTENSIONS} extensions"
