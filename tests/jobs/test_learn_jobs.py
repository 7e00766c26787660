"""What a model is to learn from is chosen by itself, patient by patient; what comes next is looked up."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.project.remembered import remember_project
from napari_necroseg.jobs.learn import propose_improvement, propose_learning
from napari_necroseg.jobs.models import look


@pytest.fixture
def make_cohort(tmp_path, write_image):
    """Cases p0, p1, ... whose zones are ever larger; the images are never read."""

    def make(n: int, **changes) -> Cohort:
        cases = []
        for number in range(n):
            mask = np.zeros((2, 4, 20), np.uint8)
            mask[0, 0, : number + 1] = 1
            path = write_image(tmp_path / "study" / f"p{number}.nii.gz", mask)
            sequences = {sequence: Path(f"p{number}-{sequence}.nii.gz") for sequence in Sequence}
            cases.append(CaseFiles(name=f"p{number}", sequences=sequences, reference=path))
        return Cohort(cases=tuple(replace(case, **changes) for case in cases))

    return make


def test_sixteen_cases_are_learned_from_but_for_three_small_and_large_ones(make_cohort):
    proposal = propose_learning(make_cohort(16), None)
    assert (len(proposal.learned), len(proposal.tested)) == (13, 3)
    assert set(proposal.learned) | set(proposal.tested) == {f"p{number}" for number in range(16)}
    numbers = sorted(int(name[1:]) for name in proposal.tested)
    assert numbers[0] < 6
    assert numbers[-1] > 9
    assert proposal.config(4.0).minutes == 4.0


def test_two_examinations_of_a_patient_are_on_the_same_side(make_cohort):
    cases = [replace(case, patient=f"patient-{number // 2}") for number, case in enumerate(make_cohort(12))]
    proposal = propose_learning(Cohort(cases=tuple(cases)), None)
    sides = [{int(name[1:]) // 2 for name in names} for names in (proposal.learned, proposal.tested)]
    assert sides[1]
    assert not sides[0] & sides[1]


def test_two_patients_are_too_few_to_keep_one_back(make_cohort):
    assert propose_learning(make_cohort(2), None).tested == ()
    assert propose_learning(make_cohort(0), None).learned == ()


def test_the_folds_of_the_table_rule(make_cohort):
    cases = [replace(case, fold=1 + number % 2) for number, case in enumerate(make_cohort(4))]
    assert propose_learning(Cohort(cases=tuple(cases)), None).tested == ("p0", "p2")


def test_images_that_a_case_lacks_are_not_learned_from(make_cohort):
    cohort = make_cohort(3)
    lacking = cohort["p1"].with_file("T2", None)
    cases = tuple(lacking if case.name == "p1" else case for case in cohort)
    assert propose_learning(Cohort(cases=cases), None).sequences == (Sequence.CET1,)
    assert propose_learning(cohort, None).sequences == (Sequence.CET1, Sequence.T2)


def test_only_masks_that_were_signed_off_stand_in_for_the_experts(make_cohort, write_image, sign_off):
    cohort, folder = make_cohort(3), None
    folder = cohort["p0"].reference.parent
    for name in ("p0", "p1"):
        write_image(corrected_path(folder / LABELS_FOLDER, name), np.ones((2, 4, 20), np.uint8))
    sign_off(folder / LABELS_FOLDER, "p1")
    proposal = propose_learning(cohort, folder)
    assert (proposal.signed, proposal.unsigned) == (("p1",), ("p0",))
    assert proposal.cohort["p0"].reference == cohort["p0"].reference
    assert proposal.cohort["p1"].reference == corrected_path(folder / LABELS_FOLDER, "p1")


def test_an_improvement_takes_what_is_new_to_the_model_and_is_tested_on_what_is_unknown(
    make_cohort, tmp_path
):
    proposal = propose_learning(make_cohort(5), None)
    run = tmp_path / "run"
    run.mkdir()
    new, *known = proposal.learned
    (run / "run.json").write_text(json.dumps({"cases": known}))
    improvement = propose_improvement(proposal, run, wanted=proposal.learned)
    assert improvement is not None
    assert (improvement.learned, improvement.tested) == ((new,), proposal.tested)
    assert propose_improvement(proposal, run, wanted=tuple(known)) is None


def test_looks_for_models_in_all_projects_and_for_cases_that_are_left(make_cohort, tmp_path):
    there, cohort = tmp_path / "there", make_cohort(3)
    run = there / "models" / "good"
    run.mkdir(parents=True)
    (run / "weights.safetensors").touch()
    remember_project(there)
    folder = tmp_path / "study"
    (folder / "predictions" / "good").mkdir(parents=True)
    (folder / "predictions" / "good" / "p1.nii.gz").touch()
    (event,) = look(cohort, folder, chosen=None, stop=threading.Event())
    view = event.result
    assert view.used.run == run
    assert view.unpredicted == ("p0", "p2")
    assert len(view.proposal.learned) == 2
