"""The scanner of the phantom: paints the anatomy on the points that it samples, and makes images of them.

Tissues are painted from the outside in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.phantom.anatomy import (
    Field,
    Points,
    Spine,
    Tissue,
    Triple,
    Vertebra,
    brightness,
    texture_strength,
)
from napari_necroseg.core.volume import Grid

Tissues = NDArray[np.uint8]
CORTEX_MM = 0.9
ENDPLATE_MM = 1.1

# How far a vertebra and its posterior elements reach from its centre at most: up and down, and in depth.
REACH_MM = 46.0
FORWARD_REACH_MM = 30.0
BACKWARD_REACH_MM = 85.0

# A slice is the mean of this many points across its thickness: the partial volume effect.
POINTS_PER_SLICE = 2
Image = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Points of a grid in world millimetres, and the tissue painted on each; all of one shape.

    Rows run from superior to inferior, so that a vertebra can be painted on the rows about it alone.
    """

    x: Points
    y: Points
    z: Points
    tissues: Tissues

    @property
    def points(self) -> Triple:
        """World positions of the points."""
        return self.x, self.y, self.z

    def window_about(self, vertebra: Vertebra) -> tuple[slice, slice, slice]:
        """The part of the canvas that a vertebra, its disc and its posterior elements can reach."""
        _, y_mm, z_mm = vertebra.centre_mm
        z_slack, y_slack = np.ptp(self.z[:, 0, :]), np.ptp(self.y[:, :, 0])
        rows = np.abs(self.z[0, :, 0] - z_mm) < REACH_MM + z_slack
        ahead = self.y[0, 0, :] - y_mm
        columns = (ahead < FORWARD_REACH_MM + y_slack) & (ahead > -BACKWARD_REACH_MM - y_slack)
        return (slice(None), _span(rows), _span(columns))

    def part(self, window: tuple[slice, slice, slice]) -> "Canvas":
        """The canvas in a window; painting on it paints on the whole."""
        return Canvas(x=self.x[window], y=self.y[window], z=self.z[window], tissues=self.tissues[window])


def paint_spine(canvas: Canvas, spine: Spine, *, wobble: Field) -> None:
    """Paint soft tissue, sac and cord, then each vertebra and the disc below it."""
    paint_soft_tissue(canvas, spine, wobble=wobble)
    for vertebra in spine.vertebrae:
        part = canvas.part(canvas.window_about(vertebra))
        if part.tissues.size:
            paint_posterior_elements(part, vertebra, spine=spine, wobble=wobble)
    paint_sac(canvas, spine)
    for vertebra in spine.vertebrae:
        part = canvas.part(canvas.window_about(vertebra))
        if part.tissues.size:
            paint_body(part, vertebra, wobble=wobble)


def paint_soft_tissue(canvas: Canvas, spine: Spine, *, wobble: Field) -> None:
    """Air, skin, fat and muscle behind the spine, viscera and vessels before it, muscle beside it."""
    x, y, z, tissues = canvas.x, canvas.y, canvas.z, canvas.tissues
    line_x, line_y = spine.middle_line(z)
    forward, side = y - line_y, x - line_x
    waves = 4 * wobble.at((x / 6, y / 6, z / 6))
    organs = wobble.at((x / 7 + 50, y / 7, z / 7))
    depth = float(np.mean([vertebra.half_depth_mm for vertebra in spine.vertebrae]))
    width = float(np.mean([vertebra.half_width_mm for vertebra in spine.vertebrae]))
    # The skin follows the back only loosely: it is flatter than the spine.
    skin = y + spine.skin_mm + 0.35 * waves - 0.5 * line_y
    tissues[...] = np.where(np.abs(organs) < 0.45, Tissue.FAT, Tissue.VISCERA)
    tissues[organs > 1.5] = Tissue.AIR
    tissues[forward < depth + 6 + waves] = Tissue.FAT
    psoas = np.hypot((forward + 3) / (1.25 * depth), (np.abs(side) - width - 13) / 16) < 1 + 0.04 * waves
    tissues[psoas] = Tissue.MUSCLE
    tissues[forward < -depth - 4] = Tissue.MUSCLE
    streaks = np.abs(wobble.at((x / 1.4, y / 1.3, z / 14))) < 0.05
    tissues[(tissues == Tissue.MUSCLE) & streaks] = Tissue.FAT
    _paint_vessels(canvas, forward, side=side, depth=depth)
    tissues[skin < spine.fat_mm + 0.6 * waves] = Tissue.FAT
    tissues[skin < 2.0] = Tissue.SKIN
    tissues[skin < 0] = Tissue.AIR


def _paint_vessels(canvas: Canvas, forward: Points, *, side: Points, depth: float) -> None:
    """Aorta on the left, vena cava on the right, before the bodies."""
    for centre, radius in ((-9.0, 8.5), (13.0, 9.0)):
        away = np.hypot(forward - depth - radius - 4.5, side - centre)
        canvas.tissues[away < radius] = Tissue.VESSEL


