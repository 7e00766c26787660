"""Files that an earlier version wrote still open, and none is taken for damaged."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.labels_folder import draft_path, journal_path
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.project.journal import recover
from napari_necroseg.core.project.labels import with_corrected
from napari_necroseg.core.project.review import Status, statuses
from napari_necroseg.core.training import start

WRITTEN = Path(__file__).parent / "data" / "written_by_0.1.0"
# Words of an alarm that none of these files deserves.
ALARMS = ("damaged", "changed", "checksum", "hash", "sha-256", "not the one", "does not fit", "corrected")
# As `necroseg score` counted them with the version that wrote the predictions.
DICE = {"case-1": 0.8042704626, "case-2": 0.8532423208, "case-3": 0.7956989247, "case-4": 0.8127208481}

Command = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy that the test may write into."""
    return Path(shutil.copytree(WRITTEN, tmp_path / "project"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; its exit code, what it printed as JSON, and as text."""

    def run(*words: object) -> tuple[int, list[dict[str, Any]], str]:
        code = main([*map(str, words), "--json"])
        printed = capsys.readouterr()
        return code, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return run


def alarms(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(word in line.casefold() for word in ALARMS)]


@pytest.mark.parametrize("name", ["fast", "paper", "tuned"])
def test_a_model_opens(name: str) -> None:
    model = load_model(WRITTEN / "models" / name)
    assert model.record.widths == (4, 6, 8)
    assert model.config.whitening == ("patch" if name == "paper" else "volume")


def test_a_model_is_applied_as_it_learned(project: Path, tmp_path: Path, command: Command) -> None:
    table, out = project / "cohort.csv", tmp_path / "again"
    code, events, text = command(
        "predict", project / "models" / "fast", table, "--out", out, "--probability", "--threads", 1
    )
    assert (code, alarms(text), events[-1]["done"]) == (0, [], 4)
    for case in DICE:
        name = f"{case}_probability.nii.gz"
        again, before = (nibabel.load(f / name) for f in (out, WRITTEN / "predictions" / "fast"))
        np.testing.assert_allclose(again.get_fdata(), before.get_fdata(), atol=0.01)
        assert json.loads((out / f"{case}.json").read_text())["trained_on"] == (
            "image" if case in ("case-1", "case-2") else "no"
        )


def test_predictions_are_made_again_without_a_false_alarm_and_no_mask_is_lost(
    project: Path, command: Command
) -> None:
    out = project / "predictions" / "fast"
    code, events, text = command(
        "predict", project / "models" / "fast", project, "--out", out, "--threads", 1
    )
    assert (code, alarms(text), events[-1]["done"]) == (0, [], 4)
    for case in DICE:
        before = read_mask(WRITTEN / "predictions" / "fast" / f"{case}.nii.gz").volume.voxels
        now = [read_mask(path).volume.voxels for path in out.glob(f"{case}*.nii.gz")]
        # The same again, or kept beside it: its record cannot tell whether a person has drawn on it.
        assert any(np.array_equal(before, mask) for mask in now)
        # The new masks have no maps, and none of an earlier one is left beside them.
        assert not (out / f"{case}_probability.nii.gz").exists()


def test_predictions_are_scored_as_before_and_known_cases_named(project: Path, command: Command) -> None:
    code, events, text = command("score", project / "cohort.csv", project / "predictions" / "fast")
    dice = {event["case"]: event["dice"] for event in events if event["event"] == "case"}
    assert (code, alarms(text)) == (0, [])
    assert dice == pytest.approx(DICE, abs=1e-9)
    known = {"case-1": "image", "case-2": "image", "case-3": "no", "case-4": "no"}
    assert events[-1]["trained_on"] == known


def test_an_interrupted_training_goes_on(
    project: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start.make_plan

    def small(*arguments: Any, **choices: Any) -> Plan:
        return replace(whole(*arguments, **choices), widths=(4, 6, 8))

    monkeypatch.setattr(start, "make_plan", small)
    choices = "--cases case-1,case-2 --steps 6 --slices 32 --patch-side 32 --batch-size 4 --threads 1"
    run = project / "models" / "interrupted"
    code, _, text = command(
        *("train", project / "cohort.csv", "--out", run, *choices.split(), "--precision", "fp32", "--resume")
    )
    assert (code, alarms(text)) == (0, [])
    lines = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    assert int(lines[-1].split(",")[0]) == 6
    assert load_model(run).config.whitening == "volume"


def test_strokes_that_were_not_saved_come_back() -> None:
    mask = np.zeros((5, 16, 18), np.uint8)
    recovered = recover(journal_path(WRITTEN / "labels", "case-3"), mask, case="case-3")
    for number in range(3):
        mask[number, 3:9, 4:10] = 1
    np.testing.assert_array_equal(recovered.voxels, mask)
    assert (recovered.edits, recovered.lost_bytes) == (3, 0)
    assert read_mask(draft_path(WRITTEN / "labels", "case-3")).volume.voxels.sum() == mask.sum()


def test_a_sign_off_holds_and_corrected_masks_are_read() -> None:
    cohort = read_cohort(WRITTEN / "cohort.csv")
    assert statuses(cohort, WRITTEN / "labels") == {
        "case-1": Status.REVIEWED,
        "case-2": Status.IN_WORK,
        "case-3": Status.UNTOUCHED,
        "case-4": Status.UNTOUCHED,
    }
    corrected = with_corrected(cohort, WRITTEN / "labels", unsigned=True)
    for case, shift in (("case-1", 2), ("case-2", 1)):
        before, after = (load_case(of[case]).reference for of in (cohort, corrected))
        assert before is not None
        assert after is not None
        np.testing.assert_array_equal(after.voxels > 0, np.roll(before.voxels, shift, axis=2) > 0)


def test_a_finished_study_is_left_alone_and_reported_again(project: Path, command: Command) -> None:
    study = project / "study" / "first"
    scores = (study / "scores.csv").read_bytes()
    weights = {path: path.read_bytes() for path in study.rglob("weights.safetensors")}
    code, _, text = command(
        *("study", project, "--out", study, "--configurations", "2d:ceT1,2d:ceT1+T2"),
        *("--folds", 2, "--steps-per-run", 2, "--workers", 1, "--threads", 1),
    )
    assert (code, alarms(text)) == (0, [])
    assert (study / "scores.csv").read_bytes() == scores
    assert {path: path.read_bytes() for path in weights} == weights
    code, _, text = command("report", study)
    assert (code, alarms(text)) == (0, [])
    assert (study / "scores.csv").read_bytes() == scores


def test_the_models_of_a_study_still_predict_as_one(project: Path, tmp_path: Path, command: Command) -> None:
    ensemble, case = project / "study" / "first" / "ensembles" / "2d-ceT1", project / "case-4"
    code, events, text = command("predict", ensemble, case, "--out", tmp_path / "mean", "--threads", 1)
    assert (code, alarms(text), events[-1]["done"]) == (0, [], 1)
