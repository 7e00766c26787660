"""Grids in every orientation, for property tests."""

from itertools import permutations, product

import numpy as np
from scipy.spatial.transform import Rotation

ORIENTATIONS = [(axes, flips) for axes in permutations(range(3)) for flips in product((1.0, -1.0), repeat=3)]


def affine_of(
    orientation: tuple[tuple[int, ...], tuple[float, ...]],
    spacing_mm: tuple[float, float, float] = (4.0, 0.9, 0.7),
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    place_mm: tuple[float, float, float] = (10.0, -20.0, 30.0),
) -> np.ndarray:
    """The affine of a file whose axes are a permutation of the world's, flipped, then turned."""
    axes, flips = orientation
    matrix = np.zeros((3, 3))
    for column, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[axis, column] = flip * spacing_mm[column]
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix() @ matrix
    affine[:3, 3] = place_mm
    return affine
