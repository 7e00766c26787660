import csv
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from safetensors.numpy import load_file

from napari_necroseg.cli import main
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import CohortError, FileError, ModelError, ResourceError, SettingsError
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.images.load import load_case
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.prediction.predict_cohort import Wanted
from napari_necroseg.core.project.labels import with_corrected
from napari_necroseg.core.scoring.files import CaseScored, find_pairs, score_files
from napari_necroseg.core.study import job, runs, study, underway
from napari_necroseg.core.study.cohort import cohort_of
from napari_necroseg.core.study.planning import plan_study
from napari_necroseg.core.study.record import read_states, read_study
from napari_necroseg.core.study.results import read_results
from napari_necroseg.core.study.store import CaseStore
from napari_necroseg.core.study.study import run_study
from napari_necroseg.core.study.unit import Unit
from napari_necroseg.core.training import train

CHOICES: dict[str, Any] = {
    "configurations": ("2d:ceT1",),
    "folds": 2,
    "steps_per_run": 2,
    "threads": 1,
    "workers": 1,
}


@pytest.fixture
def project(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    """A folder with four cases and their table."""
    for number in range(1, 5):
        write_case(tmp_path / "project" / f"case-{number}", seed=number)
    assert main(["prepare", str(tmp_path / "project")]) == 0
    return tmp_path / "project"


_done: list[Path] = []


@pytest.fixture
def done(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the study done, which is computed once for all tests."""
    if not _done:
        run(project)
        _done.append(tmp_path_factory.mktemp("done") / "study")
        shutil.copytree(project / "study", _done[0])
    else:
        shutil.copytree(_done[0], project / "study")
    return project


def run(project: Path, *, only: tuple[str, ...] = (), **choices: Any) -> list[Event]:
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | choices)
    return list(run_study(config, read_cohort(table), table=table, out=project / "study" / "a", only=only))


def of_kind(events: list[Event], name: str) -> list[Any]:
    return [event for event in events if event.event == name]


def edit_cohort(project: Path, change: Callable[[Cohort], Cohort]) -> None:
    write_cohort(project / "cohort.csv", change(read_cohort(project / "cohort.csv")))


def weights(project: Path, key: str) -> dict[str, np.ndarray]:
    return load_file(project / "study" / "a" / "models" / key / "weights.safetensors")


def test_every_case_is_scored_once_by_a_network_that_did_not_learn_from_it(project: Path) -> None:
    events = run(project)
    out = project / "study" / "a"
    assert [
        event.event for event in events if event.event.startswith("run") and event.event != "run_step"
    ] == [
        "run",
        "run",
        "run_started",
        "run_done",
        "run_started",
        "run_done",
    ]
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.result.done, finished.result.failed, finished.result.total) == (2, 0, 2)
    folds = {
        row["case"]: int(row["fold"]) for row in csv.DictReader((out / "folds.csv").read_text().splitlines())
    }
    assert sorted(folds.values()) == [1, 1, 2, 2]
    results = read_results(out / "scores.csv")
    assert sorted(one.case for one in results) == ["case-1", "case-2", "case-3", "case-4"]
    for one in results:
        record = json.loads((out / "models" / f"2d-ceT1_fold-{one.fold}_seed-0" / "run.json").read_text())
        assert folds[one.case] == one.fold
        assert one.case not in record["cases"]
        learned = {read_study(out).cases[name].images_sha256["ceT1"] for name in record["cases"]}
        assert set(record["images_sha256"]) == learned
        assert read_study(out).cases[one.case].images_sha256["ceT1"] not in learned


def test_the_scores_are_those_of_the_masks_on_disk(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The masks are the references, shifted."""

    def shifted(
        _model: object, cohort: Cohort, _config: object, wanted: Wanted, **_: object
    ) -> Iterator[Event]:
        for files in cohort:
            case = load_case(files)
            mask = np.roll(case.reference.voxels, 3, axis=1)
            save_mask(wanted.out / f"{files.name}.nii.gz", mask, case.origin)
        yield from ()

    monkeypatch.setattr(job, "predict_cohort", shifted)
    run(project)
    out = project / "study" / "a"
    ours = {one.case: one.scores for one in read_results(out / "scores.csv")}
    pairs = find_pairs(project / "cohort.csv", out / "predictions" / "2d-ceT1_seed-0")
    again = {event.case: event.result for event in score_files(pairs) if isinstance(event, CaseScored)}
    assert ours.keys() == again.keys()
    # Ten rows, of which seven are still within.
    assert [one.dice for one in ours.values()] == pytest.approx([0.7] * 4)
    for case, scores in ours.items():
        np.testing.assert_equal(vars(scores), vars(again[case]))


def test_what_is_done_is_not_done_again(done: Path) -> None:
    path = done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0" / "weights.safetensors"
    before = path.stat().st_mtime_ns
    events = run(done)
    assert not of_kind(events, "run_started")
    assert [(event.fold, event.was_done) for event in of_kind(events, "run_done")] == [(1, True), (2, True)]
    assert [event.state for event in of_kind(events, "run")] == ["done", "done"]
    assert path.stat().st_mtime_ns == before


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


def test_a_study_grows_by_seeds_and_configurations(done: Path) -> None:
    events = run(done, seeds=2, configurations=("2d:ceT1", "2d:T2"))
    assert len(of_kind(events, "run")) == 8
    assert len(of_kind(events, "run_started")) == 6
    results = read_results(done / "study" / "a" / "scores.csv")
    assert {(one.configuration, one.seed) for one in results} == {
        ("2d:ceT1", 0),
        ("2d:ceT1", 1),
        ("2d:T2", 0),
        ("2d:T2", 1),
    }
    first, second = (weights(done, f"2d-ceT1_fold-1_seed-{seed}") for seed in (0, 1))
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_runs_that_were_trained_in_another_way_are_not_mixed(done: Path) -> None:
    path = done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0" / "run.json"
    record, study = json.loads(path.read_text()), (done / "study" / "a" / "study.json").read_bytes()
    # As if the preset had changed since.
    record["config"] |= {"target_share": 0.9, "device": "cuda:3"}
    path.write_text(json.dumps(record))
    with pytest.raises(SettingsError, match=r"trained with target_share 0\.9, as an earlier version"):
        run(done, seeds=2)
    assert not list((done / "study" / "a" / "models").glob("*seed-1"))
    assert (done / "study" / "a" / "study.json").read_bytes() == study


def test_where_a_run_was_trained_is_no_matter(done: Path) -> None:
    path = done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0" / "run.json"
    record = json.loads(path.read_text())
    record["config"] |= {"device": "cuda:3", "threads": 7}
    path.write_text(json.dumps(record))
    assert not of_kind(run(done), "run_started")


def test_a_study_that_was_stopped_goes_on_to_the_same_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(train, "_SECONDS_BETWEEN_EVENTS", 0.0)
    monkeypatch.setattr(job, "_SECONDS_BETWEEN_EVENTS", 0.0)
    table, out, stop = project / "cohort.csv", project / "study" / "a", threading.Event()
    config = StudyConfig.checked(**CHOICES | {"steps_per_run": 6})
    seen = []
    for event in run_study(config, read_cohort(table), table=table, out=out, stop=stop):
        seen.append(event)
        if event.event == "run_step" and event.iteration == 3:
            stop.set()
    assert not of_kind(seen, "finished")
    assert (out / "models" / "2d-ceT1_fold-1_seed-0" / "checkpoint.safetensors").exists()
    with monkeypatch.context() as patched:
        # As if the preset had changed since: no run fails for it, and nothing is begun.
        patched.setattr(runs, "train_preset", lambda *names: train_preset(*names).changed(target_share=0.9))
        with pytest.raises(SettingsError, match=r"was trained with target_share .* as an earlier version"):
            run(project, steps_per_run=6)
    events = run(project, steps_per_run=6)
    assert [event.state for event in of_kind(events, "run")] == ["interrupted", "waiting"]
    iterations = [event.iteration for event in of_kind(events, "run_step") if event.phase == "training"]
    assert iterations[0] == 4
    resumed = weights(project, "2d-ceT1_fold-1_seed-0")
    (project / "study" / "a").rename(project / "study" / "resumed")
    run(project, steps_per_run=6)
    whole = weights(project, "2d-ceT1_fold-1_seed-0")
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_a_run_that_fails_is_told_and_can_be_done_again_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise ResourceError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(job, "predict_cohort", full)
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


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"steps_per_run": 3}, "has steps_per_run 2, not 3"),
        ({"fold_seed": 1}, "has fold_seed 0, not 1"),
        ({"preset": "paper"}, "has preset fast, not paper"),
        ({"folds": 3}, "3 folds were asked for"),
    ],
)
def test_another_study_in_the_same_folder_is_refused(
    done: Path, choices: dict[str, object], complaint: str
) -> None:
    with pytest.raises((SettingsError, CohortError), match=complaint):
        run(done, **choices)


