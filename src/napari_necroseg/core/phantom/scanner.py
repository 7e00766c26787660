"""The scanner of the phantom: where it samples, and what it adds to and loses of the anatomy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.phantom.paint import Canvas
from napari_necroseg.core.phantom.spine import Points
from napari_necroseg.core.phantom.texture import Field
from napari_necroseg.core.phantom.tissue import Tissue, brightness, texture_strength
from napari_necroseg.core.volume import Grid

# Points across the thickness of a slice whose mean is the slice: this is the partial volume effect.
POINTS_PER_SLICE = 2
Image = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """How one sequence was acquired.

    Parameters
    ----------
    grid
        The working grid of the image.
    thickness_share
        Thickness of a slice as a share of the distance between slices; the rest is a gap.
    blur_px
        Standard deviation of the in-plane point spread.
    noise
        Standard deviation of the noise in each of the two receiver channels, relative to full brightness.
    bias
        Strength of the receiver coil's uneven sensitivity.
    tissue_gain
        ``(tissues,)``; this scanner's departure from the usual contrast.
    scale
        Stored value of full brightness.
    """

    grid: Grid
    thickness_share: float
    blur_px: float
    noise: float
    bias: float
    tissue_gain: NDArray[np.float32]
    scale: float


def draw_acquisition(generator: np.random.Generator, grid: Grid) -> Acquisition:
    """Draw a scanner and its settings for one sequence."""
    return Acquisition(
        grid=grid,
        thickness_share=generator.uniform(0.85, 0.95),
        blur_px=generator.uniform(0.45, 0.75),
        noise=generator.uniform(0.015, 0.040),
        bias=generator.uniform(0.15, 0.45),
        tissue_gain=np.exp(generator.normal(0, 0.07, len(Tissue))).astype(np.float32),
        scale=generator.uniform(300, 1800),
    )


def sample_canvas(acquisition: Acquisition) -> Canvas:
    """Points of the acquisition's slices, `POINTS_PER_SLICE` across each; nothing painted yet."""
    n_slices, n_rows, n_columns = acquisition.grid.shape
    offsets = acquisition.thickness_share * ((np.arange(POINTS_PER_SLICE) + 0.5) / POINTS_PER_SLICE - 0.5)
    slices = (np.arange(n_slices)[:, None] + offsets).ravel()
    rows, columns = np.arange(n_rows), np.arange(n_columns)
    affine = acquisition.grid.affine_ras
    world = [
        (
            affine[axis, 0] * slices[:, None, None]
            + affine[axis, 1] * rows[None, :, None]
            + affine[axis, 2] * columns[None, None, :]
            + affine[axis, 3]
        ).astype(np.float32)
        for axis in range(3)
    ]
    return Canvas(world[0], world[1], world[2], np.zeros(world[0].shape, np.uint8))


def acquire(
    canvas: Canvas,
    acquisition: Acquisition,
    sequence: Sequence,
    texture: Field,
    generator: np.random.Generator,
) -> Image:
    """Turn a painted canvas into an image ``(Z, Y, X)``: contrast, texture, partial volume, bias, noise."""
    from scipy.ndimage import gaussian_filter1d

    contrast = brightness(sequence) * acquisition.tissue_gain
    pattern = texture.grain_at(canvas.x, canvas.y, canvas.z)
    signal = contrast[canvas.tissues] * (1 + texture_strength()[canvas.tissues] * pattern)
    image = per_slice_mean(np.maximum(signal, 0))
    for axis in (1, 2):
        image = np.asarray(gaussian_filter1d(image, acquisition.blur_px, axis=axis), dtype=np.float32)
    image *= _sensitivity(acquisition, generator)
    channels = generator.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(acquisition.noise)
    rician = np.hypot(image + channels[0], channels[1])
    return np.asarray(np.round(rician * acquisition.scale), dtype=np.float32)


def per_slice_mean(points: NDArray[np.float32] | NDArray[np.bool_]) -> Image:
    """Mean over the points of each slice, ``(Z * points, Y, X)`` to ``(Z, Y, X)``."""
    stacked = points.reshape(-1, POINTS_PER_SLICE, *points.shape[1:])
    return np.asarray(stacked.mean(axis=1, dtype=np.float32))


def _sensitivity(acquisition: Acquisition, generator: np.random.Generator) -> Points:
    """A surface coil lies at the back: it sees the back brighter, and its ends darker."""
    n_slices, n_rows, n_columns = acquisition.grid.shape
    z, y, x = np.ogrid[-1 : 1 : n_slices * 1j, -1 : 1 : n_rows * 1j, -1 : 1 : n_columns * 1j]
    centre, tilt = generator.uniform(-0.3, 0.3), generator.uniform(-0.15, 0.15)
    log_gain = acquisition.bias * (0.9 * x - 0.8 * (y - centre) ** 2 + tilt * z * y)
    return np.asarray(np.exp(log_gain), dtype=np.float32)
