"""A case ready to be sampled: its voxels on the device, and what a draw needs to know of its target.

Axes: C channels (sequences), Z the network's slices, Y rows, X columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment.intensity import block_middles

Shape = tuple[int, int, int]
_SPARE = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A case on the network's slices; `make_source` makes it.

    Held as float32: 26 cases of 64 x 400 x 400 with both sequences take 3.6 GB.
    """

    name: str
    # ``(C + 1, Z + 2, Y + 2, X + 2)``, float32: each sequence less its minimum, so that 0 is what lies beyond
    # the border, and the target, 0 and 1; all within a border of zeros, so that the border needs no code of
    # its own. Samples are made on the device that it is on.
    padded: Tensor
    # ``(C, Z / 4 + 3, Y / 4 + 3, X / 4 + 3)``: the middles of blocks of 4 x 4 x 4 voxels of the sequences,
    # with one of zeros before and two behind them, for the statistics of patches.
    coarse: Tensor
    # ``(Z, Y, X)``, uint8, 0 and 1: the target again, on the CPU, where draws are made.
    target: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]  # Of slices, rows and columns on the network's grid
    # Row and column of the target's centre of mass, m_c of the paper; of the image without a target.
    target_centre: tuple[float, float]
    # ``(n, 3)``: for each slice with target the voxel deepest inside it (of several the one nearest to the
    # middle); none without a target.
    witnesses: NDArray[np.int64]
    # ``(C,)``: of sequences that were whitened as a whole, the value that 0 of `padded` stands for; None
    # where each sample is to be whitened by itself.
    air: NDArray[np.float32] | None = None

    @property
    def n_sequences(self) -> int:
        """Channels without the target."""
        return self.coarse.shape[0]

    @property
    def voxels(self) -> Tensor:
        """``(C + 1, Z, Y, X)``; a view without the border."""
        return self.padded[:, 1:-1, 1:-1, 1:-1]

    @property
    def shape(self) -> Shape:
        """Slices, rows and columns."""
        z, y, x = self.target.shape
        return (z, y, x)


def make_source(
    images: NDArray[np.float32],
    target: NDArray[np.uint8] | None,
    *,
    spacing_mm: tuple[float, float, float],
    name: str = "",
    device: str = "cpu",
    is_white: bool = False,
) -> Source:
    """Make the source of a case from images ``(C, Z, Y, X)``, float32, and its mask ``(Z, Y, X)``, if any.

    Voxels of the mask that are not 0 are inside. Images already whitened as a whole (`is_white`) stay so.
    """
    inside = np.zeros(images.shape[1:], np.uint8) if target is None else (target != 0).astype(np.uint8)
    padded = _within_zeros(len(images) + 1, inside.shape)
    voxels = padded.numpy()[:, 1:-1, 1:-1, 1:-1]
    lowest = images.min(axis=(1, 2, 3))
    np.subtract(images, lowest[:, None, None, None], out=voxels[:-1])
    voxels[-1] = inside
    middles = block_middles(inside.shape)
    # Places beyond the border are moved onto it, and reading begins with the voxel before: so two behind.
    coarse = _within_zeros(len(images), [axis.size + 1 for axis in middles])
    coarse.numpy()[:, 1:-2, 1:-2, 1:-2] = voxels[:-1][:, *middles]
    return Source(
        name=name,
        padded=padded.to(device),
        coarse=coarse.to(device),
        target=inside,
        spacing_mm=spacing_mm,
        target_centre=_centre(inside),
        witnesses=_witnesses(inside, spacing_mm),
        air=lowest if is_white else None,
    )


def _within_zeros(channels: int, shape: Sequence[int]) -> Tensor:
    """Return zeros ``(channels, Z + 2, Y + 2, X + 2)`` around a shape.

    The channels of a voxel lie beside each other in memory, since all are read together. Some numbers follow
    the last voxel, so that a few more than its channels can be read there, too.
    """
    z, y, x = (size + 2 for size in shape)
    # numpy asks for large pages of memory, in which distant voxels are found faster.
    row = torch.from_numpy(np.zeros(z * y * x * channels + _SPARE, np.float32))
    return row[:-_SPARE].view(z, y, x, channels).movedim(-1, 0)


def _centre(target: NDArray[np.uint8]) -> tuple[float, float]:
    in_plane = target.sum(axis=0, dtype=np.int64)
    total = in_plane.sum()
    if total == 0:
        return ((target.shape[1] - 1) / 2, (target.shape[2] - 1) / 2)
    rows, columns = in_plane.sum(axis=1), in_plane.sum(axis=0)
    return float(rows @ np.arange(len(rows)) / total), float(columns @ np.arange(len(columns)) / total)


def _witnesses(target: NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    from scipy.ndimage import distance_transform_edt, find_objects

    if not target.any():
        return np.empty((0, 3), np.int64)
    box = find_objects(target)[0]
    # A border of background: the edge of the image ends the target, too.
    depth = distance_transform_edt(np.pad(target[box], 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    # A hundredth of the distance to the middle decides between voxels that are equally deep.
    rows, columns = np.indices(depth.shape[1:]).astype(np.float64)
    rows, columns = rows - (depth.shape[1] - 1) / 2, columns - (depth.shape[2] - 1) / 2
    central = depth - 0.01 * np.hypot(rows * spacing_mm[1], columns * spacing_mm[2])
    flat = np.where(depth > 0, central, -np.inf).reshape(len(depth), -1)
    deepest = np.column_stack(
        [np.arange(len(depth)), *np.unravel_index(flat.argmax(axis=1), depth.shape[1:])]
    )
    return np.asarray(deepest[np.isfinite(flat.max(axis=1))] + [axis.start for axis in box], np.int64)
