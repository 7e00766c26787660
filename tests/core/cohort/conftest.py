"""A study folder of tiny images for the tests that find, pair and prepare."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

AFFINE = np.diag((-4.0, -0.9, -0.8, 1.0))


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny NIfTI file of one mask voxel under each name, and return the folder."""

    def make(*names: str, at: str = "study") -> Path:
        voxels = np.zeros((3, 4, 5), np.uint8)
        voxels[1, 2, 3] = 1
        for name in names:
            path = tmp_path / at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
        return tmp_path / at

    return make
