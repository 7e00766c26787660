"""One run of a study: what it makes, what makes it fail, and what it takes up again."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from small_study import CHOICES, of_kind, run

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import FileError, ResourceError, SettingsError
from napari_necroseg.core.events import Event
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.files import CaseScored, score_files
from napari_necroseg.core.study import run_job
from napari_necroseg.core.study.experiment import run_study
from napari_necroseg.core.study.record import read_states
from napari_necroseg.core.study.results import read_results


def test_the_scores_are_those_of_the_masks_on_disk(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks are the references, shifted."""

    def shifted(
        _model: object, cohort: Cohort, _config: object, *, out: Path, **_: object
    ) -> Iterator[Event]:
        for files in cohort:
            case = load_case(files)
            mask = np.roll(case.reference.voxels, 3, axis=1)
            save_mask(out / f"{files.name}.nii.gz", mask, case.origin)
        yield from ()

    monkeypatch.setattr(run_job, "predict_cohort", shifted)
    run(project)
    out = project / "study" / "a"
    ours = {one.case: one.scores for one in read_results(out / "scores.csv")}
    events = score_files(project / "cohort.csv", out / "predictions" / "2d-ceT1_seed-0")
    again = {event.case: event.result for event in events if isinstance(event, CaseScored)}
    assert ours.keys() == again.keys()
    # Ten rows, of which seven are still within.
    assert [one.dice for one in ours.values()] == pytest.approx([0.7] * 4)
    for case, scores in ours.items():
        np.testing.assert_equal(vars(scores), vars(again[case]))


def test_a_mask_that_was_lost_is_predicted_again_without_training(done: Path) -> None:
    out = done / "study" / "a"
    scores = (out / "scores.csv").read_text()
    case = next(one.case for one in read_results(out / "scores.csv") if one.fold == 2)
    mask, model = out / "predictions" / "2d-ceT1_seed-0" / f"{case}.nii.gz", out / "models"
    before = {path: path.stat().st_mtime_ns for path in model.glob("*/weights.safetensors")}
    mask.unlink()
    events = run(done)
    assert [event.fold for event in of_kind(events, "run_started")] == [2]
    assert mask.exists()
    assert {path: path.stat().st_mtime_ns for path in model.glob("*/weights.safetensors")} == before
    assert (out / "scores.csv").read_text() == scores


def test_a_run_that_fails_is_told_and_can_be_done_again_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise ResourceError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(run_job, "predict_cohort", full)
        events = run(project)
    assert [(event.fold, event.reason) for event in of_kind(events, "run_failed")] == [
        (1, "The disk is full."),
        (2, "The disk is full."),
    ]
    assert (events[-1].result.done, events[-1].result.failed) == (0, 2)
    assert read_states(project / "study" / "a")["2d-ceT1_fold-1_seed-0"].reason == "The disk is full."
    events = run(project, only=("2d-ceT1_fold-2_seed-0",))
    assert [event.state for event in of_kind(events, "run")] == ["failed", "failed"]
    assert [event.fold for event in of_kind(events, "run_done")] == [2]
    assert (events[-1].result.done, events[-1].result.failed) == (1, 1)
    with pytest.raises(SettingsError, match="no run '2d-ceT1_fold-3_seed-0' in this study"):
        run(project, only=("2d-ceT1_fold-3_seed-0",))


def test_a_run_without_any_target_fails_and_the_other_goes_on(project: Path) -> None:
    for name in ("case-1", "case-2"):
        path = project / name / "necrosis.nii.gz"
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)
    (project / "study" / "a").mkdir(parents=True)
    (project / "study" / "a" / "folds.csv").write_text(
        "case,patient,fold\ncase-1,,1\ncase-2,,1\ncase-3,,2\ncase-4,,2\n"
    )
    events = run(project)
    (failed,) = of_kind(events, "run_failed")
    assert failed.fold == 2
    assert "No case is left to train on" in failed.reason
    (done,) = of_kind(events, "run_done")
    # Both cases of fold 1 have nothing to find.
    assert (done.fold, done.mean_dice) == (1, None)


def test_a_prediction_that_a_person_has_drawn_on_is_kept_when_its_run_is_done_again(done: Path) -> None:
    mask = next((done / "study" / "a" / "predictions").glob("*/case-1.nii.gz"))
    image = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(1 - np.asarray(image.dataobj), image.affine), mask)
    drawn = mask.read_bytes()
    told = [event.message for event in of_kind(run(done), "warning")]
    assert "case-1.nii.gz was changed after it was written; it is kept as case-1_earlier-001.nii.gz." in told
    assert mask.with_name("case-1_earlier-001.nii.gz").read_bytes() == drawn


