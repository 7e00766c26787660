"""The anatomy of the phantom: the shape of a spine segment, its tissues, and their texture.

It is drawn once, then the same for every sequence and grid. World axes are RAS+ millimetres: x to the right,
y to anterior, z to superior. Each vertebra has axes of its own: u up along the spine, v to anterior, w to the
right.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Sequence

Points = NDArray[np.floating[Any]]
# Of the three axes: x, y, z of the world, or u, v, w of a vertebra.
Triple = tuple[Points, Points, Points]

# Edge of the lattice: the field repeats after this many steps, too far apart to be seen.
N_STEPS = 96


@dataclass(frozen=True, kw_only=True)
class Vertebra:
    """A vertebra; half sizes are from its centre to the wall of its body."""

    centre_mm: tuple[float, float, float]
    tilt_rad: float
    half_height_mm: float
    half_depth_mm: float
    half_width_mm: float
    disc_height_mm: float
    disc_is_degenerated: bool
    disc_bulge_mm: float
    endplate_depth_mm: float

    def local(self, points: Triple) -> Triple:
        """World points in the vertebra's own axes (u up, v to anterior, w to the right), in mm."""
        x, y, z = points
        dy, dz = y - self.centre_mm[1], z - self.centre_mm[2]
        cosine, sine = np.float32(np.cos(self.tilt_rad)), np.float32(np.sin(self.tilt_rad))
        return cosine * dz + sine * dy, cosine * dy - sine * dz, x - np.float32(self.centre_mm[0])


@dataclass(frozen=True, kw_only=True)
class Spine:
    """A segment of the spine and what lies about it."""

    vertebrae: tuple[Vertebra, ...]  # From superior to inferior
    cord_end_mm: float  # Height (z) of the tip of the cord; below it the sac holds only nerve roots
    # Distance of the skin behind the centre of the bodies, and thickness of the fat below it.
    skin_mm: float
    fat_mm: float
    sac_half_depth_mm: float
    sac_half_width_mm: float

    def middle_line(self, z: Points) -> tuple[Points, Points]:
        """X and y of the line through the bodies' centres at each height z."""
        heights = [vertebra.centre_mm[2] for vertebra in reversed(self.vertebrae)]
        lines = []
        for axis in (0, 1):
            positions = [vertebra.centre_mm[axis] for vertebra in reversed(self.vertebrae)]
            lines.append(_smooth_line(heights, positions, z=z))
        return lines[0], lines[1]

    @property
    def sac_offset_mm(self) -> float:
        """Distance of the sac's centre behind the line through the bodies' centres."""
        depth = float(np.mean([vertebra.half_depth_mm for vertebra in self.vertebrae]))
        return depth + self.sac_half_depth_mm + 1.8


def draw_spine(generator: np.random.Generator) -> Spine:
    """Draw a lumbar or thoracolumbar segment with its natural curve."""
    is_lumbar = bool(generator.random() < 0.6)
    n_vertebrae = 10 if is_lumbar else 12
    size = generator.uniform(0.92, 1.08)
    vertebrae = _stack(generator, n_vertebrae, is_lumbar=is_lumbar, size=size)
    conus = 3 if is_lumbar else n_vertebrae - 4
    return Spine(
        vertebrae=vertebrae,
        cord_end_mm=vertebrae[conus].centre_mm[2] - generator.uniform(-10, 12),
        skin_mm=generator.uniform(76, 98) * size,
        fat_mm=generator.uniform(10, 30),
        sac_half_depth_mm=generator.uniform(7.0, 8.5) * size,
        sac_half_width_mm=generator.uniform(9.5, 11.5) * size,
    )


def _stack(generator: np.random.Generator, n: int, *, is_lumbar: bool, size: float) -> tuple[Vertebra, ...]:
    """Place vertebrae from top to bottom along a curve whose tilt changes from one to the next."""
    # Lordosis bends the lumbar spine to anterior, kyphosis the thoracic one to posterior.
    bend = generator.uniform(0.28, 0.50) if is_lumbar else -generator.uniform(0.12, 0.30)
    lean, sway = generator.uniform(-0.06, 0.06), generator.uniform(-3.0, 3.0)
    levels = np.linspace(-1, 1, n)
    x0 = generator.uniform(-3, 3)
    y, z = 0.0, 0.0
    vertebrae = []
    for level in levels:
        grown = size * (1 + 0.07 * level)
        half_height = (13.0 if is_lumbar else 11.2) * grown * generator.uniform(0.97, 1.03)
        disc = (9.5 if is_lumbar else 5.5) * grown * generator.uniform(0.75, 1.1)
        tilt = lean + bend * (level if is_lumbar else level * 0.8)
        is_degenerated = bool(generator.random() < 0.25 + 0.25 * max(0.0, level))
        vertebrae.append(
            Vertebra(
                centre_mm=(x0 + sway * (1 - level**2), y, z),
                tilt_rad=tilt,
                half_height_mm=half_height,
                half_depth_mm=(17.0 if is_lumbar else 14.5) * grown,
                half_width_mm=(23.0 if is_lumbar else 17.0) * grown,
                disc_height_mm=disc * (0.7 if is_degenerated else 1.0),
                disc_is_degenerated=is_degenerated,
                disc_bulge_mm=generator.uniform(0.5, 3.0) if is_degenerated else generator.uniform(-0.5, 0.8),
                endplate_depth_mm=generator.uniform(1.0, 2.4),
            )
        )
        step = 2 * half_height + vertebrae[-1].disc_height_mm
        y -= float(np.sin(tilt)) * step
        z -= float(np.cos(tilt)) * step
    return _centred(tuple(vertebrae))