@pytest.mark.parametrize("name", ["scores.csv", "report.html", "table1.md"])
def test_a_folder_with_tables_of_something_else_is_refused(project: Path, name: str) -> None:
    folder = project / "study" / "a"
    folder.mkdir(parents=True)
    (folder / name).write_text("mine")
    with pytest.raises(SettingsError, match="so that nothing is replaced"):
        run(project)
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [name]
    assert (folder / name).read_text() == "mine"


def test_a_prediction_that_a_person_has_drawn_on_is_kept_when_its_run_is_done_again(done: Path) -> None:
    mask = next((done / "study" / "a" / "predictions").glob("*/case-1.nii.gz"))
    image = nibabel.load(mask)
    nibabel.save(nibabel.Nifti1Image(1 - np.asarray(image.dataobj), image.affine), mask)
    drawn = mask.read_bytes()
    told = [event.message for event in of_kind(run(done), "warning")]
    assert "case-1.nii.gz was changed after it was written; it is kept as case-1_earlier-001.nii.gz." in told
    assert mask.with_name("case-1_earlier-001.nii.gz").read_bytes() == drawn


def test_a_study_whose_networks_were_applied_in_another_way_is_refused(done: Path) -> None:
    path = done / "study" / "a" / "study.json"
    record = json.loads(path.read_text())
    assert (record["config"]["preset"], record["prediction"]["tta"]) == ("fast", True)
    del record["prediction"]
    path.write_text(json.dumps(record))
    with pytest.raises(SettingsError, match="were applied in another way, by an earlier version"):
        run(done)


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


