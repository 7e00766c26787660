import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.io.hashes import file_sha256
from napari_necroseg.core.io.image import read_mask
from napari_necroseg.core.io.versions import save_mask_version, snapshot
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
    kept = [save_mask_version(path, mask_of(n), ORIGIN) for n in (1, 2, 3)]
    assert kept == [None, path.with_name("a_earlier-001.nii.gz"), path.with_name("a_earlier-002.nii.gz")]
    # 4 x 5 voxels a slice.
    assert n_voxels(path) == 60
    assert [n_voxels(earlier) for earlier in kept[1:] if earlier] == [20, 40]


def test_a_copy_that_cannot_be_made_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nii.gz"
    save_mask_version(path, mask_of(1), ORIGIN)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", refuse)
    with pytest.raises(ResourceError, match="No space left on device"):
        save_mask_version(path, mask_of(2), ORIGIN)
    assert n_voxels(path) == 20
    assert list(tmp_path.iterdir()) == [path]


def test_a_session_replaces_its_own_snapshots_and_keeps_what_was_there_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    save_mask_version(path, mask_of(1), ORIGIN)
    ours = None
    for n_slices in (2, 3, 2):
        saved = snapshot(path, mask_of(n_slices), ORIGIN, ours=ours)
        assert n_voxels(path) == 20 * n_slices
        assert saved.sha256 == file_sha256(path)
        assert (saved.earlier is None) == (ours is not None)
        ours = saved.sha256
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.nii.gz", "a_earlier-001.nii.gz"]
    assert n_voxels(path.with_name("a_earlier-001.nii.gz")) == 20


def test_a_mask_that_another_program_wrote_in_between_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    ours = snapshot(path, mask_of(1), ORIGIN).sha256
    save_mask_version(tmp_path / "other.nii.gz", mask_of(3), ORIGIN)
    (tmp_path / "other.nii.gz").replace(path)
    earlier = snapshot(path, mask_of(2), ORIGIN, ours=ours).earlier
    assert earlier is not None
    assert (n_voxels(earlier), n_voxels(path)) == (60, 40)
