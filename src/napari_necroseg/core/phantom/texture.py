"""Smooth random fields in the patient's space, so that both sequences see the same texture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.phantom.spine import Points

# Edge of the lattice; the field repeats after so many steps, far apart enough for no eye to see it.
N_STEPS = 96


@dataclass(frozen=True)
class Field:
    """A smooth random field with mean 0 and standard deviation 1.

    Parameters
    ----------
    seed
        The same seed gives the same field.
    scale_mm
        Distance over which it changes.
    """

    seed: int
    scale_mm: float

    def at(self, x: Points, y: Points, z: Points) -> Points:
        """Values at world points (mm), by linear interpolation."""
        from scipy.ndimage import map_coordinates

        coordinates = [axis / np.float32(self.scale_mm / 2) for axis in (x, y, z)]
        sampled = map_coordinates(self._lattice, coordinates, order=1, mode="grid-wrap", output=np.float32)
        return np.asarray(sampled)

    def grain_at(self, x: Points, y: Points, z: Points) -> Points:
        """As `at`, in steps of half the scale: for grain that is blurred later, at a fraction of the time."""
        step = np.float32(self.scale_mm / 2)
        i, j, k = ((axis / step).astype(np.int32) % N_STEPS for axis in (x, y, z))
        return self._lattice[i, j, k]

    @cached_property
    def _lattice(self) -> NDArray[np.float32]:
        from scipy.ndimage import gaussian_filter

        white = np.random.default_rng(self.seed).standard_normal((N_STEPS,) * 3, dtype=np.float32)
        smooth = gaussian_filter(white, 1.0, mode="wrap")
        return np.asarray(smooth / smooth.std(), dtype=np.float32)