def test_a_model_that_is_not_there_is_told_before_any_run(project: Path) -> None:
    with pytest.raises(ModelError, match=r"no trained model in .*nowhere to start from"):
        run(project, start_from=project / "nowhere")


def test_a_case_that_lacks_a_sequence_is_told_before_anything_is_read(project: Path) -> None:
    table = project / "cohort.csv"
    table.write_text(table.read_text().replace("case-2/T2.nii.gz", ""))
    with pytest.raises(CohortError, match="case-2 cannot take part: it has no T2"):
        run(project, configurations=("2d:ceT1+T2",))
    assert not (project / "study" / "a" / "study.json").exists()


def test_two_at_once_are_refused(project: Path) -> None:
    out = project / "study" / "a"
    with (
        file_lock(out / ".study.lock", "The study"),
        pytest.raises(FileError, match="is under way in another window or program"),
    ):
        run(project)
    assert of_kind(run(project), "finished")


def test_cases_are_read_once_for_all_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores: list[CaseStore] = []

    class Counting(CaseStore):
        def __init__(self) -> None:
            super().__init__()
            stores.append(self)

    monkeypatch.setattr(study, "CaseStore", Counting)
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


def test_the_models_of_a_configuration_predict_as_one(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ensemble, out = done / "study" / "a" / "ensembles" / "2d-ceT1", done / "predictions"
    arguments = ["predict", str(ensemble), str(done / "case-1"), "--out", str(out), "--threads", "1"]
    assert main([*arguments, "--json"]) == 0
    record = json.loads((out / "case-1.json").read_text())
    assert [model["model"] for model in record["models"]] == [
        "2d-ceT1_fold-1_seed-0",
        "2d-ceT1_fold-2_seed-0",
    ]
    (done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0" / "weights.safetensors").unlink()
    assert main(arguments) == 2
    assert "gone or has changed" in capsys.readouterr().err


def test_a_dry_run_writes_the_folds_alone_and_says_what_each_run_is(project: Path) -> None:
    table, out = project / "cohort.csv", project / "study" / "a"
    config = StudyConfig.checked(**CHOICES | {"minutes_per_run": 3, "steps_per_run": None})
    events = list(plan_study(config, read_cohort(table), table=table, out=out))
    planned = of_kind(events, "run")
    assert [(event.fold, event.iterations, event.minutes) for event in planned] == [
        (1, None, 3),
        (2, None, 3),
    ]
    assert all(event.estimated_s == 180 and event.estimated_iterations > 0 for event in planned)
    assert events[-1].result.estimated_s == 360
    assert events[-1].result.fold_sizes == (2, 2)
    assert [path.name for path in out.iterdir()] == ["folds.csv"]


def test_the_paper_preset_is_as_long_as_published(project: Path) -> None:
    """Two training cases of 1,800 patches: 3,600 volumes of 64 slices, 32 a mini-batch."""
    table, out = project / "cohort.csv", project / "study" / "a"
    config = StudyConfig.checked(**CHOICES | {"preset": "paper", "steps_per_run": None})
    planned = of_kind(list(plan_study(config, read_cohort(table), table=table, out=out)), "run")
    assert [event.iterations for event in planned] == [7200, 7200]


def test_the_command_line_does_all_of_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = project / "study" / "a"
    arguments = ["study", str(project), "--out", str(out), "--configurations", "2d:T2+ceT1", "--folds", "2"]
    arguments += ["--steps-per-run", "1", "--threads", "1", "--json"]
    assert main([*arguments, "--dry-run"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (first, _) = [line for line in lines if line["event"] == "run"]
    assert (first["configuration"], first["fold"], first["seed"], first["iterations"]) == (
        "2d:ceT1+T2",
        1,
        0,
        1,
    )
    assert main(arguments) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"] == "finished"
    assert (lines[-1]["done"], lines[-1]["total"]) == (2, 2)
    header, *rows = csv.reader((out / "scores.csv").read_text().splitlines())
    assert header == ["configuration", "fold", "seed", "case", "metric", "region", "value"]
    assert {row[3] for row in rows} == {"case-1", "case-2", "case-3", "case-4"}
    assert main(["study", str(project), "--out", str(out), "--configurations", "5d:T2"]) == 2
    assert "is no configuration" in capsys.readouterr().err


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


def test_corrected_masks_are_those_of_the_report_too(project: Path) -> None:
    labels = project / "labels"
    labels.mkdir()
    shutil.copy(project / "case-1" / "necrosis.nii.gz", labels / "case-2.nii.gz")
    cohort = with_corrected(read_cohort(project / "cohort.csv"), labels, unsigned=True)
    table, out = project / "cohort.csv", project / "study" / "a"
    assert list(run_study(StudyConfig.checked(**CHOICES), cohort, table=table, out=out))
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


def test_the_report_comes_with_the_study(done: Path) -> None:
    out = done / "study" / "a"
    (finished,) = of_kind(run(done), "finished")
    assert finished.result.report == out / "report.html"
    made = {path.name for path in out.iterdir()}
    assert {"report.html", "table1.md", "table1.csv", "table1.tex", "statistics.csv", "figures"} <= made


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


def change_a_dice(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    number = next(place for place, line in enumerate(lines) if ",dice," in line)
    lines[number] = lines[number][: lines[number].rindex(",")] + ",0.987\n"
    path.write_text("".join(lines))


def test_a_dice_that_was_changed_by_hand_is_told_and_counted_again(done: Path) -> None:
    out = done / "study" / "a"
    scores = (out / "scores.csv").read_bytes()
    table = next((out / "runs").glob("*.csv"))
    change_a_dice(table)
    events = run(done)
    (told,) = [event.message for event in of_kind(events, "warning") if table.name in event.message]
    assert "somebody or something has changed them. They are computed again" in told
    assert [event.was_done for event in of_kind(events, "run_done")] == [True, False]
    assert (out / "scores.csv").read_bytes() == scores
    assert not any("changed" in event.message for event in of_kind(run(done), "warning"))


def test_a_dice_that_was_changed_in_the_table_of_all_is_told_by_the_report(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = done / "study" / "a"
    shutil.copy(out / "scores.csv", out / "before.csv")
    change_a_dice(out / "scores.csv")
    assert main(["report", str(out)]) == 0
    told = "scores.csv are not those that were written when the run was scored"
    assert told in " ".join(capsys.readouterr().err.split())
    assert told in (out / "report.html").read_text(encoding="utf-8")
    # Another order, other line ends: the same numbers.
    header, *rows = (out / "before.csv").read_text().splitlines()
    (out / "scores.csv").write_text("\r\n".join([header, *reversed(rows)]) + "\r\n")
    assert main(["report", str(out)]) == 0
    assert told not in " ".join(capsys.readouterr().err.split())


def test_records_of_earlier_versions_without_a_checksum_raise_no_alarm(done: Path) -> None:
    out = done / "study" / "a"
    for path in (out / "runs").glob("*.json"):
        record = json.loads(path.read_text())
        del record["scores_sha256"]
        path.write_text(json.dumps(record))
    record = json.loads((out / "study.json").read_text())
    for case in record["cases"].values():
        del case["images_likeness"], case["target_from"]
    (out / "study.json").write_text(json.dumps(record))
    events = run(done)
    assert [event.was_done for event in of_kind(events, "run_done")] == [True, True]
    assert not of_kind(events, "warning")


def test_naming_less_of_a_study_loses_nothing_of_it(project: Path) -> None:
    run(project, seeds=2)
    scores = (project / "study" / "a" / "scores.csv").read_text()
    events = run(project)
    assert len(of_kind(events, "run")) == 4
    assert not of_kind(events, "run_started")
    assert (project / "study" / "a" / "scores.csv").read_text() == scores
    assert read_study(project / "study" / "a").config.seeds == 2
    added = run(project, configurations=("2d:T2",))
    # What was not asked for now is not done, and what was done is not forgotten.
    assert {(event.configuration, event.seed) for event in of_kind(added, "run_started")} == {("2d:T2", 0)}
    assert (added[-1].result.done, added[-1].result.total) == (6, 8)
    results = read_results(project / "study" / "a" / "scores.csv")
    assert {(one.configuration, one.seed) for one in results} == {
        ("2d:ceT1", 0),
        ("2d:ceT1", 1),
        ("2d:T2", 0),
    }


def test_a_mask_that_was_moved_is_another_study(done: Path) -> None:
    """As many voxels as before."""
    path = done / "case-2" / "necrosis.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.roll(np.asarray(image.dataobj), 1, axis=1), image.affine), path)
    with pytest.raises(SettingsError, match="was begun with another case-2"):
        run(done)


def test_a_mask_that_is_moved_while_a_study_runs_fails_what_is_left(project: Path) -> None:
    table, out = project / "cohort.csv", project / "study" / "a"
    path = project / "case-2" / "necrosis.nii.gz"
    image = nibabel.load(path)
    moved = nibabel.Nifti1Image(np.roll(np.asarray(image.dataobj), 1, axis=1), image.affine)
    events = []
    for event in run_study(StudyConfig.checked(**CHOICES), read_cohort(table), table=table, out=out):
        events.append(event)
        if event.event == "run_done":
            nibabel.save(moved, path)
    assert len(of_kind(events, "run_done")) == 1
    (failed,) = of_kind(events, "run_failed")
    assert "mask of case-2 was changed since the study began" in failed.reason


def test_another_tolerance_is_another_study(done: Path) -> None:
    with pytest.raises(SettingsError, match=r"has tolerance_mm 2\.0, not 3\.0"):
        run(done, tolerance_mm=3.0)


def test_another_model_to_start_from_is_another_study_wherever_it_is(project: Path) -> None:
    run(project)
    (project / "study" / "a").rename(project / "study" / "first")
    models = project / "study" / "first" / "models"
    run(project, start_from=models / "2d-ceT1_fold-1_seed-0")
    began = read_study(project / "study" / "a")
    assert began.config.start_from == Path("../first/models/2d-ceT1_fold-1_seed-0")
    assert began.config_in(project / "study" / "a").start_from == models / "2d-ceT1_fold-1_seed-0"
    for path in (project / "study" / "a").rglob("*"):
        assert not path.is_file() or str(project).encode() not in path.read_bytes(), path
    with pytest.raises(SettingsError, match="has start_from_sha256"):
        run(project, start_from=models / "2d-ceT1_fold-2_seed-0")
    models.rename(project / "moved")
    again = run(project, start_from=project / "moved" / "2d-ceT1_fold-1_seed-0")
    assert [event.was_done for event in of_kind(again, "run_done")] == [True]


def test_a_model_that_knows_the_cases_is_refused_also_where_a_run_had_its_own(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check after the training, by itself: the other fold's model in the place of this one's."""
    monkeypatch.setattr(job, "_check_same", lambda *_: None)
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


def test_relative_paths_hold_wherever_a_worker_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    table = Path(project.name) / "cohort.csv"
    units: list[Unit] = []

    def collect(given: Sequence[Unit], *_: object) -> Iterator[Event]:
        units.extend(given)
        yield from ()

    monkeypatch.setattr(underway, "_one_by_one", collect)
    config = StudyConfig.checked(**CHOICES)
    list(run_study(config, read_cohort(table), table=table, out=Path(project.name) / "study" / "a"))
    assert units
    for unit in units:
        assert unit.out.is_absolute()
        paths = [path for files in unit.cohort for path in (*files.sequences.values(), files.reference)]
        assert all(path is not None and path.is_absolute() and path.is_file() for path in paths)
