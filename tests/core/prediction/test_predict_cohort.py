"""Predicting a cohort: the files of each case, and what a bad case does to the others (nothing)."""

import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.case import Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.seen_cases import known_by_record
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import CaseDone, CaseFailed, Finished, Progress, Warned
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.prediction.predict import known_by
from napari_necroseg.core.prediction.predict_cohort import predict_cohort
from napari_necroseg.core.project.provenance import MaskState, provenance_of
from napari_necroseg.core.volume import Volume

CONFIG = PredictConfig(threads=1)


@pytest.fixture
def model(trained_run) -> Model:
    return load_model(trained_run("2d"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_case_gets_its_files_on_the_grid_of_its_cet1_file(model, cohort, tmp_path) -> None:
    out = tmp_path / "new" / "out"
    events = list(predict_cohort(model, cohort, CONFIG, out=out, probability=True))
    assert names(out) == [
        f"case-{n}{suffix}" for n in range(3) for suffix in (".json", ".nii.gz", "_probability.nii.gz")
    ]
    cet1 = nibabel.load(cohort.cases[1].sequences["ceT1"])
    labels = nibabel.load(out / "case-1.nii.gz")
    probability = nibabel.load(out / "case-1_probability.nii.gz")
    assert labels.get_data_dtype() == np.uint8
    assert probability.get_data_dtype() == np.float32
    assert labels.shape == probability.shape == cet1.shape
    np.testing.assert_array_equal(labels.affine, cet1.affine)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), np.asarray(probability.dataobj) >= 0.5)
    record = json.loads((out / "case-1.json").read_text())
    assert (record["case"], record["model_sha256"]) == ("case-1", model.sha256)
    done = [event for event in events if isinstance(event, CaseDone)]
    assert [(e.case, e.done, e.total, e.path) for e in done] == [
        (f"case-{n}", n + 1, 3, out / f"case-{n}.nii.gz") for n in range(3)
    ]
    assert (events[-1].result.done, events[-1].result.failed) == (3, 0)


def test_without_probability_only_labels_and_records_are_written(model, cohort, tmp_path) -> None:
    list(predict_cohort(model, cohort.only(("case-2",)), CONFIG, out=tmp_path / "out"))
    assert names(tmp_path / "out") == ["case-2.json", "case-2.nii.gz"]


def test_a_bad_case_stops_no_other(model, cohort, tmp_path) -> None:
    cohort.cases[0].sequences["T2"].write_bytes(b"no image")
    del cohort.cases[1].sequences["T2"]
    events = list(predict_cohort(model, cohort, CONFIG, out=tmp_path / "out"))
    failed = [event for event in events if isinstance(event, CaseFailed)]
    assert [(event.case, event.done) for event in failed] == [("case-0", 1), ("case-1", 2)]
    assert "has no T2" in failed[1].reason
    assert names(tmp_path / "out") == ["case-2.json", "case-2.nii.gz"]
    assert (events[-1].result.done, events[-1].result.failed) == (1, 2)


def test_a_damaged_reference_does_not_matter(model, cohort, tmp_path) -> None:
    cohort.cases[0].reference.write_bytes(b"no mask")
    events = list(predict_cohort(model, cohort, CONFIG, out=tmp_path / "out"))
    assert events[-1].result.done == 3


def test_a_stop_keeps_finished_cases_and_ends_without_a_result(model, cohort, tmp_path) -> None:
    stop = threading.Event()
    seen = []
    for event in predict_cohort(model, cohort, CONFIG, out=tmp_path / "out", stop=stop):
        seen.append(event)
        if isinstance(event, CaseDone):
            stop.set()
    assert not any(isinstance(event, Finished | CaseFailed) for event in seen)
    assert sum(isinstance(event, CaseDone) for event in seen) == 1
    assert names(tmp_path / "out") == ["case-0.json", "case-0.nii.gz"]


