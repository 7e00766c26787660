"""The models to predict with: listed, averaged, kept warm, and applied as their presets want."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from faked_prediction import KNOWN, open_case, predict
from qtpy.QtCore import Qt

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.network import model as model_module
from napari_necroseg.core.plan import make_plan
from napari_necroseg.core.prediction.predict import Prediction
from napari_necroseg.core.project import models as models_module
from napari_necroseg.core.project.models import (
    describe_run,
    find_runs,
    mean_name,
    members_of,
    new_run_name,
    run_name,
    run_title,
    write_ensemble,
)
from napari_necroseg.core.training.train import train_planned
from napari_necroseg.core.volume import Volume
from napari_necroseg.jobs import predict as predict_module
from napari_necroseg.jobs.predict import WarmModels
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.predict.dock import Predict


@pytest.fixture
def dock(open_dock):
    return open_dock(Predict)


@pytest.fixture
def fake_prediction(monkeypatch, steered_job):
    """Replace the network: a ramp of probability in the reference, which steps down from slice to slice."""
    job = steered_job()

    def predict_case(runs, case, config, place, _warm, stop):
        job.runs, job.place, job.config = runs, place, config
        probability = case.reference.voxels * np.float16(0.8)
        probability[3] *= np.float16(0.75)
        provenance = {
            "model": runs[0].name,
            "models": [{}] * len(runs),
            "trained_on": KNOWN.get(case.name, "no"),
        }
        prediction = Prediction(
            case=case.name,
            labels=Volume((probability >= config.threshold).astype(np.uint8), case.grid),
            probability=Volume(probability, case.grid),
            uncertainty=Volume(probability * (1 - probability), case.grid),
            provenance=provenance,
        )
        job.result = predict_module._ready_to_show(prediction, case, runs, config).result
        yield from job(stop)

    monkeypatch.setattr(predict_module, "predict_case", predict_case)
    return job


@pytest.fixture
def two_presets(dock, tmp_path):
    """Two models of a project, by their records alone."""
    for preset in ("fast", "paper"):
        run = tmp_path / "models" / preset
        run.mkdir(parents=True)
        (run / "weights.safetensors").write_bytes(b"")
        record = {"config": train_preset(preset).model_dump(mode="json")}
        (run / "run.json").write_text(json.dumps(record))
    dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    return tmp_path / "models"


def recipe(dock):
    config = dock.form.config()
    return config.tta, config.smallest_share, config.slice_smoothing_mm


def test_the_choices_are_those_of_the_models_preset_but_for_what_a_person_changed(dock, two_presets):
    dock.model.choose(two_presets / "fast")
    assert recipe(dock) == (True, 0.1, 2.5)
    dock.model.choose(two_presets / "paper")
    assert recipe(dock) == (False, 0.0, 0.0)
    # What a person wants stays, though it is what the other preset wants, too.
    dock.form.input("smallest_share").set_value(0.3)
    dock.form.input("smallest_share").set_value(0.0)
    dock.model.choose(two_presets / "fast")
    assert recipe(dock) == (True, 0.0, 2.5)
    dock.form.input("tta").set_value(False)
    dock.model.choose(two_presets / "paper")
    dock.model.choose(two_presets / "fast")
    assert recipe(dock) == (False, 0.0, 2.5)


def test_models_of_both_presets_together_are_applied_plainly(dock, two_presets):
    dock.model.choose(two_presets / "fast")
    dock.ensemble._list.item(0).setCheckState(Qt.CheckState.Checked)
    assert recipe(dock) == (False, 0.0, 0.0)
    dock.ensemble._list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert recipe(dock) == (True, 0.1, 2.5)


def test_ticked_models_are_averaged_with_the_chosen_one(qtbot, dock, make_case, tmp_path, fake_prediction):
    runs = [make_run(tmp_path / "models" / name, {}) for name in ("one", "two", "three")]
    assert dock.ensemble.isHidden()
    dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    dock.model.choose(runs[1])
    open_case(dock, make_case())
    for row in range(2):
        dock.ensemble._list.item(row).setCheckState(Qt.CheckState.Checked)
    predict(qtbot, dock, fake_prediction)
    assert fake_prediction.runs[0] == runs[1]
    assert set(fake_prediction.runs[1:]) == {runs[0], runs[2]}
    # Saved, it is not taken for the chosen model's own.
    assert source_of(dock.viewer.layers["prediction two + 2"].metadata).run == "two+one+three"


def test_a_model_stays_warm_until_its_file_changes(trained_once, monkeypatch):
    loaded = []
    load = model_module.load_model
    monkeypatch.setattr(model_module, "load_model", lambda run: loaded.append(run) or load(run))
    warm = WarmModels()

    def models():
        job = warm.load([trained_once], threading.Event())
        while True:
            try:
                next(job)
            except StopIteration as end:
                return end.value

    first, second = models(), models()
    assert first[0] is second[0]
    os.utime(trained_once / "weights.safetensors", (1, 1))
    assert models()[0] is not first[0]
    assert len(loaded) == 2


@pytest.fixture
def trained_once(cohort_table):
    cohort = read_cohort(cohort_table).only(("a",))
    config = train_preset("fast").changed(steps=1, batch_size=1, device="cpu", threads=1)
    run = cohort_table.parent / "models" / "tiny"
    list(train_planned(make_plan(config, cohort), cohort, run=run))
    return run


def make_run(folder: Path, record: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").touch()
    (folder / "run.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return folder


def test_lists_the_models_of_a_project(tmp_path):
    run = make_run(
        tmp_path / "models" / "one",
        {"config": {"dimension": "2d", "sequences": ["ceT1", "T2"]}, "cases": ["a", "b"], "iterations": 1200},
    )
    (tmp_path / "models" / "unfinished").mkdir()
    assert find_runs(tmp_path) == [run]
    assert describe_run(run) == "2D, ceT1 and T2, trained on 2 cases, 1200 iterations"
    assert find_runs(None) == find_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("record", ["", "[1]", '{"config": 3, "cases": "many"}', "\x00"])
def test_a_foreign_record_is_left_out(tmp_path, record):
    assert describe_run(make_run(tmp_path / "run", record)) == ""


@pytest.fixture
def ensemble(tmp_path):
    """An ensemble of two models of the study study-1."""
    study = tmp_path / "study" / "study-1"
    models = [study / "models" / name for name in ("one", "two")]
    for model in models:
        model.mkdir(parents=True)
        (model / "weights.safetensors").write_text(model.name)
        config = train_preset("fast").changed(sequences=("T2",)).model_dump(mode="json")
        (model / "run.json").write_text(json.dumps({"config": config}))
    write_ensemble(study / "ensembles" / "2d-T2", models)
    return study / "ensembles" / "2d-T2"


def test_the_ensemble_of_a_study_is_one_model_of_the_list(qtbot, dock, make_case, ensemble, fake_prediction):
    table = ensemble.parents[3] / "cohort.csv"
    dock.workspace.set_cohort(Cohort(cases=()), table)
    open_case(dock, make_case())
    assert dock.model.combo.currentText() == "study-1: 2d-T2 (2 models)"
    assert dock._about.said == "Ensemble of 2 models of a study, whose mean counts: 2D, T2"
    with qtbot.waitSignal(dock.runner.finished):
        dock.start()
        fake_prediction.go_on.set()
    assert fake_prediction.runs == [ensemble]
    assert members_of(ensemble) == [ensemble.parents[1] / "models" / name for name in ("one", "two")]
    assert run_name(ensemble) == "study-1-2d-T2"
    (ensemble / "ensemble.json").write_text("{}")
    assert run_title(ensemble) == "study-1: 2d-T2 (0 models)"


def test_what_several_models_say_together_has_a_name_of_its_own(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    assert mean_name([a]) == "a"
    assert mean_name([a, c, b]) == mean_name([a, b, c]) == "a+b+c"
    assert mean_name([tmp_path / ("w" * 90)]) == "w" * 90
    long = [tmp_path / (letter * 50) for letter in "xyz"]
    assert mean_name(long).startswith("x" * 50 + "+2-")
    assert len({mean_name(long), mean_name(long[:2]), mean_name([long[0], long[2]])}) == 3


def test_an_ensemble_that_comes_meanwhile_is_listed_and_not_chosen(dock, tmp_path, ensemble):
    (ensemble / "ensemble.json").rename(ensemble / "away")
    dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    dock.workspace.set_run(tmp_path / "models" / "mine")
    assert dock.model.others() == []
    (ensemble / "away").rename(ensemble / "ensemble.json")
    dock.workspace.models_changed.emit()
    assert dock.model.others() == [ensemble]
    assert dock.model.combo.currentText() == "mine"


def test_looking_again_leaves_the_ticked_models_ticked(qtbot, dock, tmp_path, ensemble):
    """One model is chosen, another ticked; the end of a study or a Check lists them all anew."""
    for number, name in enumerate(("old", "new")):
        make_run(tmp_path / "models" / name, {})
        os.utime(tmp_path / "models" / name / "weights.safetensors", (number, number))
    dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    dock.model.choose(tmp_path / "models" / "old")
    ticks = dock.ensemble._list
    ticks.item(0).setCheckState(Qt.CheckState.Checked)
    assert dock.ensemble.ticked() == [tmp_path / "models" / "new"]
    with qtbot.waitSignals([dock.model.chosen]), qtbot.assertNotEmitted(dock.model.combo.currentIndexChanged):
        dock.workspace.models_changed.emit()
    assert dock.model.run() == tmp_path / "models" / "old"
    assert dock.ensemble.ticked() == [tmp_path / "models" / "new"]
    # A model that is gone leaves the first in its place.
    (tmp_path / "models" / "old" / "weights.safetensors").unlink()
    dock.workspace.models_changed.emit()
    assert dock.model.run() == tmp_path / "models" / "new"


def test_layers_that_come_and_go_read_no_file(dock, make_case, ensemble, monkeypatch):
    read = []
    for function in ("read_ensemble", "read_run_record"):
        real = getattr(models_module, function)
        monkeypatch.setattr(
            models_module, function, lambda run, name=function, real=real: read.append(name) or real(run)
        )
    dock.workspace.set_cohort(Cohort(cases=()), ensemble.parents[3] / "cohort.csv")
    # It was listed with its size, chosen and described: it was read once.
    assert read.count("read_ensemble") == 1
    said = read.copy()
    open_case(dock, make_case())
    assert dock._about.said == "Ensemble of 2 models of a study, whose mean counts: 2D, T2"
    dock.viewer.layers.clear()
    assert read == said
    dock.workspace.models_changed.emit()
    assert read.count("read_ensemble") == 1


def test_a_model_that_is_removed_while_models_are_listed_is_no_mistake(tmp_path, monkeypatch):
    make_run(tmp_path / "models" / "one", {})
    monkeypatch.setattr(Path, "glob", lambda *_: iter([tmp_path / "models" / "gone" / "weights.safetensors"]))
    assert find_runs(tmp_path) == [tmp_path / "models" / "gone"]


def test_an_ensemble_is_predicted_with_its_members(monkeypatch, ensemble):
    loaded = []
    monkeypatch.setattr(model_module, "load_model", lambda run: loaded.append(run.name))
    models = list(WarmModels().load([ensemble], threading.Event()))
    assert loaded == ["one", "two"]
    assert [event.message for event in models][1:] == [
        "Loading the model one ...",
        "Loading the model two ...",
    ]


def test_new_models_never_share_a_name(tmp_path):
    assert new_run_name(tmp_path, "2d", sequences=("ceT1",)) == "2d-ceT1-1"
    (tmp_path / "2d-ceT1-1").mkdir()
    assert new_run_name(tmp_path, "2d", sequences=("ceT1",)) == "2d-ceT1-2"
