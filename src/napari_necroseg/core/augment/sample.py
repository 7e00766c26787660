"""Makes the sample that a draw describes; nothing here is random, so a draw can be replayed.

A lattice is a range of patch indices along each axis: a whole patch, one slice of it, every fourth voxel.
Axes: B batch, C channels (sequences), Z slices, Y rows, X columns, n points of a lattice; S is (Z, Y, X) in
3D and (Y, X) in 2D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from napari_necroseg.core.augment._kernel import engine
from napari_necroseg.core.augment._kernel.engine import PlaceTerms
from napari_necroseg.core.augment.intensity import (
    STATISTICS_STEP,
    apply_gamma,
    block_middles,
    blur,
    blur_weights,
    whiten,
)
from napari_necroseg.core.augment.mapping import Drawn, Mapping, axis_terms, map_draws
from napari_necroseg.core.augment.source import Shape, Source

Array = NDArray[np.float64]
Lattice = tuple[range, range, range]

# On a CPU `grid_sample` works in parallel over its batch only, so the points of each draw are handed over in
# this many parts of one volume.
_PARTS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the network sees and what it should say, on the device of the source.

    Parameters
    ----------
    images
        ``(C, *S)``, or ``(B, C, *S)`` for a batch; float32, whitened.
    target
        ``(*S)``, or ``(B, *S)`` for a batch; uint8, 0 and 1.
    """

    images: Tensor
    target: Tensor


def make_sample(source: Source, drawn: Drawn, *, patch_shape: Shape) -> Sample:
    """Make what was drawn; nothing is computed for voxels outside the patch.

    Of a 2D sample only its slice is made, and every fourth voxel of its volume patch, whose statistics
    whiten it. Those voxels have the gamma of the sample, but not its blur.

    Parameters
    ----------
    patch_shape
        Voxels of the patch, all its slices included, in 2D, too.
    """
    batch = make_batch([source], [drawn], patch_shape=patch_shape)
    return Sample(images=batch.images[0], target=batch.target[0])


def make_batch(sources: Sequence[Source], draws: Sequence[Drawn], *, patch_shape: Shape) -> Sample:
    """Make a mini-batch: a draw from each source, in turn; each as `sample` alone makes it.

    The sources are on one device and have the same sequences. The draws are of one configuration: all 2D or
    all 3D, and with the same number of elastic control points.
    """
    mapped = map_draws(draws, [source.spacing_mm for source in sources], patch_shape)
    blur_sigma, gamma = (
        np.array([getattr(drawn, name) for drawn in draws]) for name in ("blur_sigma_voxels", "gamma")
    )
    if draws[0].slice_index is None:
        return _volumes(sources, mapped, blur_sigma, gamma)
    return _slices(sources, mapped, blur_sigma, gamma, [drawn.slice_index or 0 for drawn in draws])


def _volumes(sources: Sequence[Source], mapped: Mapping, blur_sigma: Array, gamma: Array) -> Sample:
    lattices = [whole(mapped.patch_shape)] * len(sources)
    voxels = resampled(sources, mapped, lattices, channels=len(sources[0].voxels))
    images = voxels[:, :-1]
    if engine.is_usable(images):
        finish = zip(images, blur_weights(blur_sigma), gamma, sources, strict=True)
        for image, weights, powers, source in finish:
            engine.finish_volume(image, weights, powers, source.air)
    else:
        blur(images, blur_sigma)
        apply_gamma([images], gamma)
        _whiten(images, sources)
    return Sample(images=images, target=_binary(voxels[:, -1]))


def _slices(
    sources: Sequence[Source], mapped: Mapping, blur_sigma: Array, gamma: Array, indices: list[int]
) -> Sample:
    lattices = [one_slice(mapped.patch_shape, index) for index in indices]
    if engine.is_usable(sources[0].padded):
        images, target = engine.make_slices(
            ([source.padded for source in sources], places_in_padded(mapped, lattices)),
            ([source.coarse for source in sources], places_in_coarse(mapped)),
            blur_weights(blur_sigma),
            gamma,
            [source.air for source in sources if source.air is not None] or None,
        )
        return Sample(images=images, target=target)
    voxels = resampled(sources, mapped, lattices, channels=len(sources[0].voxels))
    images = voxels[:, :-1]
    # Its patch decides how a slice is raised to a power or whitened; otherwise nothing asks for it.
    is_asked = sources[0].air is None or bool((gamma != 1).any())
    of_patch = picked(sources, mapped) if is_asked else None
    blur(images, blur_sigma)
    apply_gamma([images] if of_patch is None else [images, of_patch], gamma)
    _whiten(images, sources, by=of_patch)
    return Sample(images=images[:, :, 0], target=_binary(voxels[:, -1, 0]))


def _whiten(images: Tensor, sources: Sequence[Source], *, by: Tensor | None = None) -> None:
    """Whiten ``(B, C, Z, Y, X)`` in place, or give back what was taken off sources that are white."""
    if sources[0].air is None:
        whiten(images, by=by)
    else:
        air = torch.from_numpy(np.stack([source.air for source in sources if source.air is not None]))
        images += air.to(images.device)[:, :, None, None, None]


