"""Makes the sample that a draw describes; nothing here is random, so a draw can be replayed.

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

from napari_necroseg.core.augment import _kernel
from napari_necroseg.core.augment.intensity import apply_contrast, apply_gamma, blur, whiten
from napari_necroseg.core.augment.mapping import (
    Drawn,
    Lattice,
    Mapping,
    PlaceTerms,
    lattice_of,
    map_draws,
    place_terms,
    places_in_coarse,
)
from napari_necroseg.core.augment.source import Shape, Source

# On a CPU `grid_sample` works in parallel over its batch only, so the points of each draw are handed over in
# this many parts of one volume.
_PARTS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The images that the network sees, and the target that it should predict, on the source's device."""

    images: Tensor  # ``(C, *S)``, or ``(B, C, *S)`` for a batch; float32, whitened
    target: Tensor  # ``(*S)``, or ``(B, *S)`` for a batch; uint8, 0 and 1


def make_sample(source: Source, drawn: Drawn, *, patch_shape: Shape) -> Sample:
    """Make what was drawn; nothing is computed for voxels outside the patch.

    Of a 2D sample only its slice is made, and every fourth voxel of its volume patch, whose statistics
    whiten it; these voxels have the gamma of the sample, but not its blur. `patch_shape` counts all slices of
    the patch, in 2D, too.
    """
    batch = make_batch([source], [drawn], patch_shape=patch_shape)
    return Sample(images=batch.images[0], target=batch.target[0])


def make_batch(sources: Sequence[Source], draws: Sequence[Drawn], *, patch_shape: Shape) -> Sample:
    """Make a mini-batch: a draw of each source, as `make_sample` makes it alone.

    The sources are on one device and have the same sequences. The draws are of one configuration: all 2D or
    all 3D, and with the same number of elastic control points.
    """
    mapped = map_draws(draws, [source.spacing_mm for source in sources], patch_shape=patch_shape)
    images, target = _kernel.make_samples(sources, draws, mapped) or _made_by_torch(
        sources, draws, mapped=mapped
    )
    if draws[0].contrast:
        apply_contrast(
            images, [drawn.contrast for drawn in draws], brightness=[drawn.brightness for drawn in draws]
        )
    return Sample(images=images, target=target)


def _made_by_torch(
    sources: Sequence[Source], draws: Sequence[Drawn], *, mapped: Mapping
) -> tuple[Tensor, Tensor]:
    """Return images and target as `_kernel.make_samples` does, on any device."""
    lattices = [lattice_of(mapped.patch_shape, drawn.slice_index) for drawn in draws]
    voxels = resampled(sources, mapped, lattices=lattices, channels=len(sources[0].voxels))
    images, target = voxels[:, :-1], (voxels[:, -1] >= 0.5).view(torch.uint8)
    gamma = np.array([drawn.gamma for drawn in draws])
    is_2d = draws[0].slice_index is not None
    # The patch of a slice decides how it is raised to a power or whitened; nothing else asks for the patch.
    needs_patch = is_2d and (sources[0].air is None or bool((gamma != 1).any()))
    of_patch = picked(sources, mapped) if needs_patch else None
    blur(images, np.array([drawn.blur_sigma_voxels for drawn in draws]))
    apply_gamma([images] if of_patch is None else [images, of_patch], gamma)
    _whiten(images, sources, by=of_patch)
    return (images[:, :, 0], target[:, 0]) if is_2d else (images, target)


def _whiten(images: Tensor, sources: Sequence[Source], *, by: Tensor | None = None) -> None:
    """Whiten ``(B, C, Z, Y, X)`` in place, or add again what was subtracted from sources that are white."""
    if sources[0].air is None:
        whiten(images, by=by)
    else:
        air = torch.from_numpy(np.stack([source.air for source in sources if source.air is not None]))
        images += air.to(images.device)[:, :, None, None, None]


def resampled(
    sources: Sequence[Source], mapped: Mapping, *, lattices: Sequence[Lattice], channels: int
) -> Tensor:
    """Return values ``(B, channels, z, y, x)`` of the first channels of the sources; 0 beyond their border.

    A draw that puts voxels onto voxels (a crop, flipped or not) copies them bit for bit; any other
    interpolates linearly. There is a lattice for each draw, all of the same size.
    """
    size = [len(indices) for indices in lattices[0]]
    values = torch.empty(len(sources), channels, *size, device=sources[0].padded.device)
    is_crop = _are_crops(mapped)
    for number in np.flatnonzero(is_crop).tolist():
        _copy(sources[number], mapped.only([number]), lattice=lattices[number], values=values[number])
    bent = np.flatnonzero(~is_crop).tolist()
    for source in dict.fromkeys(sources[number] for number in bent):
        own = [number for number in bent if sources[number] is source]
        grids = _grids(mapped.only(own), source, lattices=[lattices[number] for number in own])
        _sample_grids(source, grids, values=[values[number] for number in own])
    return values


def picked(sources: Sequence[Source], mapped: Mapping) -> Tensor:
    """Return every fourth voxel ``(B, C, z, y, x)`` of patches, for their statistics; 0 beyond the border.

    Each is not interpolated but the middle of the block of 4 x 4 x 4 voxels in which it lies, so that a patch
    takes few voxels of a small volume, which the processor's cache holds.
    """
    places = _places(places_in_coarse(mapped), sources[0].coarse.device)
    last = torch.tensor([source.coarse.shape[1:] for source in sources], device=places.device) - 1
    inside = places.movedim(-1, 1).clamp(min=0).minimum(last[..., None, None, None]).long()
    return torch.stack([source.coarse[:, *place] for source, place in zip(sources, inside, strict=True)])


def _grids(mapped: Mapping, source: Source, *, lattices: Sequence[Lattice]) -> Tensor:
    """Return where the voxels of lattices come from in their source: ``(B, n, 3)`` as `grid_sample` wants it.

    The last axis is column, row, slice, from -1 to 1 between the outer faces of the source.
    """
    size = np.array(source.shape)
    tensor = mapped.tensor() * (2 / size)
    tensor[:, -2, -2, -2] += 1 / size - 1
    return _places(place_terms(tensor, mapped, lattices=lattices), source.padded.device).flip(4).flatten(1, 3)


def _places(terms: PlaceTerms, device: torch.device) -> Tensor:
    """Return the places ``(B, z, y, x, 3)`` of `place_terms`."""
    planes, rows, columns = (torch.from_numpy(term).to(device) for term in terms)
    n = len(columns)
    of_planes = planes[..., : n * 3].reshape(*planes.shape[:3], n, 3)
    return torch.einsum("bzjkd,yj,kx->bzyxd", of_planes, rows, columns)


def _sample_grids(source: Source, grids: Tensor, *, values: list[Tensor]) -> None:
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


def _copy(source: Source, mapped: Mapping, *, lattice: Lattice, values: Tensor) -> None:
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