def _centred(vertebrae: tuple[Vertebra, ...]) -> tuple[Vertebra, ...]:
    """Move the segment so that its middle lies at the origin of height and depth."""
    y0 = float(np.mean([vertebra.centre_mm[1] for vertebra in vertebrae]))
    z0 = (vertebrae[0].centre_mm[2] + vertebrae[-1].centre_mm[2]) / 2
    moved = [(one, (one.centre_mm[0], one.centre_mm[1] - y0, one.centre_mm[2] - z0)) for one in vertebrae]
    return tuple(replace(one, centre_mm=centre) for one, centre in moved)


def _smooth_line(heights: list[float], positions: list[float], *, z: Points) -> Points:
    """A cubic through the centres; a polynomial, so that it goes on smoothly above and below them."""
    coefficients = np.polyfit(heights, positions, 3)
    return np.polyval(coefficients, z).astype(np.float32)


@dataclass(frozen=True)
class Field:
    """A smooth random field with mean 0 and standard deviation 1."""

    seed: int
    scale_mm: float  # Distance over which it changes

    def at(self, points: Triple) -> Points:
        """Values at world points (mm), by linear interpolation."""
        from scipy.ndimage import map_coordinates

        coordinates = [axis / np.float32(self.scale_mm / 2) for axis in points]
        sampled = map_coordinates(self._lattice, coordinates, order=1, mode="grid-wrap", output=np.float32)
        return np.asarray(sampled)

    def grain_at(self, points: Triple) -> Points:
        """As `at`, in steps of half the scale: for grain that is blurred later, at a fraction of the time."""
        step = np.float32(self.scale_mm / 2)
        i, j, k = ((axis / step).astype(np.int32) % N_STEPS for axis in points)
        return self._lattice[i, j, k]

    @cached_property
    def _lattice(self) -> NDArray[np.float32]:
        from scipy.ndimage import gaussian_filter

        white = np.random.default_rng(self.seed).standard_normal((N_STEPS,) * 3, dtype=np.float32)
        smooth = gaussian_filter(white, 1.0, mode="wrap")
        return np.asarray(smooth / smooth.std(), dtype=np.float32)


class Tissue(IntEnum):
    """The tissue of a point: its brightness on ceT1, its brightness on T2, the strength of its texture.

    Brightness is relative to the brightest tissue, as on contrast-enhanced T1 and native T2 at 1.5 T, after
    textbook images; every scanner of the phantom then varies it. Texture is a standard deviation relative to
    the brightness; a tissue without one is smooth.
    """

    AIR = (0.01, 0.01)
    SKIN = (0.45, 0.30)
    FAT = (0.88, 0.72, 0.06)
    MUSCLE = (0.30, 0.17, 0.16)
    VISCERA = (0.38, 0.40, 0.22)
    VESSEL = (0.12, 0.05)
    MARROW = (0.50, 0.38, 0.12)
    CORTEX = (0.09, 0.07)
    ANNULUS = (0.22, 0.13)
    NUCLEUS = (0.27, 0.62, 0.10)
    NUCLEUS_DEGENERATED = (0.23, 0.20)
    LIGAMENT = (0.15, 0.10)
    CSF = (0.13, 0.96)
    CORD = (0.33, 0.40)
    ROOT = (0.32, 0.36)
    LYTIC = (0.66, 0.60, 0.20)
    SCLEROTIC = (0.24, 0.15, 0.30)
    HAEMANGIOMA = (0.74, 0.70, 0.15)
    CEMENT = (0.10, 0.07)
    MODIC_1 = (0.30, 0.60, 0.15)
    OEDEMA = (0.40, 0.62, 0.18)
    RIM = (0.84, 0.66, 0.12)
    NECROSIS = (0.24, 0.30, 0.35)
    HAEMATOMA = (0.58, 0.22, 0.25)
    TRACK = (0.12, 0.30)

    cet1: float
    t2: float
    texture: float

    def __new__(cls, cet1: float, t2: float, texture: float = 0.0) -> "Tissue":  # noqa: PLR0917  # an enum hands over its values so
        """Number the tissues in their order, from 0 on."""
        number = len(cls.__members__)
        tissue = int.__new__(cls, number)
        tissue._value_, tissue.cet1, tissue.t2, tissue.texture = number, cet1, t2, texture
        return tissue


def brightness(sequence: Sequence) -> NDArray[np.float32]:
    """``(tissues,)``; brightness of each tissue in a sequence, from 0 to 1."""
    is_cet1 = sequence is Sequence.CET1
    return np.array([tissue.cet1 if is_cet1 else tissue.t2 for tissue in Tissue], dtype=np.float32)


def texture_strength() -> NDArray[np.float32]:
    """``(tissues,)``; standard deviation of each tissue's texture, relative to its brightness."""
    return np.array([tissue.texture for tissue in Tissue], dtype=np.float32)
