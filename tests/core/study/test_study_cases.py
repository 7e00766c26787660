"""The cases of a study: their folds, their masks, and the memory that keeps them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from small_study import CHOICES, edit_cohort, of_kind, run

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError, SettingsError
from napari_necroseg.core.project.labels import with_corrected
from napari_necroseg.core.study import experiment
from napari_necroseg.core.study.cases import CaseStore, cohort_of
from napari_necroseg.core.study.experiment import run_study, usual_study
from napari_necroseg.core.study.record import read_study


def test_folds_that_were_edited_after_the_beginning_are_refused(done: Path) -> None:
    path = done / "study" / "a" / "folds.csv"
    swapped = path.read_text().replace(",1\n", ",x\n").replace(",2\n", ",1\n").replace(",x\n", ",2\n")
    path.write_text(swapped)
    with pytest.raises(SettingsError, match="was begun with another case-1"):
        run(done)


def test_an_image_that_changed_is_refused(done: Path) -> None:
    path = done / "case-2" / "ceT1.nii.gz"
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] += 1
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)
    with pytest.raises(SettingsError, match="was begun with another case-2"):
        run(done)


def test_a_copied_image_of_another_patient_is_refused(project: Path) -> None:
    """Zipped anew and renamed, but the same voxels."""
    image = nibabel.load(project / "case-1" / "ceT1.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine), project / "case-3" / "ceT1.nii.gz"
    )
    with pytest.raises(CohortError, match="case-1 and case-3 hold the very same image"):
        run(project)


def test_cases_of_one_patient_stay_together(project: Path) -> None:
    def one_patient(cohort: Cohort) -> Cohort:
        return Cohort(
            cases=tuple(
                replace(case, patient="p" if case.name in ("case-1", "case-4") else case.name)
                for case in cohort
            )
        )

    edit_cohort(project, one_patient)
    run(project)
    folds = read_study(project / "study" / "a").folds
    assert folds["case-1"] == folds["case-4"]


def test_the_folds_of_the_cohort_rule(project: Path) -> None:
    def with_folds(cohort: Cohort) -> Cohort:
        return Cohort(cases=tuple(replace(case, fold=1 + (case.name < "case-3")) for case in cohort))

    edit_cohort(project, with_folds)
    run(project)
    assert read_study(project / "study" / "a").folds == {"case-1": 2, "case-2": 2, "case-3": 1, "case-4": 1}


def test_fine_tuning_from_a_model_that_knows_a_case_is_refused(done: Path) -> None:
    """Also if its cases had other names when it learned from them."""
    seen_by = done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0"
    learned = json.loads((seen_by / "run.json").read_text())["cases"]
    (done / "study" / "a").rename(done / "study" / "first")
    model = done / "study" / "first" / "models" / seen_by.name
    events = run(done, start_from=model)
    # The fold whose cases it never saw may go on from it, the other not.
    (failed,) = of_kind(events, "run_failed")
    assert any(f"{name} cannot test this network" in failed.reason for name in learned)
    (passed,) = of_kind(events, "run_done")
    folds = read_study(done / "study" / "a").folds
    assert {folds[name] for name in learned} == {failed.fold}
    record = json.loads((done / f"study/a/models/2d-ceT1_fold-{passed.fold}_seed-0/run.json").read_text())
    assert record["started_from"] is not None

    def renamed(cohort: Cohort) -> Cohort:
        return Cohort(cases=tuple(replace(case, name=f"other-{case.name}") for case in cohort))

    edit_cohort(done, renamed)
    (done / "study" / "a").rename(done / "study" / "second")
    events = run(done, start_from=model)
    assert len(of_kind(events, "run_failed")) == 1


def test_a_case_that_lacks_a_sequence_is_told_before_anything_is_read(project: Path) -> None:
    table = project / "cohort.csv"
    table.write_text(table.read_text().replace("case-2/T2.nii.gz", ""))
    with pytest.raises(CohortError, match="case-2 cannot take part: it has no T2"):
        run(project, configurations=("2d:ceT1+T2",))
    assert not (project / "study" / "a" / "study.json").exists()


def test_cases_are_read_once_for_all_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores: list[CaseStore] = []

    class Counting(CaseStore):
        def __init__(self) -> None:
            super().__init__()
            stores.append(self)

    monkeypatch.setattr(experiment, "CaseStore", Counting)
    run(project, configurations=("2d:ceT1", "2d:T2"))
    assert [store.n_read for store in stores] == [4]


def test_cases_that_do_not_fit_into_memory_are_read_again(project: Path) -> None:
    cohort = read_cohort(project / "cohort.csv")
    store = CaseStore(most_bytes=1.0)
    kept = [store.with_voxels(files) for files in cohort]
    assert [files.loaded is not None for files in kept] == [True, False, False, False]
    assert store.load(kept[1]).name == "case-2"
    assert store.load(kept[1]).name == "case-2"
    assert store.n_read == 3


def test_a_file_that_changed_is_read_again(project: Path) -> None:
    files = read_cohort(project / "cohort.csv")["case-1"]
    store = CaseStore()
    assert store.load(files) is store.load(files)
    image = nibabel.load(files.reference)
    nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), files.reference)
    assert not store.load(files).reference.voxels.any()


def test_corrected_masks_are_those_of_the_report_too(project: Path) -> None:
    labels = project / "labels"
    labels.mkdir()
    shutil.copy(project / "case-1" / "necrosis.nii.gz", labels / "case-2.nii.gz")
    cohort = with_corrected(read_cohort(project / "cohort.csv"), labels, unsigned=True)
    out = project / "study" / "a"
    assert list(run_study(cohort, StudyConfig.checked(**CHOICES), out=out))
    record = read_study(out)
    assert record.cohort == "../../cohort.csv"
    assert record.cases["case-2"].target_file == "../../labels/case-2.nii.gz"
    assert [case.target_from for case in record.cases.values()].count("unsigned") == 1
    assert record.cases["case-2"].target_from == "unsigned"
    project.rename(project.with_name("moved"))
    moved = project.with_name("moved") / "study" / "a"
    references = {files.name: files.reference for files in cohort_of(moved, read_study(moved))}
    assert all(path is not None and path.is_file() for path in references.values())
    assert references["case-2"].resolve() == (moved.parents[1] / "labels" / "case-2.nii.gz").resolve()


def test_a_cohort_without_a_table_is_refused(project: Path) -> None:
    cohort = replace(read_cohort(project / "cohort.csv"), table=None)
    with pytest.raises(CohortError, match="a table on disk"):
        list(run_study(cohort, StudyConfig.checked(**CHOICES), out=project / "study" / "a"))


def test_the_usual_study_has_the_folds_that_there_are(project: Path) -> None:
    cohort = read_cohort(project / "cohort.csv")
    assert usual_study(cohort, project / "study") == StudyConfig()
    numbered = enumerate(cohort)
    given = replace(cohort, cases=tuple(replace(case, fold=1 + number % 2) for number, case in numbered))
    assert usual_study(given, project / "study").folds == 2
