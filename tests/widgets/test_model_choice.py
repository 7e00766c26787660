"""The models to predict with: listed, averaged, kept warm, and applied as their presets want."""

import json
import os
import threading
from pathlib import Path

import pytest
from faked_prediction import open_case, predict
from qtpy.QtCore import Qt

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.network import model as model_module
from napari_necroseg.core.plan import make_plan
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
from napari_necroseg.jobs.predict import WarmModels
from napari_necroseg.layerdata import source_of


def recipe(predict_dock):
    config = predict_dock.form.config()
    return config.tta, config.smallest_share, config.slice_smoothing_mm


def test_the_choices_are_those_of_the_models_preset_but_for_what_a_person_changed(predict_dock, two_presets):
    predict_dock.model.choose(two_presets / "fast")
    assert recipe(predict_dock) == (True, 0.1, 2.5)
    predict_dock.model.choose(two_presets / "paper")
    assert recipe(predict_dock) == (False, 0.0, 0.0)
    # What a person wants stays, though it is what the other preset wants, too.
    predict_dock.form.input("smallest_share").set_value(0.3)
    predict_dock.form.input("smallest_share").set_value(0.0)
    predict_dock.model.choose(two_presets / "fast")
    assert recipe(predict_dock) == (True, 0.0, 2.5)
    predict_dock.form.input("tta").set_value(False)
    predict_dock.model.choose(two_presets / "paper")
    predict_dock.model.choose(two_presets / "fast")
    assert recipe(predict_dock) == (False, 0.0, 2.5)


def test_models_of_both_presets_together_are_applied_plainly(predict_dock, two_presets):
    predict_dock.model.choose(two_presets / "fast")
    predict_dock.ensemble._list.item(0).setCheckState(Qt.CheckState.Checked)
    assert recipe(predict_dock) == (False, 0.0, 0.0)
    predict_dock.ensemble._list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert recipe(predict_dock) == (True, 0.1, 2.5)


def test_ticked_models_are_averaged_with_the_chosen_one(
    qtbot, predict_dock, make_case, tmp_path, fake_prediction
):
    runs = [make_run(tmp_path / "models" / name, {}) for name in ("one", "two", "three")]
    assert predict_dock.ensemble.isHidden()
    predict_dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    predict_dock.model.choose(runs[1])
    open_case(predict_dock, make_case())
    for row in range(2):
        predict_dock.ensemble._list.item(row).setCheckState(Qt.CheckState.Checked)
    predict(qtbot, predict_dock, fake_prediction)
    assert fake_prediction.runs[0] == runs[1]
    assert set(fake_prediction.runs[1:]) == {runs[0], runs[2]}
    # Saved, it is not taken for the chosen model's own.
    assert source_of(predict_dock.viewer.layers["prediction two + 2"].metadata).run == "two+one+three"


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


def test_the_ensemble_of_a_study_is_one_model_of_the_list(
    qtbot, predict_dock, make_case, ensemble, fake_prediction
):
    table = ensemble.parents[3] / "cohort.csv"
    predict_dock.workspace.set_cohort(Cohort(cases=()), table)
    open_case(predict_dock, make_case())
    assert predict_dock.model.combo.currentText() == "study-1: 2d-T2 (2 models)"
    assert predict_dock._about.said == "Ensemble of 2 models of a study, whose mean counts: 2D, T2"
    with qtbot.waitSignal(predict_dock.runner.finished):
        predict_dock.start()
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


def test_an_ensemble_that_comes_meanwhile_is_listed_and_not_chosen(predict_dock, tmp_path, ensemble):
    (ensemble / "ensemble.json").rename(ensemble / "away")
    predict_dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    predict_dock.workspace.set_run(tmp_path / "models" / "mine")
    assert predict_dock.model.others() == []
    (ensemble / "away").rename(ensemble / "ensemble.json")
    predict_dock.workspace.models_changed.emit()
    assert predict_dock.model.others() == [ensemble]
    assert predict_dock.model.combo.currentText() == "mine"


def test_looking_again_leaves_the_ticked_models_ticked(qtbot, predict_dock, tmp_path, ensemble):
    """One model is chosen, another ticked; the end of a study or a Check lists them all anew."""
    for number, name in enumerate(("old", "new")):
        make_run(tmp_path / "models" / name, {})
        os.utime(tmp_path / "models" / name / "weights.safetensors", (number, number))
    predict_dock.workspace.set_cohort(Cohort(cases=()), tmp_path / "cohort.csv")
    predict_dock.model.choose(tmp_path / "models" / "old")
    ticks = predict_dock.ensemble._list
    ticks.item(0).setCheckState(Qt.CheckState.Checked)
    assert predict_dock.ensemble.ticked() == [tmp_path / "models" / "new"]
    with (
        qtbot.waitSignals([predict_dock.model.chosen]),
        qtbot.assertNotEmitted(predict_dock.model.combo.currentIndexChanged),
    ):
        predict_dock.workspace.models_changed.emit()
    assert predict_dock.model.run() == tmp_path / "models" / "old"
    assert predict_dock.ensemble.ticked() == [tmp_path / "models" / "new"]
    # A model that is gone leaves the first in its place.
    (tmp_path / "models" / "old" / "weights.safetensors").unlink()
    predict_dock.workspace.models_changed.emit()
    assert predict_dock.model.run() == tmp_path / "models" / "new"


def test_layers_that_come_and_go_read_no_file(predict_dock, make_case, ensemble, monkeypatch):
    read = []
    for function in ("read_ensemble", "read_run_record"):
        real = getattr(models_module, function)
        monkeypatch.setattr(
            models_module, function, lambda run, name=function, real=real: read.append(name) or real(run)
        )
    predict_dock.workspace.set_cohort(Cohort(cases=()), ensemble.parents[3] / "cohort.csv")
    # It was listed with its size, chosen and described: it was read once.
    assert read.count("read_ensemble") == 1
    said = read.copy()
    open_case(predict_dock, make_case())
    assert predict_dock._about.said == "Ensemble of 2 models of a study, whose mean counts: 2D, T2"
    predict_dock.viewer.layers.clear()
    assert read == said
    predict_dock.workspace.models_changed.emit()
    assert read.count("read_ensemble") == 1


def test_a_model_that_is_removed_while_models_are_listed_is_no_mistake(tmp_path, monkeypatch):
    make_run(tmp_path / "models" / "one", {})
    monkeypatch.setattr(
        Path, "glob", lambda *_, **__: iter([tmp_path / "models" / "gone" / "weights.safetensors"])
    )
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
