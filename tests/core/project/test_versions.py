import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.project.case_files import save_mask_version
from napari_necroseg.core.volume import Grid, Origin

SHAPE = (3, 4, 5)
ORIGIN = Origin(Grid(SHAPE, np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]])))


def mask_of(n_slices: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[:n_slices] = 1
    return mask


def n_voxels(path: Path) -> int:
    return int(read_mask(path).volume.voxels.sum())


def test_every_earlier_mask_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "labels" / "a.nii.gz"
    kept = [save_mask_version(path, mask_of(n), origin=ORIGIN) for n in (1, 2, 3)]
    assert kept == [None, path.with_name("a_earlier-001.nii.gz"), path.with_name("a_earlier-002.nii.gz")]
    # 4 x 5 voxels a slice.
    assert n_voxels(path) == 60
    assert [n_voxels(earlier) for earlier in kept[1:] if earlier] == [20, 40]


def test_a_copy_that_cannot_be_made_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nii.gz"
    save_mask_version(path, mask_of(1), origin=ORIGIN)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(ResourceError, match="No space left on device"):
        save_mask_version(path, mask_of(2), origin=ORIGIN)
    assert n_voxels(path) == 20
    assert list(tmp_path.iterdir()) == [path]
