"""Masks that this program keeps: whatever is not 0 is inside, whatever label a person painted with."""

import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import Finished, Warned
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.labels_folder import corrected_path
from napari_necroseg.core.project.case_files import save_mask_version
from napari_necroseg.core.project.labels import saved_voxels
from napari_necroseg.core.scoring.files import CaseScored, score_files
from napari_necroseg.jobs.cases import open_case

SHAPE = (4, 6, 5)
PAINTED = np.zeros(SHAPE, np.uint8)
PAINTED[1, 2:4, 1:3], PAINTED[2, 2:4, 1:3] = 1, 2


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose mask of the case a was saved with the labels 1 and 2 by an earlier version."""
    image = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    labels = corrected_path(tmp_path / "labels", "a")
    labels.parent.mkdir()
    affine = np.diag((-4.0, 0.9, 0.8, 1.0))
    affine[:3, :3] = np.diag((-4.0, 1.0, 1.0)) @ np.array([[1, 0, 0], [0, 0, -0.8], [0, -0.9, 0]])
    for path, voxels in ((tmp_path / "ceT1.nii.gz", image), (labels, PAINTED)):
        nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return tmp_path


def files_of(project: Path, **more: object) -> CaseFiles:
    return CaseFiles(name="a", sequences={Sequence.CET1: project / "ceT1.nii.gz"}, **more)


def test_a_reference_of_ours_is_read_and_one_from_elsewhere_is_not(project: Path) -> None:
    mask = project / "labels" / "a.nii.gz"
    case = load_case(files_of(project, reference=mask, own_masks=frozenset({"reference"})))
    assert case.reference is not None
    assert case.reference.voxels.sum() == 8
    assert case.reference.voxels.max() == 1
    with pytest.raises(FileError, match=r"a\.nii\.gz has 2 labels \(1, 2\)"):
        load_case(files_of(project, reference=mask))


def test_the_dock_shows_it_again(project: Path) -> None:
    events = list(open_case(files_of(project), project, saves=[], stop=threading.Event()))
    assert [event for event in events if isinstance(event, Warned)] == []
    (opened,) = (event.result for event in events if isinstance(event, Finished))
    (mine,) = (data for data, kwargs, _ in opened.layers if kwargs["name"] == "my mask")
    assert (mine.sum(), mine.max()) == (8, 1)


def test_correcting_goes_on_from_it(project: Path) -> None:
    case = load_case(files_of(project))
    voxels = saved_voxels(project / "labels", "a", grid=case.grid)
    assert voxels is not None
    assert (voxels.sum(), voxels.max()) == (8, 1)


def test_it_is_scored(project: Path) -> None:
    (project / "labels" / "a.review.json").write_text("{}")
    save_mask(project / "reference.nii.gz", PAINTED, load_case(files_of(project)).origin)
    (project / "cohort.csv").write_text("case,ceT1,reference\na,ceT1.nii.gz,reference.nii.gz\n")
    events = score_files(project, project / "labels")
    (scored,) = (event.result for event in events if isinstance(event, CaseScored))
    assert scored.dice == 1.0


def test_masks_are_written_as_0_and_1(project: Path) -> None:
    origin = load_case(files_of(project)).origin
    painted = PAINTED * 100
    save_mask(project / "one.nii.gz", painted, origin)
    save_mask_version(project / "two.nii.gz", painted, origin=origin)
    for name in ("one", "two"):
        values = np.asarray(nibabel.load(project / f"{name}.nii.gz").dataobj)
        assert values.dtype == np.uint8
        assert np.unique(values).tolist() == [0, 1]
