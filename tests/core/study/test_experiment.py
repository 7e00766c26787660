"""A whole study, from its beginning or from wherever it was left, and what it refuses to mix."""

import csv
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from small_study import CHOICES, change_a_dice, of_kind, run, weights

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import CohortError, FileError, ModelError, SettingsError
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.study import experiment, run_job
from napari_necroseg.core.study import run as run_module
from napari_necroseg.core.study.experiment import run_study
from napari_necroseg.core.study.record import read_study
from napari_necroseg.core.study.results import read_results
from napari_necroseg.core.study.run_job import RunSpec
from napari_necroseg.core.training import train


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


def test_what_is_done_is_not_done_again(done: Path) -> None:
    path = done / "study" / "a" / "models" / "2d-ceT1_fold-1_seed-0" / "weights.safetensors"
    before = path.stat().st_mtime_ns
    events = run(done)
    assert not of_kind(events, "run_started")
    assert [(event.fold, event.was_done) for event in of_kind(events, "run_done")] == [(1, True), (2, True)]
    assert [event.state for event in of_kind(events, "run")] == ["done", "done"]
    assert path.stat().st_mtime_ns == before


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
    monkeypatch.setattr(run_job, "_SECONDS_BETWEEN_EVENTS", 0.0)
    table, out, stop = project / "cohort.csv", project / "study" / "a", threading.Event()
    config = StudyConfig.checked(**CHOICES | {"steps_per_run": 6})
    seen = []
    for event in run_study(read_cohort(table), config, out=out, stop=stop):
        seen.append(event)
        if event.event == "run_step" and event.iteration == 3:
            stop.set()
    assert not of_kind(seen, "finished")
    assert (out / "models" / "2d-ceT1_fold-1_seed-0" / "checkpoint.safetensors").exists()
    with monkeypatch.context() as patched:
        # As if the preset had changed since: no run fails for it, and nothing is begun.
        patched.setattr(
            run_module, "train_preset", lambda *names: train_preset(*names).changed(target_share=0.9)
        )
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


def test_a_study_whose_networks_were_applied_in_another_way_is_refused(done: Path) -> None:
    path = done / "study" / "a" / "study.json"
    record = json.loads(path.read_text())
    assert (record["config"]["preset"], record["prediction"]["tta"]) == ("fast", True)
    del record["prediction"]
    path.write_text(json.dumps(record))
    with pytest.raises(SettingsError, match="were applied in another way, by an earlier version"):
        run(done)


def test_a_model_that_is_not_there_is_told_before_any_run(project: Path) -> None:
    with pytest.raises(ModelError, match=r"no trained model in .*nowhere to start from"):
        run(project, start_from=project / "nowhere")


def test_two_at_once_are_refused(project: Path) -> None:
    out = project / "study" / "a"
    with (
        file_lock(out / ".study.lock", "The study"),
        pytest.raises(FileError, match="is under way in another window or program"),
    ):
        run(project)
    assert of_kind(run(project), "finished")


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


def test_the_report_comes_with_the_study(done: Path) -> None:
    out = done / "study" / "a"
    (finished,) = of_kind(run(done), "finished")
    assert finished.result.report == out / "report.html"
    made = {path.name for path in out.iterdir()}
    assert {"report.html", "table1.md", "table1.csv", "table1.tex", "statistics.csv", "figures"} <= made


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


def test_relative_paths_hold_wherever_a_worker_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    table = Path(project.name) / "cohort.csv"
    specs: list[RunSpec] = []

    def collect(given: Sequence[RunSpec], *_: object, **__: object) -> Iterator[Event]:
        specs.extend(given)
        yield from ()

    monkeypatch.setattr(experiment, "_do_runs", collect)
    config = StudyConfig.checked(**CHOICES)
    list(run_study(read_cohort(table), config, out=Path(project.name) / "study" / "a"))
    assert specs
    for spec in specs:
        assert spec.out.is_absolute()
        paths = [path for files in spec.cohort for path in (*files.sequences.values(), files.reference)]
        assert all(path is not None and path.is_absolute() and path.is_file() for path in paths)
