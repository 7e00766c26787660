"""A zone as ceT1 shows it: dark within a bright rim, on voxels that are no cubes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from napari_necroseg.core.case import Sequence

SPACING = (4.0, 0.9, 0.9)
SEED = (8, 34, 34)


@dataclass(frozen=True, kw_only=True)
class Zone:
    """Images with a zone about `seed`, and the zone itself, ``(Z, Y, X)``."""

    images: Mapping[Sequence, np.ndarray]
    inside: np.ndarray
    seed: tuple[int, int, int] = SEED
    spacing_mm: tuple[float, float, float] = SPACING


@pytest.fixture
def make_zone() -> Callable[..., Zone]:
    """Make a zone: an ellipsoid with a rim, in noise of a tenth of its contrast, unless said otherwise."""

    def make(noise: float = 12.0, rng: int = 0, *, has_t2: bool = True) -> Zone:
        generator = np.random.default_rng(rng)
        shape, radii_mm = (17, 69, 69), (14.0, 11.0, 9.0)
        index = np.indices(shape).astype(float)
        squares = [((index[a] - SEED[a]) * SPACING[a] / radii_mm[a]) ** 2 for a in range(3)]
        radius = np.sqrt(np.sum(squares, axis=0))
        parts = (radius <= 1, radius <= 1.3)
        images = {
            Sequence.CET1: np.select(parts, (60.0, 180.0), 110.0) + generator.normal(0, noise, shape),
            Sequence.T2: np.select(parts, (150.0, 130.0), 100.0) + generator.normal(0, noise, shape),
        }
        if not has_t2:
            del images[Sequence.T2]
        return Zone(
            images={name: voxels.astype(np.float32) for name, voxels in images.items()}, inside=parts[0]
        )

    return make
