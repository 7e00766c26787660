"""Sampling on processors, by compiled code on as many threads as torch has.

It needs numba, which comes with ``napari[all]``; without it, and on a GPU, torch does the same, more slowly.
Axes: B draws, C channels or sequences, Z slices, Y rows, X columns, n terms; see `sample`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Terms = NDArray[np.float32]

# Of planes, rows and columns, as `sample.place_terms` gives them.
PlaceTerms = tuple[Terms, Terms, Terms]

# Below this, a thread of its own costs more than it gains; a slice is 16,384 voxels.
_VOXELS_PER_THREAD = 65_536

# Parts of the work for each thread, so that one which is slow holds nobody up.
_PARTS_PER_THREAD = 4


def is_usable(voxels: Tensor) -> bool:
    """Tell whether samples of these voxels can be made here."""
    return voxels.device.type == "cpu" and find_spec("numba") is not None


def interpolate(volumes: Sequence[Tensor], places: PlaceTerms, values: Tensor) -> None:
    """Interpolate linearly; 0 beyond the border.

    Parameters
    ----------
    volumes
        B times `Source.padded`.
    places
        Where the voxels come from.
    values
        ``(B, C, z, y, x)``; written.
    """
    from napari_necroseg.core.augment._kernel.llvm_intrinsics import LANES
    from napari_necroseg.core.augment._kernel.loops import fill

    planes, *terms = places
    made = values.flatten(2, 3).numpy()
    n_rows, n_columns = made.shape[2:]

    def work(first: int, last: int) -> None:
        for number in range(first // n_rows, -(-last // n_rows)):
            wanted = max(first - number * n_rows, 0), min(last - number * n_rows, n_rows)
            fill((*_in_one_row(volumes[number], spare=LANES), planes[number], *terms), made[number], *wanted)

    _in_parts(work, len(volumes) * n_rows, n_columns)


def finish_volume(
    images: Tensor, weights: Terms, gamma: NDArray[np.float64], air: NDArray[np.float32] | None
) -> None:
    """Blur, brighten and whiten a patch.

    Parameters
    ----------
    images
        ``(C, Z, Y, X)``; written.
    weights, gamma
        ``(C, odd)`` and ``(C,)``.
    air
        `Source.air`.
    """
    from napari_necroseg.core.augment._kernel import loops

    n_sequences, n_slices = images.shape[:2]
    planes = images.flatten(0, 1).numpy()
    bounds, sums = np.empty((len(planes), 2), np.float32), np.empty((len(planes), 2))

    def for_planes(of_sequences: NDArray[np.floating]) -> Terms:
        return np.repeat(of_sequences, n_slices, axis=0).astype(np.float32)

    def work_on_planes(work: Callable[..., None], how: Terms, *found: NDArray[np.floating]) -> None:
        _in_parts(lambda first, last: work(planes, how, *found, first, last), len(planes), planes[0].size)

    work_on_planes(loops.soften, for_planes(weights), bounds)
    ranges = bounds.reshape(n_sequences, n_slices, 2)
    low, high = ranges[:, :, 0].min(axis=1), ranges[:, :, 1].max(axis=1)
    stretch = [loops.stretch_between(*pair) for pair in zip(low, high, strict=True)]
    work_on_planes(loops.brighten, for_planes(np.column_stack([gamma, low, stretch])), sums)
    if air is None:
        totals = sums.reshape(n_sequences, n_slices, 2).sum(axis=1)
        white = np.array([loops.whitening(total, images[0].numel()) for total in totals])
    else:
        white = np.column_stack([-air, np.ones_like(air)])
    work_on_planes(loops.scale, for_planes(white))


def make_slices(
    fine: tuple[Sequence[Tensor], PlaceTerms],
    coarse: tuple[Sequence[Tensor], PlaceTerms],
    weights: Terms,
    gamma: NDArray[np.float64],
    air: Sequence[NDArray[np.float32]] | None,
) -> tuple[Tensor, Tensor]:
    """Make 2D samples from beginning to end.

    Parameters
    ----------
    fine
        B times `Source.padded`, and the slices' places.
    coarse
        B times `Source.coarse`, and the places that stand for the patches.
    weights, gamma
        ``(B, C, odd)`` and ``(B, C)``.
    air
        B times `Source.air`; None where it is.

    Returns
    -------
    images, target
        ``(B, C, Y, X)``, float32, whitened, and ``(B, Y, X)``, uint8.
    """
    from napari_necroseg.core.augment._kernel.llvm_intrinsics import LANES
    from napari_necroseg.core.augment._kernel.loops import make_slice

    power = gamma.astype(np.float32)
    n_draws, n_sequences = gamma.shape
    brightness = np.empty((n_draws, 0), np.float32) if air is None else np.stack(air)
    (cases, (planes, *terms)), (coarse_cases, (coarse_planes, *coarse_terms)) = fine, coarse
    voxels, coarse_voxels = _in_rows(cases, spare=LANES), _in_rows(coarse_cases, spare=0)
    values = torch.empty(n_draws, n_sequences + 1, len(terms[0]), terms[1].shape[1])
    target = torch.empty(n_draws, *values.shape[2:], dtype=torch.uint8)
    made, inside = values.numpy(), target.numpy()

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            make_slice(
                (*voxels[number], planes[number], *terms),
                (*coarse_voxels[number], coarse_planes[number], *coarse_terms),
                (weights[number], power[number], brightness[number]),
                made[number],
                inside[number],
            )

    _in_parts(work, n_draws, made[0, 0].size)
    return values[:, :-1], target


def _in_rows(volumes: Sequence[Tensor], *, spare: int) -> list[tuple[Terms, tuple[int, int, int, int]]]:
    """Return each volume as `_in_one_row`; most stand in a mini-batch several times."""
    rows = {id(volume): volume for volume in volumes}
    made = {key: _in_one_row(volume, spare=spare) for key, volume in rows.items()}
    return [made[id(volume)] for volume in volumes]


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
