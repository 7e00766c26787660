"""What each case of a project has: masks, sign-offs, predictions, strokes that are not saved, damage."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.events import run
from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.images.read import read_grid
from napari_necroseg.core.project.case_states import first_unsigned, look_at_cases
from napari_necroseg.core.project.journal_folder import JournalFolder
from napari_necroseg.core.project.review import Status


@pytest.fixture
def project(tmp_path: Path, write_case) -> Path:
    for seed, name in enumerate("abc"):
        write_case(tmp_path / name, seed)
    for _ in prepare(tmp_path):
        pass
    return tmp_path


def states(project: Path, *, open_case: str = ""):
    return run(look_at_cases(read_cohort(project), project, open_case=open_case))


def draw(project: Path, case: str, *, folder: str = "labels") -> Path:
    mask = project / folder / f"{case}.nii.gz"
    mask.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(project / case / "necrosis.nii.gz", mask)
    return mask


def test_nothing_is_drawn_at_first(project):
    for state in states(project).values():
        assert (state.status, state.drawn, state.drawn_ml) == (Status.UNTOUCHED, None, None)
        assert (state.predicted, state.unsaved, state.damaged) == ((), (), {})


def test_drawn_signed_and_changed_after_the_sign_off(project, sign_off):
    mask = draw(project, "a")
    draw(project, "b")
    sign_off(mask.parent, "a", reader="XY")
    found = states(project)
    assert (found["a"].is_signed, found["a"].reader, found["a"].drawn) == (True, "XY", mask)
    # 2 x 10 x 10 voxels of 4 x 0.9 x 0.8 mm.
    assert found["a"].drawn_ml == pytest.approx(0.576)
    assert (found["b"].is_signed, found["b"].status) == (False, Status.IN_WORK)
    shutil.copy(project / "a" / "T2.nii.gz", mask)
    assert not states(project)["a"].is_signed


def test_models_that_have_predicted_a_case_the_newest_first(project):
    draw(project, "a", folder="predictions/first")
    draw(project, "a", folder="predictions/second")
    (project / "predictions" / "second" / "a.nii.gz").touch()
    found = states(project)
    assert found["a"].predicted == ("second", "first")
    assert found["a"].predicted_ml == pytest.approx(0.576)
    assert found["b"].predicted == ()


def test_strokes_that_were_never_saved_are_told_and_left_alone(project):
    grid, _ = read_grid(project / "a" / "ceT1.nii.gz")
    place = JournalFolder.of_project(project / "labels", "a", grid=working_grid(grid))
    voxels = np.zeros(place.grid.shape, np.uint8)
    place.own.parent.mkdir()
    with place.begin(voxels, is_own=True, note={}) as journal:
        for row in range(3):
            journal.append((slice(1, 2), slice(row, row + 1), slice(0, 5)), np.ones((1, 1, 5), np.uint8))
    before = place.own.read_bytes()
    (kept,) = states(project)["a"].unsaved
    assert (kept.edits, kept.is_own) == (3, True)
    assert place.own.read_bytes() == before
    assert states(project, open_case="a")["a"].unsaved == ()


def test_a_truncated_image_is_told_by_its_column(project):
    t2 = project / "b" / "T2.nii.gz"
    t2.write_bytes(t2.read_bytes()[:2000])
    assert list(states(project)["b"].damaged) == ["T2"]
    assert states(project)["a"].damaged == {}


def test_cases_without_a_project_have_files_only(project):
    cohort = read_cohort(project)
    draw(project, "a")
    assert run(look_at_cases(cohort, None))["a"].drawn is None


def test_the_first_case_that_is_not_signed_off(project, sign_off):
    cohort = read_cohort(project)
    assert first_unsigned(cohort, project) == "a"
    assert first_unsigned(cohort, project, wanted="c") == "c"
    sign_off(draw(project, "a").parent, "a")
    assert first_unsigned(cohort, project, wanted="a") == "b"
