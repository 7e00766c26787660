"""Resamples images and masks from their own grid onto another, by the affines of both."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.volume import Grid, Volume, Voxels

# A mask that is finer than the target is averaged over at most this number of points per axis of a voxel.
MOST_POINTS_PER_AXIS = 8


class _Mapping(NamedTuple):
    """Maps an index on the target grid to the index of the same position on the source grid."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]


def resample_image(volume: Volume, onto: Grid) -> Volume:
    """Interpolate an image onto another grid with a cubic B-spline.

    `volume`: ``(Z, Y, X)``, any real dtype. `onto`: the grid to sample.
    Returns float32, with the image's lowest value outside of it; its border lies half a voxel beyond the
    outermost voxel centres.
    """
    from scipy.ndimage import affine_transform

    mapping = _mapping(onto, volume.grid)
    voxels = np.asarray(volume.voxels, dtype=np.float32)
    sampled = affine_transform(
        voxels, mapping.matrix, mapping.offset, output_shape=onto.shape, order=3, mode="mirror"
    )
    sampled[~_is_inside(mapping, onto.shape, source_shape=volume.grid.shape)] = voxels.min()
    return Volume(sampled, onto)


def resample_mask(volume: Volume, onto: Grid) -> Volume:
    """Bring a mask onto another grid: a voxel is inside if at least half of it is.

    The occupancy is the mean of the linearly interpolated mask over the voxel. If a voxel of the target is n
    times as long as one of the mask along an axis, it is sampled at n points there, else at its centre.

    `volume`: ``(Z, Y, X)``; what is not 0 is inside. `onto`: the grid to sample.
    Returns uint8, 0 and 1; 0 outside the mask's grid.
    """
    points = _points_per_axis(volume.grid, onto)
    fine = _refined(onto, points)
    occupancy = _occupancy(volume, fine)
    for axis, n in enumerate(points):
        shape = (*occupancy.shape[:axis], onto.shape[axis], n, *occupancy.shape[axis + 1 :])
        occupancy = occupancy.reshape(shape).mean(axis=axis + 1)
    return Volume((occupancy >= 0.5 - 1e-6).astype(np.uint8), onto)


def overlap_share(a: Grid, b: Grid) -> float:
    """Return the share of the volume of `a` that lies in `b`, from up to 32 points along each axis of `a`."""
    points = tuple(min(n, 32) for n in a.shape)
    step = np.asarray(a.shape) / points
    affine = a.affine_ras.copy()
    affine[:3, 3] += affine[:3, :3] @ ((step - 1) / 2)
    affine[:3, :3] *= step
    coarse = Grid((points[0], points[1], points[2]), affine)
    return float(_is_inside(_mapping(coarse, b), coarse.shape, source_shape=b.shape).mean())


def outside_voxels(mask: Volume, onto: Grid) -> int:
    """Count the voxels of a mask whose centres lie outside of a grid, up to the border of its voxels."""
    outside = 0
    # Slice by slice: the positions of all voxels of a large mask take ten times its memory.
    for number, voxels in enumerate(mask.voxels):
        places = np.argwhere(voxels[None] != 0) + np.array((number, 0, 0))
        indices = onto.to_index(mask.grid.to_world_mm(places))
        inside = (indices >= -0.5 - 1e-6) & (indices <= np.asarray(onto.shape) - 0.5 + 1e-6)
        outside += int(np.count_nonzero(~inside.all(axis=-1)))
    return outside


def _mapping(target: Grid, source: Grid) -> _Mapping:
    combined = np.asarray(np.linalg.solve(source.affine_ras, target.affine_ras), dtype=np.float64)
    return _Mapping(combined[:3, :3], combined[:3, 3])


def _is_inside(
    mapping: _Mapping, shape: tuple[int, ...], *, source_shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which voxel centres of the target lie in the source, border voxels included."""
    inside = np.ones(shape, dtype=bool)
    indices = np.ogrid[tuple(slice(n) for n in shape)]
    for row, offset, length in zip(mapping.matrix, mapping.offset, source_shape, strict=True):
        position = sum((weight * index for weight, index in zip(row, indices, strict=True)), offset)
        inside &= (position >= -0.5 - 1e-6) & (position <= length - 0.5 + 1e-6)
    return inside


def _occupancy(volume: Volume, onto: Grid) -> Voxels:
    from scipy.ndimage import affine_transform

    mapping = _mapping(onto, volume.grid)
    mask = (volume.voxels != 0).astype(np.float32)
    occupancy = affine_transform(
        mask, mapping.matrix, mapping.offset, output_shape=onto.shape, order=1, mode="nearest"
    )
    occupancy[~_is_inside(mapping, onto.shape, source_shape=volume.grid.shape)] = 0
    return occupancy


def _points_per_axis(source: Grid, target: Grid) -> tuple[int, ...]:
    """Return how many voxels of the source one step along each axis of the target crosses, at least 1."""
    crossed = np.abs(_mapping(target, source).matrix).max(axis=0)
    return tuple(int(n) for n in np.clip(np.round(crossed), 1, MOST_POINTS_PER_AXIS))


def _refined(grid: Grid, points: tuple[int, ...]) -> Grid:
    """Split every voxel into `points` along each axis; the parts' centres average to the voxel's."""
    factors = np.asarray(points)
    affine = grid.affine_ras.copy()
    affine[:3, :3] /= factors
    affine[:3, 3] -= affine[:3, :3] @ ((factors - 1) / 2)
    shape = tuple(int(n) for n in np.asarray(grid.shape) * factors)
    return Grid((shape[0], shape[1], shape[2]), affine)
