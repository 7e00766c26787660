"""The voxels of a patch that are wanted, and their values in the source, interpolated once.

A lattice is a range of patch indices along each axis: a whole patch, one slice of it, every fourth voxel.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from napari_necroseg.core.augment.drawn import Drawn
from napari_necroseg.core.augment.geometry import Mapping, axis_terms
from napari_necroseg.core.augment.source import Shape, Source

Lattice = tuple[range, range, range]

# On a CPU `grid_sample` works in parallel over its batch only, so the points are handed over in this many
# parts of one volume.
_PARTS = 8


def whole(patch_shape: Shape, *, step: int = 1) -> Lattice:
    """Return every `step`-th voxel of a patch along each axis."""
    z, y, x = (range(0, n, step) for n in patch_shape)
    return (z, y, x)


def one_slice(patch_shape: Shape, slice_index: int) -> Lattice:
    """Return one slice of a patch."""
    _, y, x = whole(patch_shape)
    return (range(slice_index, slice_index + 1), y, x)


def resampled(source: Source, drawn: Drawn, mapped: Mapping, lattice: Lattice) -> Tensor:
    """Return the values ``(C + 1, z, y, x)`` of the source at a lattice; 0 beyond its border.

    A draw that puts voxels onto voxels (a crop, flipped or not) copies them; any other interpolates linearly.
    """
    if not drawn.is_elastic and _is_crop(mapped):
        return _copied(source, mapped, lattice)
    grid = source_grid(mapped, source.shape, lattice, device=source.voxels.device)
    n_points = grid.shape[0] * grid.shape[1] * grid.shape[2]
    parts = _PARTS if n_points % _PARTS == 0 else 1
    values = grid_sample(
        source.voxels[None].expand(parts, -1, -1, -1, -1),
        grid.reshape(parts, 1, 1, n_points // parts, 3),
        align_corners=False,
    )
    return values[:, :, 0, 0].transpose(0, 1).reshape(len(source.voxels), *map(len, lattice))


def source_grid(
    mapped: Mapping, source_shape: Shape, lattice: Lattice, *, device: torch.device | None = None
) -> Tensor:
    """Return where the voxels of a lattice come from: ``(z, y, x, 3)`` as `grid_sample` wants it.

    The last axis is column, row, slice, from -1 to 1 between the outer faces of the source.
    """
    tensor = mapped.tensor()
    size = np.array(source_shape)
    scaled = tensor * (2 / size)
    scaled[-2, -2, -2] += 1 / size - 1
    n = len(tensor)
    right = torch.from_numpy(scaled[..., ::-1].reshape(n * n, n * 3).astype(np.float32)).to(device)
    rows, columns = _factors(lattice, mapped.patch_shape, n - 4, device)
    z, y, x = map(len, lattice)
    return (rows @ right @ columns).reshape(z, y, x, 3)


@lru_cache(maxsize=256)
def _factors(
    lattice: Lattice, patch_shape: Shape, points: int, device: torch.device | None
) -> tuple[Tensor, Tensor]:
    """The constant matrices left and right of a draw's tensor: ``(z y, n n)`` and ``(3 n, 3 x)``."""
    z, y, x = (
        axis_terms(size, points)[list(indices)] for indices, size in zip(lattice, patch_shape, strict=True)
    )
    left = np.kron(z, y).astype(np.float32)
    right = np.kron(x.T, np.eye(3)).astype(np.float32)
    return torch.from_numpy(left).to(device), torch.from_numpy(right).to(device)


def _is_crop(mapped: Mapping) -> bool:
    flips = np.diag(np.diag(mapped.linear))
    first = mapped.centre - mapped.linear @ mapped.middle
    return bool(
        (np.abs(mapped.linear) == np.eye(3)).all()
        and (mapped.linear == flips).all()
        and (first == np.round(first)).all()
    )


def _copied(source: Source, mapped: Mapping, lattice: Lattice) -> Tensor:
    first = mapped.centre - mapped.linear @ mapped.middle
    values = source.voxels
    for axis, indices in enumerate(lattice):
        size = source.shape[axis]
        wanted = torch.as_tensor(
            (first[axis] + mapped.linear[axis, axis] * np.array(indices)).astype(np.int64),
            device=values.device,
        )
        is_inside = (wanted >= 0) & (wanted < size)
        values = values.index_select(axis + 1, wanted.clamp(0, size - 1))
        if not bool(is_inside.all()):
            values = values * is_inside.reshape([-1 if axis == i else 1 for i in range(3)])
    return values
