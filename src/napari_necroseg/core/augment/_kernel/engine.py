"""Makes samples by compiled loops on as many threads as torch has.

The loops are written so that compilers turn them into vector code; they stand in one module, since numba sees
no changes of others. Axes: B draws, C channels or sequences, Z slices, Y rows, X columns, n terms of a map's
tensor (`mapping.place_terms`); planes are slices of sequences.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment._kernel.llvm_intrinsics import LANES, blend8, compiled, exp2, fetch8, log2
from napari_necroseg.core.augment.intensity import FLOAT32_NOISE, blur_weights
from napari_necroseg.core.augment.mapping import (
    Drawn,
    Lattice,
    Mapping,
    Terms,
    lattice_of,
    places_in_coarse,
    places_in_padded,
)
from napari_necroseg.core.augment.source import Source

# Slices, rows, columns, channels.
Size = tuple[int, int, int, int]
# Numbers in one row, their sizes, and the terms of the places to read.
Places = tuple[NDArray[Any], Size, NDArray[Any], NDArray[Any], NDArray[Any]]

# A thread of its own costs more than it gains for fewer voxels; a slice has 16,384.
_VOXELS_PER_THREAD = 65_536
# Parts of the work for each thread, so that a slow one holds up no other.
_PARTS_PER_THREAD = 4
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


def make_samples(sources: Sequence[Source], draws: Sequence[Drawn], mapped: Mapping) -> tuple[Tensor, Tensor]:
    """Return images ``(B, C, *S)``, float32, whitened, and target ``(B, *S)``, uint8."""
    weights = blur_weights(np.array([drawn.blur_sigma_voxels for drawn in draws]))
    gamma = np.array([drawn.gamma for drawn in draws])
    lattices = [lattice_of(mapped.patch_shape, drawn.slice_index) for drawn in draws]
    if draws[0].slice_index is not None:
        return _make_slices(sources, mapped, lattices, weights, gamma)
    voxels = resampled(sources, mapped, lattices=lattices, channels=len(sources[0].voxels))
    images = voxels[:, :-1]
    for image, of_draw, powers, source in zip(images, weights, gamma, sources, strict=True):
        _finish_volume(image, of_draw, powers, source.air)
    return images, (voxels[:, -1] >= 0.5).view(torch.uint8)


def resampled(
    sources: Sequence[Source], mapped: Mapping, *, lattices: Sequence[Lattice], channels: int
) -> Tensor:
    """Return values ``(B, channels, z, y, x)`` of the sources, interpolated linearly; 0 beyond the border."""
    volumes = [_in_one_row(source.padded, spare=LANES) for source in sources]
    planes, *terms = places_in_padded(mapped, lattices)
    values = torch.empty(len(sources), channels, *map(len, lattices[0]))
    made = values.flatten(2, 3).numpy()
    n_rows, n_columns = made.shape[2:]

    def work(first: int, last: int) -> None:
        for number in range(first // n_rows, -(-last // n_rows)):
            wanted = max(first - number * n_rows, 0), min(last - number * n_rows, n_rows)
            fill((*volumes[number], planes[number], *terms), made[number], *wanted)

    _in_parts(work, len(volumes) * n_rows, n_columns)
    return values


def _finish_volume(
    images: Tensor, weights: Terms, gamma: NDArray[np.float64], air: NDArray[np.float32] | None
) -> None:
    """Blur, brighten and whiten a patch ``(C, Z, Y, X)`` by weights ``(C, odd)`` and gamma ``(C,)``."""
    n_sequences, n_slices = images.shape[:2]
    planes = images.flatten(0, 1).numpy()
    bounds, sums = np.empty((len(planes), 2), np.float32), np.empty((len(planes), 2))

    def for_planes(of_sequences: NDArray[np.floating]) -> Terms:
        return np.repeat(of_sequences, n_slices, axis=0).astype(np.float32)

    def work_on_planes(work: Callable[..., None], how: Terms, *found: NDArray[np.floating]) -> None:
        _in_parts(lambda first, last: work(planes, how, *found, first, last), len(planes), planes[0].size)

    work_on_planes(soften, for_planes(weights), bounds)
    ranges = bounds.reshape(n_sequences, n_slices, 2)
    low, high = ranges[:, :, 0].min(axis=1), ranges[:, :, 1].max(axis=1)
    stretch = [stretch_between(*pair) for pair in zip(low, high, strict=True)]
    work_on_planes(brighten, for_planes(np.column_stack([gamma, low, stretch])), sums)
    if air is None:
        totals = sums.reshape(n_sequences, n_slices, 2).sum(axis=1)
        white = np.array([whitening(total, images[0].numel()) for total in totals])
    else:
        white = np.column_stack([-air, np.ones_like(air)])
    work_on_planes(scale, for_planes(white))


def _make_slices(
    sources: Sequence[Source],
    mapped: Mapping,
    lattices: Sequence[Lattice],
    weights: Terms,
    gamma: NDArray[np.float64],
) -> tuple[Tensor, Tensor]:
    """Make 2D samples from beginning to end, by weights of the blur ``(B, C, odd)`` and gamma ``(B, C)``."""
    power = gamma.astype(np.float32)
    air = [np.empty(0, np.float32) if source.air is None else source.air for source in sources]
    planes, *terms = places_in_padded(mapped, lattices)
    coarse_planes, *coarse_terms = places_in_coarse(mapped)
    # Most sources stand in a mini-batch several times.
    rows = {
        source: (_in_one_row(source.padded, spare=LANES), _in_one_row(source.coarse, spare=0))
        for source in dict.fromkeys(sources)
    }
    n_draws, n_sequences = gamma.shape
    values = torch.empty(n_draws, n_sequences + 1, len(terms[0]), terms[1].shape[1])
    target = torch.empty(n_draws, *values.shape[2:], dtype=torch.uint8)
    made, inside = values.numpy(), target.numpy()

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            fine, coarse = rows[sources[number]]
            make_slice(
                (*fine, planes[number], *terms),
                (*coarse, coarse_planes[number], *coarse_terms),
                (weights[number], power[number], air[number]),
                made[number],
                inside[number],
            )

    _in_parts(work, n_draws, made[0, 0].size)
    return values[:, :-1], target


def _in_one_row(volume: Tensor, *, spare: int) -> tuple[Terms, tuple[int, int, int, int]]:
    """Return the numbers of ``(Z, Y, X, C)``, some more of their storage, and the four sizes."""
    c, z, y, x = volume.shape
    row = torch.as_strided(volume.movedim(0, -1).contiguous(), (z * y * x * c + spare,), (1,))
    return row.numpy(), (z, y, x, c)


def _in_parts(work: Callable[[int, int], None], n_pieces: int, voxels_each: int) -> None:
    """Do pieces of work, from the first to before the last of each part, on several threads.

    Threads of Python, since those of numba may not be used by two jobs at a time; the GIL is released.
    """
    threads = min(torch.get_num_threads(), -(-n_pieces * voxels_each // _VOXELS_PER_THREAD))
    edges = np.linspace(0, n_pieces, min(n_pieces, threads * _PARTS_PER_THREAD) + 1).astype(int).tolist()
    parts = list(pairwise(edges))

    def work_off() -> None:
        while parts:
            # Taking one is safe: another thread may have taken the last one meanwhile.
            with suppress(IndexError):
                work(*parts.pop())

    # This thread works, too.
    others = [_threads(os.getpid(), threads - 1).submit(work_off) for _ in range(threads - 1)]
    work_off()
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _threads(process: int, n: int) -> ThreadPoolExecutor:
    """Return threads that stay: the system starts new ones on a core that is busy, and moves them late."""
    return ThreadPoolExecutor(n)


@compiled
def make_slice(
    fine: Places,
    coarse: Places,
    finish: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    made: NDArray[Any],
    target: NDArray[Any],
) -> None:
    """Make a 2D sample from beginning to end, so that it never leaves the processor's fast memory.

    `fine` is the case with the places of the slice, `coarse` is `Source.coarse` with the places that stand
    for the patch, `finish` holds the weights of the blur ``(C, odd)``, gamma ``(C,)`` and `Source.air`
    ``(C,)``, empty for None. It writes `made` ``(C + 1, Y, X)``, the whitened sequences and how much of each
    voxel is target, and `target` ``(Y, X)``, where that is half of it or more.
    """
    weights, power, air = finish
    n_sequences = len(power)
    fill(fine, made, 0, made.shape[1])
    patches = np.empty((n_sequences, len(coarse[2]) * len(coarse[3]), coarse[4].shape[1]), np.float32)
    pick(coarse, patches)
    bounds, sums = np.empty((n_sequences, 2), np.float32), np.empty(2)
    soften(made, weights, bounds, 0, n_sequences)
    for number in range(n_sequences):
        image, patch = made[number].ravel(), patches[number].ravel()
        low, high = _extremes(patch)
        low, high = min(low, bounds[number, 0]), max(high, bounds[number, 1])
        stretch = stretch_between(low, high)
        _raise(image, power[number], low, stretch)
        _raise(patch, power[number], low, stretch)
        if len(air) == 0:
            sums[0], sums[1] = _moments(patch)
            mean, factor = whitening(sums, len(patch))
        else:
            mean, factor = -air[number], _ONE
        _scale(image, mean, factor)
    for row in range(len(target)):
        inside, occupancy = target[row], made[n_sequences, row]
        for i in range(len(inside)):
            inside[i] = occupancy[i] >= _HALF


@compiled
def fill(places: Places, values: NDArray[Any], first_row: int, last_row: int) -> None:
    """Interpolate rows linearly; 0 beyond the border.

    `places` are the numbers of ``(Z Y X C)`` in one row and `LANES` more, the outermost voxels being 0; the
    four sizes; the terms of `mapping.place_terms`. `values` ``(C or fewer, z y, x)`` are written from the
    first to before the last row.
    """
    voxels, size, planes, rows, columns = places
    n_rows, n_columns = len(rows), columns.shape[1]
    row = np.empty(planes.shape[2], np.float32)
    # For two rows, since the voxels of the next are fetched from memory while this one is blended.
    beyond, first = np.empty((2, 3, n_columns), np.float32), np.empty((2, n_columns), np.uint32)
    blended = np.empty(LANES * n_columns, np.float32)
    apart = np.uint32(size[1] * size[2] * size[3]), np.uint32(size[2] * size[3]), np.uint32(size[3])
    for number in range(first_row, last_row + 1):
        this, following = (number - 1) % 2, number % 2
        if number < last_row:
            _contract(planes[number // n_rows], rows[number % n_rows], row)
            _place(row, columns, size, beyond[following], first[following])
            for i in range(n_columns):
                fetch8(voxels, first[following, i], apart)
        if number > first_row:
            z, y, x = beyond[this, 0], beyond[this, 1], beyond[this, 2]
            for i in range(n_columns):
                blend8(voxels, first[this, i], apart, (z[i], y[i], x[i]), blended, np.uint32(LANES * i))
            for channel in range(len(values)):
                made = values[channel, number - 1]
                for i in range(n_columns):
                    made[i] = blended[LANES * i + channel]


@compiled
def pick(places: Places, values: NDArray[Any]) -> None:
    """Take the voxel in which each place lies, without blending it as `fill` does."""
    voxels, size, planes, rows, columns = places
    n_rows, n_columns = len(rows), columns.shape[1]
    row = np.empty(planes.shape[2], np.float32)
    beyond, first = np.empty((3, n_columns), np.float32), np.empty(n_columns, np.uint32)
    for number in range(values.shape[1]):
        _contract(planes[number // n_rows], rows[number % n_rows], row)
        _place(row, columns, size, beyond, first)
        for channel in range(len(values)):
            made = values[channel, number]
            for i in range(n_columns):
                made[i] = voxels[first[i] + channel]


@compiled
def _contract(plane: NDArray[Any], factors: NDArray[Any], row: NDArray[Any]) -> None:
    """Write the sum of the lines of a plane, each multiplied by its factor."""
    row[:] = 0
    for term in range(len(factors)):
        line, factor = plane[term], factors[term]
        for i in range(len(row)):
            row[i] += line[i] * factor


@compiled
def _place(
    row: NDArray[Any], columns: NDArray[Any], size: Size, beyond: NDArray[Any], first: NDArray[Any]
) -> None:
    """Write where the first of eight neighbours of each place is in memory, and how far beyond the place is.

    Places beyond the border are moved onto it, where everything is 0.
    """
    for i in range(len(first)):
        beyond[0, i], beyond[1, i], beyond[2, i], first[i] = _ZERO, _ZERO, _ZERO, 0
    for term in range(len(columns)):
        factors, by_z, by_y, by_x = columns[term], row[3 * term], row[3 * term + 1], row[3 * term + 2]
        for i in range(len(first)):
            beyond[0, i] += factors[i] * by_z
            beyond[1, i] += factors[i] * by_y
            beyond[2, i] += factors[i] * by_x
    apart = np.uint32(size[3])
    for axis in (2, 1, 0):
        place, last = beyond[axis], np.float32(size[axis] - 1)
        for i in range(len(first)):
            inside = min(max(place[i], _ZERO), last)
            lower = np.floor(min(inside, last - _ONE))
            place[i] = inside - lower
            first[i] += np.uint32(np.uint32(lower) * apart)
        apart = np.uint32(apart * np.uint32(size[axis]))


@compiled
def soften(planes: NDArray[Any], weights: NDArray[Any], bounds: NDArray[Any], first: int, last: int) -> None:
    """Blur planes along both axes by an odd number of weights ``(n, odd)``; the border is repeated.

    Their lowest and highest values go to `bounds` ``(n, 2)``.
    """
    for number in range(first, last):
        plane, middle = planes[number], weights.shape[1] // 2
        # If only the voxel itself has a weight, the plane stays as it is.
        if weights[number, middle] < _ONE:
            _blur(plane, weights[number])
        bounds[number] = _extremes(plane.ravel())


@compiled
def brighten(planes: NDArray[Any], how: NDArray[Any], sums: NDArray[Any], first: int, last: int) -> None:
    """Raise planes to powers; `how` is ``(n, 3)``: power, low and stretch.

    The sums of their values and of their squares go to `sums` ``(n, 2)``.
    """
    for number in range(first, last):
        values, (power, low, stretch) = planes[number].ravel(), how[number]
        _raise(values, power, low, stretch)
        sums[number] = _moments(values)


@compiled
def scale(planes: NDArray[Any], how: NDArray[Any], first: int, last: int) -> None:
    """Subtract means from planes and multiply by factors; `how` is ``(n, 2)``: means and factors."""
    for number in range(first, last):
        mean, factor = how[number]
        _scale(planes[number].ravel(), mean, factor)


@compiled
def _scale(values: NDArray[Any], mean: float, factor: float) -> None:
    for i in range(len(values)):
        values[i] = (values[i] - mean) * factor


@compiled
def _extremes(values: NDArray[Any]) -> tuple[Any, Any]:
    """Return the lowest and the highest of values ``(n,)``, faster than `min` and `max`."""
    low, high = values[0], values[0]
    for i in range(len(values)):
        value = values[i]
        low, high = value if value < low else low, value if value > high else high
    return low, high


@compiled
def _moments(values: NDArray[Any]) -> tuple[float, float]:
    """Return the sums of values ``(n,)`` and of their squares, in double precision."""
    total, squares = 0.0, 0.0
    for i in range(len(values)):
        value = np.float64(values[i])
        total, squares = total + value, squares + value * value
    return total, squares


@compiled
def stretch_between(low: float, high: float) -> Any:
    """Return the factor that stretches a range of values to a length of 1; 0 if all values are equal."""
    return _ONE / (high - low) if high > low else _ZERO


@compiled
def whitening(sums: NDArray[Any], n: int) -> tuple[Any, Any]:
    """Return mean and factor that whiten n values with sums from `_moments`; 0 if they are constant."""
    mean = sums[0] / n
    deviation = math.sqrt(max(sums[1] / n - mean * mean, 0.0))
    is_noise = deviation <= FLOAT32_NOISE * abs(mean)
    return np.float32(mean), np.float32(0.0 if is_noise else 1 / deviation)


@compiled
def _raise(values: NDArray[Any], power: float, low: float, stretch: float) -> None:
    """Raise ``(value - low) * stretch`` of values ``(n,)``, from 0 to 1, in place; not to a power of 1.

    The lowest and the highest stay what they were.
    """
    if power == _ONE:
        return
    span = _ONE / stretch if stretch > 0 else _ZERO
    for i in range(len(values)):
        share = (values[i] - low) * stretch
        raised = exp2(power * log2(share))
        values[i] = low + span * (raised if share > 0 else _ZERO)


@compiled
def _blur(plane: NDArray[Any], weights: NDArray[Any]) -> None:
    n_rows, n_columns = plane.shape
    radius = len(weights) // 2
    wide = np.empty(n_columns + 2 * radius, np.float32)
    along_rows = np.empty((n_rows + 2 * radius, n_columns), np.float32)
    for row in range(n_rows):
        source, blurred = plane[row], along_rows[row + radius]
        wide[:radius], wide[radius + n_columns :] = source[0], source[-1]
        for i in range(n_columns):
            wide[radius + i] = source[i]
        _weigh(wide, 1, weights, blurred)
    for row in range(radius):
        along_rows[row], along_rows[-1 - row] = along_rows[radius], along_rows[-1 - radius]
    flat = along_rows.ravel()
    for row in range(n_rows):
        _weigh(flat[row * n_columns :], n_columns, weights, plane[row])


@compiled
def _weigh(values: NDArray[Any], step: int, weights: NDArray[Any], made: NDArray[Any]) -> None:
    """Write sums of values that are `step` apart, by symmetric weights, at least five."""
    radius = len(weights) // 2
    # Slices, since an index that is a sum might be negative, for all that numba knows: no vector code.
    near = values[(radius - 2) * step :]
    b, c, d, e = near[step:], near[2 * step :], near[3 * step :], near[4 * step :]
    outer, inner, middle = weights[radius - 2], weights[radius - 1], weights[radius]
    for i in range(len(made)):
        made[i] = outer * (near[i] + e[i]) + inner * (b[i] + d[i]) + middle * c[i]
    for number in range(radius - 2):
        before, after = values[number * step :], values[(2 * radius - number) * step :]
        for i in range(len(made)):
            made[i] += weights[number] * (before[i] + after[i])
