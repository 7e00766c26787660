"""Holds voxels and their place in the patient.

Conventions of the whole project, stated here once:

- A *working* array is ``(slice, row, column)`` = right-to-left, superior-to-inferior,
  anterior-to-posterior: ``nibabel.aff2axcodes(affine) == ("L", "I", "P")``. A sagittal stack then
  stands upright in a viewer that shows (row, column), with positive scale.
- A *file* array is in the axis order of its file.
- Channels come first, ``(C, Z, Y, X)``; batches are ``(B, C, *spatial)``.
- Lengths are millimetres, volumes millilitres; affines map voxel indices to RAS+ world millimetres,
  integer indices being voxel centres.
- In a mask, 0 is background.
"""

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_necroseg.core.errors import GeometryError, SettingsError

Affine = NDArray[np.float64]
Voxels = NDArray[Any]

# Two grids are the same when no corner differs by more than this share of the smallest spacing:
# far above the float32 rounding of NIfTI headers, far below anything visible.
SAME_GRID_TOLERANCE_VOXELS = 0.01
WORKING_AXIS_CODES = ("L", "I", "P")


class Position(StrEnum):
    """How the place of a grid in the patient is known."""

    STATED = "stated"
    # A TIFF stack, taken for upright sagittal slices: its directions are a convention, its place is unknown.
    UPRIGHT = "upright"
    # A NIfTI header without a place: directions and place are a guess that differs between programs.
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels in the patient.

    Parameters
    ----------
    shape
        Number of voxels along the three axes.
    affine_ras
        ``(4, 4)``; maps a voxel index to the position of its centre in mm, RAS+.
    position
        How the place of the grid is known.
    in_file
        For a grid in working order: the grid of the same voxels in the axis order of their file.

    Raises
    ------
    GeometryError
        For a shape that is not three positive numbers, or an affine that is not finite or is singular.
    """

    shape: tuple[int, int, int]
    affine_ras: Affine
    _: KW_ONLY
    position: Position = Position.STATED
    in_file: "Grid | None" = None

    def __post_init__(self) -> None:
        affine = np.array(self.affine_ras, dtype=np.float64)
        _check_grid(self.shape, affine)
        affine.flags.writeable = False
        object.__setattr__(self, "affine_ras", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along each axis."""
        lengths = np.linalg.norm(self.affine_ras[:3, :3], axis=0)
        return (float(lengths[0]), float(lengths[1]), float(lengths[2]))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel: the determinant of the affine, which also holds for sheared grids."""
        return float(abs(np.linalg.det(self.affine_ras[:3, :3]))) / 1000.0

    @cached_property
    def axis_codes(self) -> tuple[str, str, str]:
        """Anatomical direction in which each axis increases, e.g. ``("L", "I", "P")``."""
        import nibabel  # 0.15 s: kept out of the start of the program

        return tuple(nibabel.aff2axcodes(self.affine_ras))

    @property
    def obliquity_deg(self) -> float:
        """Largest angle between a voxel axis and the nearest anatomical axis."""
        cosines = np.abs(self.affine_ras[:3, :3]).max(axis=0) / np.asarray(self.spacing_mm)
        return float(np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)).max()))

    def to_world_mm(self, index: ArrayLike) -> NDArray[np.float64]:
        """World position (RAS+, mm) of voxel indices ``(..., 3)``."""
        return np.asarray(index, dtype=np.float64) @ self.affine_ras[:3, :3].T + self.affine_ras[:3, 3]

    def to_index(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel index of world positions ``(..., 3)``; the inverse of `to_world_mm`."""
        offset = np.asarray(world_mm, dtype=np.float64) - self.affine_ras[:3, 3]
        return np.asarray(offset @ np.linalg.inv(self.affine_ras[:3, :3]).T)

    def index_of(self, point_mm: ArrayLike, *, what: str = "point") -> tuple[int, int, int]:
        """Return the voxel in which a world position lies.

        Parameters
        ----------
        point_mm
            RAS+.
        what
            What the error calls the position.

        Raises
        ------
        SettingsError
            If the position lies outside of the grid.
        """
        at = self.to_index(point_mm)
        last = np.asarray(self.shape) - 1
        if (at < -0.5).any() or (at > last + 0.5).any():
            corners = self.corners_mm()
            low, high = (
                ", ".join(f"{x:.0f}" for x in ends) for ends in (corners.min(axis=0), corners.max(axis=0))
            )
            point = ", ".join(f"{x:g}" for x in np.asarray(point_mm, dtype=float))
            raise SettingsError(
                f"The {what} ({point}) mm lies outside of the image, which reaches from ({low}) to ({high}) "
                "mm; name one inside, in world coordinates (right, anterior, superior)."
            )
        z, y, x = np.clip(np.round(at), 0, last).astype(int).tolist()
        return (z, y, x)

    def corners_mm(self) -> NDArray[np.float64]:
        """World positions of the eight outermost voxel centres, ``(8, 3)``."""
        last = np.asarray(self.shape) - 1
        return self.to_world_mm(np.array(list(np.ndindex(2, 2, 2))) * last)

    def matches(self, other: "Grid") -> bool:
        """Whether both grids have the same shape and the same place to a hundredth of a voxel."""
        if self.shape != other.shape:
            return False
        gap_mm = float(np.abs(self.corners_mm() - other.corners_mm()).max())
        return gap_mm <= SAME_GRID_TOLERANCE_VOXELS * min(self.spacing_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on a grid.

    Parameters
    ----------
    voxels
        ``(Z, Y, X)`` for a working volume; any real dtype for an image, bool or uint8 for a mask.
    grid
        The place of the voxels; it has the shape of `voxels`.
    """

    voxels: Voxels
    grid: Grid

    def __post_init__(self) -> None:
        assert self.voxels.shape == self.grid.shape, (self.voxels.shape, self.grid.shape)


@dataclass(frozen=True, eq=False)
class Origin:
    """The file that voxels were read from, as far as a mask that is saved onto its grid depends on it."""

    grid: Grid  # In the axis order of the file.
    path: Path | None = None  # None for voxels that were never in a file.
    _: KW_ONLY
    nifti_header: bytes | None = None  # Byte for byte; None for other formats.


def _check_grid(shape: tuple[int, ...], affine: Affine) -> None:
    if len(shape) != 3 or min(shape) < 1:
        raise GeometryError(f"A volume needs three axes with at least one voxel each; this one has {shape}.")
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise GeometryError("The affine of the image is not a finite 4 x 4 matrix; export the image again.")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if (lengths == 0).any() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
        raise GeometryError(
            "The affine of the image is singular (two axes point the same way or one has no length), "
            "so its voxels have no place in the patient; export the image again."
        )