def paint_sac(canvas: Canvas, spine: Spine) -> None:
    """Epidural fat, the thecal sac, the cord with its tapering tip, and the roots below it."""
    x, y, z, tissues = canvas.x, canvas.y, canvas.z, canvas.tissues
    line_x, line_y = spine.middle_line(z)
    back, side = y - line_y + np.float32(spine.sac_offset_mm), x - line_x
    deep, wide = np.float32(spine.sac_half_depth_mm), np.float32(spine.sac_half_width_mm)
    tissues[np.hypot((back + 1.0) / (deep + 3.0), side / (wide + 2.0)) < 1] = Tissue.FAT
    tissues[np.hypot(back / (deep + 0.8), side / (wide + 0.8)) < 1] = Tissue.LIGAMENT
    sac = np.hypot(back / deep, side / wide) < 1
    tissues[sac] = Tissue.CSF
    # Below the tip the roots lie at the back of the sac, as in a supine patient.
    strand = np.sin(1.9 * side + 0.05 * z) * np.sin(2.3 * back + 0.03 * z)
    tissues[sac & (z < spine.cord_end_mm) & (back < -0.15 * deep) & (strand > 0.35)] = Tissue.ROOT
    thickness = np.clip((z - np.float32(spine.cord_end_mm)) / 22, 0, 1) ** 0.6
    cord = np.hypot(back / (0.56 * deep), side / (0.58 * wide)) < thickness
    tissues[cord] = Tissue.CORD


def paint_body(canvas: Canvas, vertebra: Vertebra, *, wobble: Field) -> None:
    """Body with its cortex and concave endplates, and the disc below it."""
    u, v, w = local = vertebra.local(canvas.points)
    wall, rim = body_distances(vertebra, local)
    wall = wall + 0.4 * wobble.at(canvas.points)
    body = np.maximum(wall, rim)
    tissues = canvas.tissues
    _paint_disc(tissues, vertebra, local=local)
    ligament = (np.abs(wall) < 1.2) & (np.abs(v) > 0.6 * vertebra.half_depth_mm) & (np.abs(u) < 24)
    tissues[ligament & (wall > -0.2) & (np.abs(w) < 12)] = Tissue.LIGAMENT
    tissues[body < 0] = Tissue.CORTEX
    tissues[(wall < -CORTEX_MM) & (rim < -ENDPLATE_MM)] = Tissue.MARROW
    # The basivertebral vein enters from behind, at half height.
    vein = (np.hypot(u, w / 2.5) < 1.6) & (v < -0.45 * vertebra.half_depth_mm) & (body < 0)
    tissues[vein] = Tissue.HAEMANGIOMA


def body_distances(vertebra: Vertebra, local: Triple) -> tuple[Points, Points]:
    """Roughly the distance (mm, negative inside) from the side wall and from the endplates."""
    u, v, w = local
    height = np.float32(vertebra.half_height_mm)
    waist = 1 - np.float32(0.09) * (1 - np.clip(u / height, -1, 1) ** 2)
    # The back wall is flat, the front round.
    deep = np.where(v < 0, np.float32(0.98), np.float32(1.0)) * np.float32(vertebra.half_depth_mm) * waist
    wide = np.float32(vertebra.half_width_mm) * waist
    power = np.where(v < 0, np.float32(3.2), np.float32(2.2))
    across, along = np.abs(v) / deep, np.abs(w) / wide
    radius = (across**power + along**power) ** (1 / power)
    wall = (radius - 1) * np.minimum(deep, wide)
    dent = np.float32(vertebra.endplate_depth_mm) * np.clip(1 - radius**2, 0, 1)
    return wall, np.abs(u) - (height - dent)


def _paint_disc(tissues: Tissues, vertebra: Vertebra, *, local: Triple) -> None:
    u, v, w = local
    gap = np.float32(vertebra.disc_height_mm)
    below = u + np.float32(vertebra.half_height_mm) + gap / 2
    bulge = np.float32(vertebra.disc_bulge_mm) * np.clip(1 - (below / (gap / 2)) ** 2, 0, 1)
    deep, wide = vertebra.half_depth_mm + bulge, vertebra.half_width_mm + bulge
    radius = np.hypot(v / deep, w / wide)
    # A disc is higher in front; it reaches into the hollows of the endplates.
    half = gap / 2 * (1 + 0.18 * v / deep) + np.float32(vertebra.endplate_depth_mm + 1.2)
    inside = (radius < 1.0) & (np.abs(below) < half)
    tissues[inside] = Tissue.ANNULUS
    nucleus = np.hypot(np.hypot((v + 1.5) / (0.74 * deep), w / (0.7 * wide)), below / (0.88 * half)) < 1
    kind = Tissue.NUCLEUS_DEGENERATED if vertebra.disc_is_degenerated else Tissue.NUCLEUS
    tissues[nucleus & inside] = kind
    if not vertebra.disc_is_degenerated:
        # The dark cleft in the middle of a healthy nucleus.
        tissues[nucleus & inside & (np.abs(below) < 0.4) & (radius < 0.3)] = Tissue.ANNULUS