def test_a_closed_generator_writes_nothing_of_the_case_at_hand(model, cohort, tmp_path) -> None:
    job = predict_cohort(model, cohort, CONFIG, out=tmp_path / "out")
    next(event for event in job if isinstance(event, Progress))
    job.close()
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_of_the_outlines_is_told(model, cohort, tmp_path) -> None:
    nothing_stays = CONFIG.changed(threshold=1e-6, min_volume_ml=1000)
    *_, last = predict_cohort(model, cohort, nothing_stays, out=tmp_path / "out")
    assert isinstance(last, Finished)
    records = [json.loads((tmp_path / "out" / f"case-{n}.json").read_text()) for n in range(3)]
    most = max(record["left_out_ml"] for record in records)
    assert most > 0.1
    assert (last.result.left_out, last.result.most_left_out_ml) == (3, most)
    told = f"Small parts are left out of 3 of them, {most:.2f} mL at most in one (left_out_ml)."
    assert str(last.result).endswith(told)


def test_cases_that_the_model_has_learned_from_are_told(model, cohort, tmp_path) -> None:
    *_, warned, last = predict_cohort(model, cohort, CONFIG, out=tmp_path / "out")
    assert isinstance(last, Finished)
    assert isinstance(warned, Warned)
    assert warned.message == (
        "3 of the 3 cases (case-0, case-1, case-2) are among those that the model was trained on: "
        "scores there are too good."
    )
    assert known_by_record(provenance_of(tmp_path / "out" / "case-1.nii.gz").record) == "image"


def test_a_case_is_known_by_its_image_whatever_its_name_or_by_its_name(model, cohort) -> None:
    case = load_case(cohort.cases[1])
    assert known_by([model], replace(case, name="elsewhere")) == "image"
    brighter = {
        name: Volume(image.voxels + np.float32(1), image.grid) for name, image in case.sequences.items()
    }
    copy = replace(case, name="elsewhere", sequences=brighter)
    assert known_by([model], copy) == "image"
    noise = np.random.default_rng(7).normal(100, 20, case.grid.shape).astype(np.float32)
    others = {name: Volume(noise + number, case.grid) for number, name in enumerate(case.sequences)}
    other = replace(case, sequences=others)
    assert known_by([model], other) == "name"
    assert known_by([model], replace(other, name="elsewhere")) == "no"
    # One image of it is enough, and one model of several.
    half = replace(other, name="elsewhere", sequences=others | {Sequence.T2: case.sequences[Sequence.T2]})
    nobody = dict.fromkeys(("images_sha256", "images_likeness", "patients_sha256"), ())
    stranger = replace(model, record=model.record.model_copy(update=nobody | {"cases": ("x",)}))
    assert known_by([stranger, model], half) == "image"
    assert known_by([stranger], case) == "no"
    # Models of earlier versions have no signatures.
    earlier = replace(model, record=model.record.model_copy(update={"images_likeness": ()}))
    assert known_by([earlier], copy) == "no"
    # A model that was fine-tuned knows the cases of the one it started from.
    tuned = replace(stranger, record=stranger.record.model_copy(update={"earlier_cases": ("case-1",)}))
    assert known_by([tuned], other) == "name"


def drawn_on(mask: Path) -> bytes:
    """Add a voxel to a mask, as a person does in another program."""
    image = nibabel.load(mask)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] = 1 - voxels[0, 0, 0]
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), mask)
    return mask.read_bytes()


def test_a_mask_that_a_person_has_drawn_on_is_kept_and_told(model, cohort, tmp_path) -> None:
    out = tmp_path / "out"
    list(predict_cohort(model, cohort, CONFIG, out=out))
    drawn = drawn_on(out / "case-1.nii.gz")
    made = provenance_of(out / "case-1.nii.gz")
    assert (made.state, known_by_record(made.record)) == (MaskState.CHANGED, None)
    events = list(predict_cohort(model, cohort, CONFIG, out=out))
    told = [event.message for event in events if isinstance(event, Warned)]
    assert told[0] == (
        "case-1.nii.gz was changed after it was written; it is kept as case-1_earlier-001.nii.gz."
    )
    # The others, which nobody has touched, are made again without a word.
    assert len(told) == 2
    assert "Earlier masks were kept beside them: case-1." in str(events[-1].result)
    assert (out / "case-1_earlier-001.nii.gz").read_bytes() == drawn
    assert provenance_of(out / "case-1.nii.gz").state is MaskState.AS_WRITTEN


