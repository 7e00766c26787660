"""A mask of three parts, shared by the tests of masks."""

import numpy as np
import pytest


@pytest.fixture
def mask() -> np.ndarray:
    """A ring of 8 voxels with a hole, 2 voxels that touch at a corner, and a block of 27."""
    voxels = np.zeros((6, 20, 20), bool)
    voxels[1, 2:5, 2:5] = True
    voxels[1, 3, 3] = False
    voxels[4, 10, 10] = voxels[5, 11, 11] = True
    voxels[2:5, 14:17, 14:17] = True
    return voxels
