"""Where each voxel of a patch comes from: the closed formula, and the tensor that makes whole grids of it.

For a patch index o, with p = o - (patch - 1) / 2 - shift measured from the middle of the unshifted patch::

    source index = centre + A (p + u(o))        A = F 1/k D^-1 R^T D

F mirrors, k is the scaling factor, D takes voxels to millimetres, R is the rotation in millimetres, u the
elastic displacement, a cubic B-spline of the control points. Axes are always Z, Y, X.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.source import Shape

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """The map of one draw from the patch to the source.

    Parameters
    ----------
    centre
        ``(3,)``; source index of the middle of the unshifted patch.
    linear
        ``(3, 3)``; A above.
    middle
        ``(3,)``; patch index of the middle, shifted.
    control
        ``(n + 2, n + 2, n + 2, 3)``; smoothed displacements of the control points in voxels, the last axis
        being the direction. None without an elastic displacement.
    patch_shape
        Voxels of the patch.
    """

    centre: Array
    linear: Array
    middle: Array
    control: Array | None
    patch_shape: Shape

    def to_source(self, patch_index: ArrayLike) -> Array:
        """Source index ``(n, 3)`` of patch indices ``(n, 3)``."""
        index = np.asarray(patch_index, float)
        return self.centre + (index - self.middle + self.displacement(index)) @ self.linear.T

    def to_patch(self, source_index: ArrayLike, *, rounds: int = 4) -> Array:
        """Patch index ``(n, 3)`` of source indices ``(n, 3)``; iterated where there is an elastic part."""
        unbent = self.middle + (np.asarray(source_index, float) - self.centre) @ np.linalg.inv(self.linear).T
        index = unbent
        for _ in range(rounds if self.control is not None else 0):
            index = unbent - self.displacement(index)
        return index

    def displacement(self, patch_index: Array) -> Array:
        """Elastic displacement u ``(n, 3)``, in voxels, at patch indices ``(n, 3)``."""
        if self.control is None:
            return np.zeros_like(patch_index)
        points = len(self.control) - 2
        z, y, x = (
            spline_basis(patch_index[:, axis], size, points) for axis, size in enumerate(self.patch_shape)
        )
        planes = (z @ self.control.reshape(points + 2, -1)).reshape(-1, points + 2, 3 * (points + 2))
        rows = (y[:, None] @ planes).reshape(-1, points + 2, 3)
        return np.asarray((x[:, None] @ rows)[:, 0])

    def tensor(self) -> Array:
        """Return the map as ``T (n + 4, n + 4, n + 4, 3)``.

        The source index at a patch index is T, contracted along each axis with the row of `axis_terms` of
        that index: the spline's weights, 1, and the index itself.
        """
        points = 1 if self.control is None else len(self.control) - 2
        tensor = np.zeros((points + 4,) * 3 + (3,))
        if self.control is not None:
            tensor[:-2, :-2, :-2] = self.control @ self.linear.T
        tensor[-2, -2, -2] = self.centre - self.linear @ self.middle
        tensor[-1, -2, -2], tensor[-2, -1, -2], tensor[-2, -2, -1] = self.linear.T
        return tensor


def mapping(drawn: Drawn, spacing_mm: tuple[float, float, float], patch_shape: Shape) -> Mapping:
    """Return the map of a draw.

    Parameters
    ----------
    spacing_mm
        Of the source: slices, rows, columns.
    patch_shape
        Voxels of the patch, all its slices included, in 2D, too.
    """
    return Mapping(
        centre=np.array(drawn.centre_voxels),
        linear=_linear(drawn, np.array(spacing_mm)),
        middle=(np.array(patch_shape) - 1) / 2 + (0, *drawn.shift_voxels),
        control=_control(drawn) if drawn.is_elastic else None,
        patch_shape=patch_shape,
    )


def axis_terms(size: int, points: int) -> Array:
    """``(size, points + 4)``: for each index along an axis the spline's weights, 1, and the index."""
    index = np.arange(size, dtype=float)
    return np.column_stack([spline_basis(index, size, points), np.ones(size), index])


def spline_basis(index: Array, size: int, points: int) -> Array:
    """``(n, points + 2)``; weights of the control points at fractional indices of an axis of `size` voxels.

    Cubic B-splines on `points` control points from the first voxel to the last, and one beyond each end.
    """
    cells = index / max(size - 1, 1) * (points - 1)
    distance = np.abs(cells[:, None] - np.arange(-1, points + 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far)


def _linear(drawn: Drawn, spacing_mm: Array) -> Array:
    mirror = np.where(drawn.is_mirrored, -1.0, 1.0)
    turned = _rotation(drawn.rotation_transversal_deg, drawn.rotation_sagittal_deg).T
    # Without a rotation exactly 1 / scale, so that a plain crop stays one.
    in_voxels = turned * spacing_mm / spacing_mm[:, None]
    return mirror[:, None] * in_voxels / drawn.scale


def _rotation(transversal_deg: float, sagittal_deg: float) -> Array:
    """Turn about the transversal axis (Z) first, then about the sagittal one (X)."""
    c, s = np.cos(np.radians(transversal_deg)), np.sin(np.radians(transversal_deg))
    about_z = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    c, s = np.cos(np.radians(sagittal_deg)), np.sin(np.radians(sagittal_deg))
    about_x = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_x @ about_z)


def _control(drawn: Drawn) -> Array:
    n = drawn.elastic_points + 2
    normal = np.random.default_rng(drawn.elastic_seed).standard_normal((n, n, n, 3))
    if drawn.elastic_sigma_cells > 0:
        smooth = _gaussian_matrix(n, drawn.elastic_sigma_cells)
        for axis in range(3):
            normal = np.moveaxis(np.tensordot(smooth, normal, (1, axis)), 0, axis)
    return np.asarray(normal * drawn.elastic_voxels)


@lru_cache(maxsize=64)
def _gaussian_matrix(n: int, sigma: float) -> Array:
    """``(n, n)``; smooths n values, by the weights that lie inside."""
    weights = np.exp(-((np.arange(n)[:, None] - np.arange(n)) ** 2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