def test_the_record_has_the_hashes_of_what_was_written(model, cohort, tmp_path) -> None:
    out = tmp_path / "out"
    everything = {"out": out, "probability": True, "uncertainty": True}
    list(predict_cohort(model, cohort.only(("case-0",)), CONFIG, **everything))
    hashes = json.loads((out / "case-0.json").read_text())["files"]
    for role, name in (("mask", ""), ("probability", "_probability"), ("uncertainty", "_uncertainty")):
        content = (out / f"case-0{name}.nii.gz").read_bytes()
        assert hashes[role]["sha256"] == hashlib.sha256(content).hexdigest()


def test_no_prediction_is_written_over_a_file_of_a_case(model, cohort, tmp_path) -> None:
    image = tmp_path / "case-2.nii.gz"
    cohort.cases[0].sequences["T2"].rename(image)
    cohort.cases[0].sequences["T2"] = image
    with pytest.raises(SettingsError, match=r"case-2.nii.gz is a file of the case case-0"):
        list(predict_cohort(model, cohort, CONFIG, out=tmp_path))
    assert not (tmp_path / "case-1.nii.gz").exists()


def test_a_case_that_is_called_like_the_probability_of_another_is_refused(model, cohort, tmp_path) -> None:
    first, second, _ = cohort.cases
    both = Cohort(cases=(first, replace(second, name="Case-0_probability")))
    out = tmp_path / "out"
    with pytest.raises(SettingsError, match=r"would be written for two cases, case-0 and Case-0_probability"):
        list(predict_cohort(model, both, CONFIG, out=out, probability=True))
    *_, last = predict_cohort(model, both, CONFIG, out=out)
    assert last.result.done == 2


def test_cases_that_failed_are_named_at_the_end(model, cohort, tmp_path) -> None:
    del cohort.cases[1].sequences["T2"]
    *_, last = predict_cohort(model, cohort, CONFIG, out=tmp_path / "out")
    assert (last.result.failed, last.result.failed_cases) == (1, ("case-1",))
    assert "2 predicted, 1 not (case-1)" in str(last.result)


def test_a_mask_in_another_format_is_told_before_a_second_one_stands_beside_it(
    model, cohort, tmp_path
) -> None:
    first = cohort.cases[0].name
    out = tmp_path / "out"
    list(predict_cohort(model, cohort, PredictConfig(), out=out))
    by_hand = out / f"{first.upper()}.nii"
    nibabel.save(nibabel.load(out / f"{first}.nii.gz"), by_hand)
    before = by_hand.read_bytes()
    events = list(predict_cohort(model, cohort, PredictConfig(), out=out))
    told = [
        event.message for event in events if isinstance(event, Warned) and "another mask" in event.message
    ]
    assert len(told) == 1
    assert told[0].startswith(f"{by_hand.name} is another mask of the case {first} in {out}")
    assert by_hand.read_bytes() == before


def test_an_image_beside_its_prediction_is_no_second_mask(model, cohort, tmp_path) -> None:
    files = cohort.cases[0]
    image = tmp_path / "out" / f"{files.name}.nii"
    image.parent.mkdir()
    nibabel.save(nibabel.load(files.sequences[Sequence.CET1]), image)
    moved = replace(files, sequences=dict(files.sequences) | {Sequence.CET1: image})
    events = list(predict_cohort(model, Cohort(cases=(moved,)), PredictConfig(), out=image.parent))
    assert isinstance(events[-1], Finished)
    assert not any("another mask" in str(event) for event in events if isinstance(event, Warned))