def test_a_damaged_record_is_told(done: Path) -> None:
    (done / "study" / "a" / "study.json").write_text("{}")
    with pytest.raises(FileError, match="damaged or of another version"):
        run(done)


def test_a_model_of_another_training_in_the_place_of_a_run_is_refused(done: Path) -> None:
    out = done / "study" / "a"
    models = sorted((out / "models").iterdir())
    (out / "runs" / f"{models[0].name}.json").unlink()
    shutil.rmtree(models[0])
    shutil.copytree(models[1], models[0])
    (failed,) = of_kind(run(done), "run_failed")
    assert "trained with other choices or on other cases" in failed.reason


@pytest.mark.parametrize(
    "left",
    [
        [".0123abcd-checkpoint.safetensors"],
        [".0123abcd-run.json"],
        ["weights.safetensors"],
        ["weights.safetensors", "history.csv", ".0123abcd-run.json"],
    ],
)
def test_what_a_kill_leaves_does_not_block_a_run(project: Path, left: list[str]) -> None:
    model = project / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0"
    model.mkdir(parents=True)
    for name in left:
        (model / name).write_bytes(b"half")
    events = run(project)
    assert not of_kind(events, "run_failed")
    assert sorted(path.name for path in model.iterdir()) == ["history.csv", "run.json", "weights.safetensors"]


def test_a_record_that_was_half_written_is_no_record(done: Path) -> None:
    runs = done / "study" / "a" / "runs"
    (runs / ".0123abcd-2d-ceT1_fold-1_seed-0.json").write_text("")
    assert [event.was_done for event in of_kind(run(done), "run_done")] == [True, True]


def test_a_damaged_table_of_a_run_is_made_again(done: Path) -> None:
    path = done / "study" / "a" / "runs" / "2d-ceT1_fold-2_seed-0.csv"
    whole = path.read_text()
    path.write_text("nothing of use\n")
    assert [event.fold for event in of_kind(run(done), "run_started")] == [2]
    assert path.read_text() == whole


def test_a_mask_that_is_moved_while_a_study_runs_fails_what_is_left(project: Path) -> None:
    table, out = project / "cohort.csv", project / "study" / "a"
    path = project / "case-2" / "necrosis.nii.gz"
    image = nibabel.load(path)
    moved = nibabel.Nifti1Image(np.roll(np.asarray(image.dataobj), 1, axis=1), image.affine)
    events = []
    for event in run_study(read_cohort(table), StudyConfig.checked(**CHOICES), out=out):
        events.append(event)
        if event.event == "run_done":
            nibabel.save(moved, path)
    assert len(of_kind(events, "run_done")) == 1
    (failed,) = of_kind(events, "run_failed")
    assert "mask of case-2 was changed since the study began" in failed.reason


def test_a_model_that_knows_the_cases_is_refused_also_where_a_run_had_its_own(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check after the training, by itself: the other fold's model in the place of this one's."""
    monkeypatch.setattr(run_job, "_check_same", lambda *_, **__: None)
    models = sorted((done / "study" / "a" / "models").iterdir())
    shutil.rmtree(models[0])
    shutil.copytree(models[1], models[0])
    (failed,) = of_kind(run(done), "run_failed")
    assert "cannot test this network" in failed.reason


def test_the_seconds_of_a_training_count_all_sessions(done: Path) -> None:
    out = done / "study" / "a"
    trained = json.loads((out / "models" / "2d-ceT1_fold-1_seed-0" / "run.json").read_text())["seconds"]
    mask = next((out / "predictions" / "2d-ceT1_seed-0").glob("*.nii.gz"))
    mask.unlink()
    run(done)
    seconds = {key: state.seconds["training"] for key, state in read_states(out).items()}
    assert seconds["2d-ceT1_fold-1_seed-0"] == pytest.approx(trained, abs=1e-3)


def test_only_one_of_many_is_within_a_lock(tmp_path: Path) -> None:
    """Also of those that wait while the file is taken away."""
    within, most = [0], [0]
    path = tmp_path / "lock"

    def enter() -> None:
        with file_lock(path, "It", wait_s=20.0):
            within[0] += 1
            most[0] = max(most[0], within[0])
            time.sleep(0.01)
            within[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not path.exists()


def test_waiting_for_a_lock_ends_with_a_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    started = time.monotonic()
    with (
        file_lock(tmp_path / "lock", "It"),
        pytest.raises(FileError, match="is under way in another"),
        file_lock(tmp_path / "lock", "It", wait_s=30.0, stop=stop),
    ):
        pass
    assert time.monotonic() - started < 1
