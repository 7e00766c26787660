"""The voxels of patches that are wanted, and their values in the sources, interpolated once.

A lattice is a range of patch indices along each axis: a whole patch, one slice of it, every fourth voxel.
Axes: B draws, C channels, n points of a lattice.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from napari_necroseg.core.augment.geometry import Mapping, axis_terms
from napari_necroseg.core.augment.source import Shape, Source

Lattice = tuple[range, range, range]

# On a CPU `grid_sample` works in parallel over its batch only, so the points of each draw are handed over in
# this many parts of one volume.
_PARTS = 8


def whole(patch_shape: Shape, *, step: int = 1) -> Lattice:
    """Return every `step`-th voxel of a patch along each axis."""
    z, y, x = (range(0, n, step) for n in patch_shape)
    return (z, y, x)


def one_slice(patch_shape: Shape, slice_index: int) -> Lattice:
    """Return one slice of a patch."""
    _, y, x = whole(patch_shape)
    return (range(slice_index, slice_index + 1), y, x)


def resampled(
    sources: Sequence[Source], mapped: Mapping, lattices: Sequence[Lattice], *, channels: int
) -> Tensor:
    """Return values ``(B, channels, z, y, x)`` of the first channels of the sources; 0 beyond their border.

    A draw that puts voxels onto voxels (a crop, flipped or not) copies them; any other interpolates linearly.

    Parameters
    ----------
    lattices
        One for each draw, all of the same size.
    """
    size = [len(indices) for indices in lattices[0]]
    values = torch.empty(len(sources), channels, *size, dtype=torch.float32, device=sources[0].voxels.device)
    bent = []
    for number, is_crop in enumerate(_are_crops(mapped).tolist()):
        if is_crop:
            _copy(sources[number], mapped.only([number]), lattices[number], values[number])
        else:
            bent.append(number)
    if bent:
        _interpolate(
            [sources[number] for number in bent],
            mapped.only(bent),
            [lattices[number] for number in bent],
            [values[number] for number in bent],
        )
    return values


def _interpolate(
    sources: list[Source], mapped: Mapping, lattices: list[Lattice], values: list[Tensor]
) -> None:
    """Write what each draw interpolates from its source into ``(C, z, y, x)``."""
    device = values[0].device
    if device.type == "cpu" and find_spec("numba") is not None:
        from napari_necroseg.core.augment import kernel  # loads numba

        rows, columns = row_terms(mapped.tensor(), mapped, lattices)
        kernel.interpolate([source.voxels for source in sources], rows, columns, values)
        return
    grids = sampling_grids(mapped, [source.shape for source in sources], lattices, device=device)
    for source in dict.fromkeys(sources):
        own = [number for number, other in enumerate(sources) if other is source]
        _sample_grids(source, grids[own], [values[number] for number in own])


def sampling_grids(
    mapped: Mapping,
    source_shapes: Sequence[Shape],
    lattices: Sequence[Lattice],
    *,
    device: torch.device | None = None,
) -> Tensor:
    """Return where the voxels of lattices come from: ``(B, n, 3)`` as `grid_sample` wants it.

    The last axis is column, row, slice, from -1 to 1 between the outer faces of the source.
    """
    size = np.array(source_shapes)
    tensor = mapped.tensor() * (2 / size)[:, None, None, None]
    tensor[:, -2, -2, -2] += 1 / size - 1
    rows, columns = (torch.from_numpy(terms).to(device) for terms in row_terms(tensor, mapped, lattices))
    return torch.einsum("brnd,nx->brxd", rows, columns).flip(3).flatten(1, 2)


def row_terms(
    tensor: NDArray[np.float64], mapped: Mapping, lattices: Sequence[Lattice]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Contract the tensors ``(B, n, n, n, 3)`` of maps for the rows of lattices.

    Returns
    -------
    rows
        ``(B, z y, n, 3)``.
    columns
        ``(n, x)``; the sum of ``columns[k, x] * rows[..., k, :]`` over k is the place of the voxels.
    """
    n_draws, n = tensor.shape[:2]
    slices = np.stack([_terms(lattice, mapped, axis=0) for lattice in lattices])
    y, x = (_terms(lattices[0], mapped, axis=axis) for axis in (1, 2))
    planes = slices @ tensor.reshape(n_draws, n, -1)
    rows = y @ planes.reshape(n_draws, -1, n, n * 3)
    return rows.astype(np.float32).reshape(n_draws, -1, n, 3), np.ascontiguousarray(x.T, np.float32)


def _terms(lattice: Lattice, mapped: Mapping, *, axis: int) -> NDArray[np.float64]:
    return axis_terms(mapped.patch_shape[axis], mapped.points)[lattice[axis].start :: lattice[axis].step][
        : len(lattice[axis])
    ]


def _sample_grids(source: Source, grids: Tensor, values: list[Tensor]) -> None:
    """Interpolate one source at the grids ``(B, n, 3)`` of its draws, by torch."""
    n_draws, n_points = grids.shape[:2]
    channels = len(values[0])
    parts = _PARTS if n_points % _PARTS == 0 else 1
    made = grid_sample(
        source.voxels[None, :channels].expand(n_draws * parts, -1, -1, -1, -1),
        grids.reshape(n_draws * parts, 1, 1, n_points // parts, 3),
        align_corners=False,
    ).reshape(n_draws, parts, channels, n_points // parts)
    for patch, put in zip(made, values, strict=True):
        put.view(channels, parts, -1).copy_(patch.transpose(0, 1))


def _are_crops(mapped: Mapping) -> NDArray[np.bool_]:
    """``(B,)``; which draws put voxels onto voxels."""
    if mapped.control is not None:
        is_still = ~mapped.control.any(axis=(1, 2, 3, 4))
    else:
        is_still = np.ones(len(mapped.linear), bool)
    first = _first(mapped)
    is_flip = (np.abs(mapped.linear) == np.eye(3)).all(axis=(1, 2))
    return np.asarray(is_still & is_flip & (first == np.round(first)).all(axis=1))


def _first(mapped: Mapping) -> NDArray[np.float64]:
    """``(B, 3)``; source index of the first voxel of each patch, where nothing is bent."""
    return np.asarray(mapped.centre - (mapped.linear @ mapped.middle[..., None])[..., 0])


def _copy(source: Source, mapped: Mapping, lattice: Lattice, values: Tensor) -> None:
    """Write a crop, flipped or not, of a source into ``values (C, z, y, x)``."""
    taken, put, flipped = [slice(len(values))], [slice(None)], []
    for axis, (first, step) in enumerate(zip(_first(mapped)[0], np.diag(mapped.linear[0]), strict=True)):
        wanted = (first + step * np.array(lattice[axis])).astype(int)
        (inside,) = np.nonzero((wanted >= 0) & (wanted < source.shape[axis]))
        ends = sorted([wanted[inside[0]], wanted[inside[-1]]]) if len(inside) else [0, -1]
        taken.append(slice(ends[0], ends[1] + 1, lattice[axis].step))
        put.append(slice(inside[0], inside[-1] + 1) if len(inside) else slice(0))
        if step < 0:
            flipped.append(axis + 1)
    values.zero_()
    values[tuple(put)] = source.voxels[tuple(taken)].flip(flipped)