def paint_posterior_elements(canvas: Canvas, vertebra: Vertebra, *, spine: Spine, wobble: Field) -> None:
    """Pedicles, articular pillars and spinous process; fat and a nerve root in the foramina."""
    u, v, w = vertebra.local(canvas.points)
    size = vertebra.half_depth_mm / 17
    back = -vertebra.half_depth_mm
    lateral = np.abs(w) - np.float32(0.66 * vertebra.half_width_mm)
    foramen = _box(u + 6 * size, v - back + 9 * size, c=lateral, half=(13 * size, 8 * size, 6 * size))
    canvas.tissues[foramen < 0] = Tissue.FAT
    root = np.hypot((u - 1.0 * size) / 2.6, (v - back + 8 * size) / 3.0) < size
    canvas.tissues[root & (foramen < 0)] = Tissue.ROOT
    pedicle = np.maximum(
        np.hypot((u - 5 * size) / 1.25, lateral) - 4.6 * size, np.abs(v - back + 6 * size) - 9 * size
    )
    _paint_bone(canvas.tissues, pedicle)
    slanted = v + np.float32(0.25) * u
    pillar = _box(u + 4 * size, slanted - back + 20 * size, c=lateral, half=(19 * size, 6.5 * size, 6 * size))
    _paint_bone(canvas.tissues, pillar)
    # The joint between this pillar and the next.
    joint = (np.abs(u + 15 * size - 0.6 * (v - back + 20 * size)) < 0.9) & (pillar < 0)
    canvas.tissues[joint] = Tissue.CORTEX
    _paint_spinous_process(canvas, (u, v, w), spine=spine, size=size, wobble=wobble)


def _paint_spinous_process(
    canvas: Canvas, local: Triple, *, spine: Spine, size: float, wobble: Field
) -> None:
    u, v, w = local
    start = -spine.sac_offset_mm - spine.sac_half_depth_mm - 4
    behind = start - v
    droop = u + 7 * size + np.float32(0.30) * behind
    half = np.float32(6.2 * size) + 0.08 * behind
    between = _box(u + 7 * size, v - start + 14 * size, c=w, half=(24 * size, 16 * size, 2.2))
    canvas.tissues[between < 0] = Tissue.MUSCLE
    fat = wobble.at((canvas.x, canvas.y / 1.5 + 20, canvas.z / 3)) > 0.45
    canvas.tissues[(between < 0) & fat] = Tissue.FAT
    process = np.maximum(np.abs(droop) - half, np.abs(behind - 14 * size) - 15 * size)
    process = np.maximum(process, np.abs(w) - (3.2 * size + 0.07 * behind))
    _paint_bone(canvas.tissues, process)


def _paint_bone(tissues: Tissues, distance: Points) -> None:
    tissues[distance < 0] = Tissue.CORTEX
    tissues[distance < -CORTEX_MM] = Tissue.MARROW


def _span(chosen: NDArray[np.bool_]) -> slice:
    """From the first to the last that is chosen."""
    indices = np.flatnonzero(chosen)
    return slice(int(indices[0]), int(indices[-1]) + 1) if indices.size else slice(0, 0)


def _box(a: Points, b: Points, *, c: Points, half: tuple[float, float, float]) -> Points:
    """Roughly the distance from a rounded box, negative inside."""
    scaled = np.maximum(np.maximum(np.abs(a) / half[0], np.abs(b) / half[1]), np.abs(c) / half[2])
    rounded = np.sqrt(np.hypot((a / half[0]) ** 2, np.hypot((b / half[1]) ** 2, (c / half[2]) ** 2)))
    return np.asarray((0.5 * (scaled + rounded) - 1) * min(half), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """How one sequence was acquired."""

    grid: Grid
    # Thickness of a slice as a share of the distance between slices; the rest is a gap.
    thickness_share: float
    blur_px: float  # Standard deviation of the in-plane point spread
    # Standard deviation of the noise in each of the two receiver channels, relative to full brightness.
    noise: float
    bias: float  # Strength of the receiver coil's uneven sensitivity
    tissue_gain: NDArray[np.float32]  # ``(tissues,)``; this scanner's departure from the usual contrast
    scale: float  # Stored value of full brightness


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
    return Canvas(x=world[0], y=world[1], z=world[2], tissues=np.zeros(world[0].shape, np.uint8))


def acquire(
    canvas: Canvas,
    acquisition: Acquisition,
    *,
    sequence: Sequence,
    texture: Field,
    generator: np.random.Generator,
) -> Image:
    """Turn a painted canvas into an image ``(Z, Y, X)``: contrast, texture, partial volume, bias, noise."""
    from scipy.ndimage import gaussian_filter1d

    contrast = brightness(sequence) * acquisition.tissue_gain
    pattern = texture.grain_at(canvas.points)
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
