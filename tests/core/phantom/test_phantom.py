from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.events import CaseDone, Finished
from napari_necroseg.core.phantom.anatomy import Field, Tissue, brightness, draw_spine
from napari_necroseg.core.phantom.lesion import paint_lesion
from napari_necroseg.core.phantom.phantom import (
    _centred_grid,
    _draw_grid,
    _neighbouring_grid,
    phantom_case,
    phantom_images,
    write_phantom_cohort,
)
from napari_necroseg.core.phantom.scanner import Canvas, paint_spine

SEED, INDEX = 0, 1
DRAW_GRID = _draw_grid


@pytest.fixture(scope="module", autouse=True)
def _coarse_pixels() -> Iterator[None]:
    """Make phantoms of 2.2 mm pixels: a tenth of the time, and the same code."""
    coarse = _centred_grid((15, 118, 86), (4.0, 2.2, 2.2), turned=np.eye(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_necroseg.core.phantom.phantom._draw_grid", lambda generator: coarse)
        yield


@pytest.fixture(scope="module")
def case(_coarse_pixels: None) -> Case:
    return phantom_case(SEED, INDEX)


@pytest.fixture(scope="module")
def cohort_folder(_coarse_pixels: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    events = list(write_phantom_cohort(folder, cases=2, seed=SEED))
    assert [event.case for event in events if isinstance(event, CaseDone)] == ["phantom-01", "phantom-02"]
    assert isinstance(events[-1], Finished)
    return folder


def test_a_case_stands_upright_with_all_its_parts(case: Case) -> None:
    assert case.grid.axis_codes == ("L", "I", "P")
    assert set(case.sequences) == set(Sequence)
    for volume in (*case.sequences.values(), case.reference, case.tumour):
        assert volume is not None
        assert volume.voxels.shape == case.grid.shape
    assert case.sequences[Sequence.CET1].voxels.dtype == np.float32


def test_the_masks_are_of_a_size_that_occurs(case: Case) -> None:
    assert case.reference is not None
    assert case.tumour is not None
    assert 0.3 < case.reference.voxels.sum() * case.grid.voxel_ml < 20
    assert 0.5 < case.tumour.voxels.sum() * case.grid.voxel_ml < 30
    assert (case.reference.voxels & case.tumour.voxels).any()


def test_grids_are_those_of_the_paper() -> None:
    for seed in range(60):
        generator = np.random.default_rng(seed)
        grid = DRAW_GRID(generator)
        for one in (grid, _neighbouring_grid(generator, grid)):
            slice_mm, row_mm, column_mm = one.spacing_mm
            assert 15 <= one.shape[0] <= 25
            assert 3.3 - 1e-6 <= slice_mm <= 4.8 + 1e-6
            assert 0.45 - 1e-6 <= row_mm <= 1.25 + 1e-6
            assert row_mm == pytest.approx(column_mm)


def test_the_same_seed_gives_the_same_voxels_and_another_does_not(case: Case) -> None:
    again, other = phantom_case(SEED, INDEX), phantom_images(SEED + 1, INDEX)
    for sequence in Sequence:
        assert np.array_equal(again.sequences[sequence].voxels, case.sequences[sequence].voxels)
    assert again.reference is not None
    assert case.reference is not None
    assert np.array_equal(again.reference.voxels, case.reference.voxels)
    shapes_differ = other.images[Sequence.CET1].voxels.shape != case.grid.shape
    assert shapes_differ or not np.array_equal(
        other.images[Sequence.CET1].voxels, case.sequences[Sequence.CET1].voxels
    )


def test_what_is_written_loads_to_the_very_voxels_that_were_made(cohort_folder: Path, case: Case) -> None:
    files = read_cohort(cohort_folder / "cohort.csv")["phantom-02"]
    loaded = load_case(files)
    assert loaded.grid.matches(case.grid)
    assert np.array_equal(loaded.sequences[Sequence.CET1].voxels, case.sequences[Sequence.CET1].voxels)
    for mask, made in ((loaded.reference, case.reference), (loaded.tumour, case.tumour)):
        assert mask is not None
        assert made is not None
        assert np.array_equal(mask.voxels, made.voxels)
    # The files are stored in another axis order than the working one.
    assert loaded.origin.grid.axis_codes != ("L", "I", "P")


def test_a_case_does_not_depend_on_the_size_of_its_cohort(cohort_folder: Path, tmp_path: Path) -> None:
    list(write_phantom_cohort(tmp_path, cases=1, seed=SEED))
    for name in ("ceT1.nii.gz", "T2.nii.gz", "necrosis.nii.gz", "metastasis.nii.gz"):
        one, other = (folder / "phantom-01" / name for folder in (tmp_path, cohort_folder))
        assert one.read_bytes() == other.read_bytes()


def test_a_cancelled_cohort_leaves_no_half_case(tmp_path: Path) -> None:
    events = write_phantom_cohort(tmp_path, cases=3, seed=SEED)
    list(islice(events, 2))
    events.close()
    assert not (tmp_path / "cohort.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["phantom-01"]


def test_an_existing_cohort_is_not_overwritten(cohort_folder: Path) -> None:
    with pytest.raises(FileError, match="choose another folder"):
        next(write_phantom_cohort(cohort_folder, cases=1))


@pytest.mark.parametrize("name", ["README.txt", "phantom-01/notes.txt", "phantom-01/necrosis.nii.gz"])
def test_nothing_of_a_person_is_replaced(tmp_path: Path, name: str) -> None:
    list(islice(write_phantom_cohort(tmp_path, cases=2, seed=SEED), 2))
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileError, match="so that nothing is replaced"):
        list(write_phantom_cohort(tmp_path, cases=2, seed=SEED))
    assert (tmp_path / name).read_text() == "mine"


def test_an_interrupted_cohort_can_be_made_again(tmp_path: Path) -> None:
    events = write_phantom_cohort(tmp_path, cases=1, seed=SEED)
    list(islice(events, 2))
    events.close()
    list(write_phantom_cohort(tmp_path, cases=1, seed=SEED))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "cohort.csv", "phantom-01"]


def test_a_cohort_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="1 to 999"):
        next(write_phantom_cohort(tmp_path, cases=0))


def test_the_files_are_labelled_as_phantoms(cohort_folder: Path) -> None:
    assert "not patients" in (cohort_folder / "README.txt").read_text()
    assert all(name.startswith("phantom-") for name in read_cohort(cohort_folder).names)


def test_contrast_is_that_of_the_sequences() -> None:
    t1, t2 = brightness(Sequence.CET1), brightness(Sequence.T2)
    assert t2[Tissue.CSF] > 2 * t2[Tissue.MARROW]
    assert t1[Tissue.CSF] < t1[Tissue.CORD] < t1[Tissue.MARROW] < t1[Tissue.FAT]
    assert t1[Tissue.NECROSIS] < t1[Tissue.MARROW] < t1[Tissue.RIM]
    assert t2[Tissue.SCLEROTIC] < t2[Tissue.NECROSIS] < t2[Tissue.LYTIC]


def test_necrosis_stops_at_the_bone_and_before_the_sac() -> None:
    from napari_necroseg.core.phantom.lesion import draw_lesion

    generator = np.random.default_rng(3)
    spine = draw_spine(generator)
    lesion = draw_lesion(generator, spine, in_view=(2, 3, 4, 5))
    vertebra = spine.vertebrae[lesion.level]
    z = np.linspace(40, -40, 81, dtype=np.float32) + np.float32(vertebra.centre_mm[2])
    y = np.linspace(40, -60, 101, dtype=np.float32) + np.float32(vertebra.centre_mm[1])
    x = np.arange(-30, 30, 2, dtype=np.float32)
    points = np.meshgrid(x, z, y, indexing="ij")
    canvas = Canvas(x=points[0], y=points[2], z=points[1], tissues=np.zeros(points[0].shape, np.uint8))
    wobble = Field(0, 3.0)
    paint_spine(canvas, spine, wobble=wobble)
    sac = np.isin(canvas.tissues, (Tissue.CSF, Tissue.CORD, Tissue.ROOT))

    necrosis, metastasis = paint_lesion(canvas, vertebra, lesion=lesion, spine=spine, wobble=wobble)

    assert necrosis.any()
    assert metastasis.any()
    assert not (necrosis & sac).any()
    u, v, w = vertebra.local(canvas.points)
    assert np.abs(u[necrosis]).max() <= vertebra.half_height_mm
    assert np.abs(w[necrosis]).max() <= vertebra.half_width_mm
    assert np.abs(v[necrosis]).max() <= vertebra.half_depth_mm