def _binary(occupancy: Tensor) -> Tensor:
    return (occupancy >= 0.5).view(torch.uint8)


def whole(patch_shape: Shape) -> Lattice:
    """Return all voxels of a patch."""
    z, y, x = (range(n) for n in patch_shape)
    return (z, y, x)


def one_slice(patch_shape: Shape, slice_index: int) -> Lattice:
    """Return one slice of a patch."""
    _, y, x = whole(patch_shape)
    return (range(slice_index, slice_index + 1), y, x)


def resampled(
    sources: Sequence[Source], mapped: Mapping, lattices: Sequence[Lattice], *, channels: int
) -> Tensor:
    """Return values ``(B, channels, z, y, x)`` of the first channels of the sources; 0 beyond their border.

    A draw that puts voxels onto voxels (a crop, flipped or not) copies them to the bit; any other
    interpolates linearly.

    Parameters
    ----------
    lattices
        One for each draw, all of the same size.
    """
    size = [len(indices) for indices in lattices[0]]
    values = torch.empty(len(sources), channels, *size, device=sources[0].padded.device)
    if engine.is_usable(values):
        engine.interpolate([source.padded for source in sources], places_in_padded(mapped, lattices), values)
        return values
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


def picked(sources: Sequence[Source], mapped: Mapping) -> Tensor:
    """Return voxels ``(B, C, z, y, x)`` for the statistics of patches: what every fourth voxel shows.

    Each is not interpolated but the middle of the block of 4 x 4 x 4 voxels in which it lies; 0 beyond the
    border. So a patch takes few places of a small volume, which the processor's cache holds.
    """
    places = grid(places_in_coarse(mapped), sources[0].coarse.device)
    last = torch.tensor([source.coarse.shape[1:] for source in sources], device=places.device) - 1
    inside = places.movedim(-1, 1).clamp(min=0).minimum(last[..., None, None, None]).long()
    return torch.stack([source.coarse[:, *place] for source, place in zip(sources, inside, strict=True)])


def places_in_padded(mapped: Mapping, lattices: Sequence[Lattice]) -> PlaceTerms:
    """Return the `place_terms` of lattices for `Source.padded`."""
    tensor = mapped.tensor()
    tensor[:, -2, -2, -2] += 1
    return place_terms(tensor, mapped, lattices)


def places_in_coarse(mapped: Mapping) -> PlaceTerms:
    """Return the `place_terms` of the patches' every fourth voxels for `Source.coarse`."""
    z, y, x = (
        range(axis.min(), axis.max() + 1, STATISTICS_STEP) for axis in block_middles(mapped.patch_shape)
    )
    # From voxels to blocks of them, counted from the border of zeros: the first begins half a voxel before 0.
    tensor = mapped.tensor() / STATISTICS_STEP
    tensor[:, -2, -2, -2] += 0.5 / STATISTICS_STEP + 1
    return place_terms(tensor, mapped, [(z, y, x)] * len(tensor))


def _interpolate(
    sources: list[Source], mapped: Mapping, lattices: list[Lattice], values: list[Tensor]
) -> None:
    """Write what each draw interpolates from its source into ``(C, z, y, x)``, by torch."""
    shapes = [source.shape for source in sources]
    grids = sampling_grids(mapped, shapes, lattices, device=values[0].device)
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
    return grid(place_terms(tensor, mapped, lattices), device).flip(4).flatten(1, 3)


def grid(terms: PlaceTerms, device: torch.device | None) -> Tensor:
    """Return the places ``(B, z, y, x, 3)`` of `place_terms`."""
    planes, rows, columns = (torch.from_numpy(term).to(device) for term in terms)
    n = len(columns)
    of_planes = planes[..., : n * 3].reshape(*planes.shape[:3], n, 3)
    return torch.einsum("bzjkd,yj,kx->bzyxd", of_planes, rows, columns)


def place_terms(tensor: NDArray[np.float64], mapped: Mapping, lattices: Sequence[Lattice]) -> PlaceTerms:
    """Contract the tensors ``(B, n, n, n, 3)`` of maps for the slices of lattices.

    Returns
    -------
    planes
        ``(B, z, n, n 3)``, filled up with zeros to a multiple of 8 numbers a line, which processors like.
    rows, columns
        ``(y, n)`` and ``(n, x)``; the sum of ``rows[y, j] * columns[k, x] * planes[..., j, 3 k : 3 k + 3]``
        over j and k is the place of a voxel.
    """
    n_draws, n = tensor.shape[:2]
    terms = [axis_terms(size, mapped.points) for size in mapped.patch_shape]
    z, y, x = lattices[0]
    firsts = np.array([lattice[0].start for lattice in lattices])
    slices = terms[0][firsts[:, None] + range(0, len(z) * z.step, z.step)]
    rows, columns = terms[1][y], terms[2][x]
    planes = np.zeros((n_draws, len(z), n, -(-n * 3 // 8) * 8), np.float32)
    planes[..., : n * 3] = (slices @ tensor.reshape(n_draws, n, -1)).reshape(n_draws, -1, n, n * 3)
    return planes, np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(columns.T, np.float32)


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
