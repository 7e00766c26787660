"""The report of an experiment: complete, honest about what is missing, and safe to open."""

import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.config import PredictConfig, train_preset, usual_prediction
from napari_necroseg.core.errors import FileError, ResourceError
from napari_necroseg.core.events import Finished, Started, Warned, to_record
from napari_necroseg.core.study.folds import draw_folds
from napari_necroseg.core.study.report import report as report_module
from napari_necroseg.core.study.report.report import StudyReport, write_report
from written_studies import (
    make_record,
    make_scores,
    nothing,
    result,
    write_dice,
    write_examples,
    write_study,
)

ONE, T2, BOTH, THREE = "2d:ceT1", "2d:T2", "2d:ceT1+T2", "3d:ceT1"
TEXTS = {"table1.md", "table1.csv", "table1.tex", "statistics.csv", "seeds.csv", "report.html"}


class Reader(HTMLParser):
    """What a page consists of: its tags, what they load, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.words += data


def warnings_of(events) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def read(folder) -> Reader:
    return Reader((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def study(tmp_path, write_case):
    """Three cases with their images, in 2D and 3D."""
    names = ("a", "b", "c")
    dice = dict(zip(names, (0.9, 0.8, 0.7), strict=True))
    folder = write_dice(tmp_path / "cohort of three", {ONE: {0: dice}, THREE: {0: dice}})
    write_examples(folder, write_case, names, ("2d-ceT1_seed-0", "3d-ceT1_seed-0"))
    return folder


def test_everything_is_written_and_the_last_event_has_the_numbers(study) -> None:
    events = list(write_report(study))
    assert isinstance(events[0], Started)
    assert warnings_of(events) == []
    assert {path.name for path in study.iterdir()} >= TEXTS
    names = ("figure3", "figure4", "figure4_2d")
    assert {path.name for path in (study / "figures").iterdir()} == {
        f"{name}.{suffix}" for name in names for suffix in ("png", "svg", "pdf")
    }
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.result == StudyReport(
        folder=study,
        report=study / "report.html",
        done=4,
        total=4,
        failed=0,
        mean_dice=pytest.approx({ONE: 0.8, THREE: 0.8}),
        cases={ONE: 3, THREE: 3},
        all_cases=3,
    )
    assert "2D ceT1         80.0 %" in str(finished.result)
    assert json.dumps(to_record(finished))


def test_the_page_stands_alone(study) -> None:
    list(write_report(study))
    page = read(study)
    assert page.tags.count("img") == 3
    assert all(load.startswith("data:image/png;base64,") for load in page.loads)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    text = (study / "report.html").read_text(encoding="utf-8")
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert str(study.parent) not in text
    assert "@import" not in text
    for sentence in (
        "Research software, not a medical device.",
        "3 cases of cohort of three. 4 of 4 runs are done.",
        "Paper: 26 spine patients; ours: 3 cases of cohort of three.",
        "Wilcoxon's signed-rank test",
        "With 3 patients no difference could have been shown, however large.",
        "one seed: not known",
        "Of 3 cases that all of these configurations have predicted",
    ):
        assert sentence in page.words


def test_the_same_study_gives_the_same_page(study) -> None:
    list(write_report(study))
    before = (study / "report.html").read_bytes()
    list(write_report(study))
    assert (study / "report.html").read_bytes() == before


def test_methods_come_from_the_records(study) -> None:
    list(write_report(study))
    words = read(study).words
    for part in (
        "interpolated to 64 (2D) and 32 (3D) sagittal slices",
        "2 volumes of 32 x 64 x 64 voxels",
        "1,401,569 for ceT1",
        "4,143,617 for ceT1",
        "110 to 120 in 2 runs",
        "2 folds (2, 1 cases; stratified by the volume of the target, drawn with seed 0)",
        "falling to 0 along a half cosine",
        "67 % of the patches show the target",
        "probability of at least 0.5",
        "napari-necroseg 0.1, torch 2.6",
        "cpu, 2 threads",
        "ab" * 32,
    ):
        assert part in words


def test_folds_are_called_stratified_only_if_they_were_drawn_so(tmp_path) -> None:
    names = [f"case-{n}" for n in range(5)]
    drawn = draw_folds(dict.fromkeys(names, 2.0), {name: name for name in names}, folds=2, seed=3)
    record = make_record({name: (name, drawn[name]) for name in names}, folds=2, fold_seed=3)
    list(write_report(write_study(tmp_path / "a", record, [])))
    assert (
        "3, 2 cases; stratified by the volume of the target, drawn with seed 3" in read(tmp_path / "a").words
    )
    swapped = {name: (name, 3 - drawn[name]) for name in names}
    list(write_report(write_study(tmp_path / "b", make_record(swapped, folds=2, fold_seed=3), [])))
    assert "2, 3 cases; as given in a table" in read(tmp_path / "b").words


def test_methods_of_a_model_that_was_gone_on_from_are_those_of_its_runs(tmp_path) -> None:
    record = make_record(
        {"a": ("a", 1), "b": ("b", 2)},
        configurations=(ONE,),
        folds=2,
        seeds=2,
        start_from="/elsewhere/model",
    ).model_copy(update={"start_from_sha256": "cd" * 32})
    results = [result(ONE, "a", make_scores(0.5))]
    folder = write_study(tmp_path / "s", record, results)
    run = folder / "models" / "2d-ceT1_fold-1_seed-0" / "run.json"
    run.parent.mkdir(parents=True)
    as_tuned = train_preset("fast").changed(whitening="patch", intensity_spread=0.0, sequences=("ceT1",))
    run.write_text(json.dumps({"config": as_tuned.model_dump(mode="json")}))
    list(write_report(folder))
    words = read(folder).words
    assert "2 times, with different random draws," in words
    assert "each patch and sequence by its own mean" in words
    assert f"went on from the weights of one trained model (SHA-256 {'cd' * 32})" in words
    assert "elsewhere" not in words
    assert "limited to 10 min a run" in words


def test_methods_say_how_the_networks_were_applied(tmp_path) -> None:
    record = make_record({"a": ("a", 1), "b": ("b", 2)}, configurations=(ONE,), folds=2)
    results = [result(ONE, "a", make_scores(0.5))]

    def words(name: str, prediction: PredictConfig) -> str:
        folder = write_study(tmp_path / name, record.model_copy(update={"prediction": prediction}), results)
        list(write_report(folder))
        return read(folder).words

    plain = words("paper", PredictConfig())
    assert (
        "Prediction. Voxels with a probability of at least 0.5 count as inside; nothing was filled" in plain
    )
    fast = words("fast", usual_prediction(train_preset("fast")))
    assert "means over the image and its mirror images in plane. Those of 2D networks were blurred" in fast
    assert "(Gaussian, 2.5 mm)" in fast
    assert "components smaller than 10 % of the largest were removed" in fast
    record = record.model_copy(update={"config": record.config.changed(configurations=("3d:ceT1",))})
    assert "were blurred" not in words("fast-3d", usual_prediction(train_preset("fast")))


def test_an_image_that_was_changed_is_not_shown_with_old_scores(study) -> None:
    path = next((study / "images").glob("*/ceT1.nii.gz"))
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) + 1, image.affine), path)
    warned = warnings_of(list(write_report(study)))
    assert any("are not those of the study" in message for message in warned)
    assert not (study / "figures" / "figure4.png").exists()


def test_an_incomplete_study_says_so(tmp_path) -> None:
    record = make_record({"a": ("a", 1), "b": ("b", 2)}, configurations=(ONE, T2), folds=2)
    results = [result(ONE, "a", make_scores(0.5))]
    failed = {"2d-ceT1_fold-2_seed-0": "/home/jo/secret/ceT1.nii.gz is damaged; ask tcp://host:8786."}
    events = list(write_report(write_study(tmp_path / "s", record, results, **failed)))
    assert (events[-1].result.done, events[-1].result.total, events[-1].result.failed) == (1, 4, 1)
    words = read(tmp_path / "s").words
    assert "1 of 4 runs are done; 1 failed, 2 not done yet." in words
    assert "2d:ceT1 fold 2: ceT1.nii.gz is damaged; ask (address)" in words
    assert "Not done yet: 2d:T2 fold 1, 2d:T2 fold 2." in words
    assert "1 of 4 runs are done" in (tmp_path / "s" / "table1.md").read_text(encoding="utf-8")
    assert "jo" not in words.replace("join", "")


def test_a_study_without_a_single_run_is_written_up_too(tmp_path) -> None:
    folder = write_study(tmp_path / "s", make_record({"a": ("a", 1)}, folds=2), [])
    (folder / "scores.csv").unlink()
    events = list(write_report(folder))
    assert events[-1].result.mean_dice == {}
    assert "No run is complete yet" in read(folder).words


def test_scores_and_records_that_contradict_each_other_are_told(tmp_path) -> None:
    folder = write_dice(tmp_path / "s", {ONE: {0: {"a": 0.5, "b": 0.6}}})
    (folder / "runs" / "2d-ceT1_fold-1_seed-0.json").unlink()
    messages = warnings_of(write_report(folder))
    assert "2d:ceT1 fold 1 has scores and is not recorded as done." in messages
    assert messages[0] in read(folder).words


def test_without_the_images_figure_4_is_left_out_and_an_old_one_does_not_stay(study) -> None:
    list(write_report(study))
    (study / "images" / "number-0" / "T2.nii.gz").unlink()
    messages = warnings_of(write_report(study))
    assert len(messages) == 2
    assert all(message.startswith("Figure 4 is left out: ") for message in messages)
    assert {path.stem for path in (study / "figures").iterdir()} == {"figure3"}
    page = read(study)
    assert page.tags.count("img") == 1
    assert "Figure 4 is left out: " in page.words
    assert str(study) not in page.words


def test_without_matplotlib_there_are_tables(study, monkeypatch) -> None:
    def missing() -> None:
        raise ResourceError("Figures need matplotlib.")

    monkeypatch.setattr(report_module, "check_figures", missing)
    assert warnings_of(write_report(study)) == ["Figures are left out. Figures need matplotlib."]
    assert {path.name for path in study.iterdir()} >= TEXTS
    assert "Figures need matplotlib." in read(study).words


def test_names_cannot_break_the_page_or_the_tables(tmp_path) -> None:
    name, folder_name = "<script>alert(1)</script>&\"'", "<img src=x onerror=alert(2)> _50 %_"
    record = make_record({name: (name, 1), "b": ("b", 2)}, configurations=(ONE,), folds=2)
    results = [result(ONE, name, make_scores(0.5)), result(ONE, "b", make_scores(0.6), fold=2)]
    folder = write_study(tmp_path / folder_name, record, results)
    list(write_report(folder))
    page = read(folder)
    assert "script" not in page.tags
    assert page.tags.count("img") == 1
    assert name in page.words
    assert folder_name in page.words
    assert r"\_50 \%\_" in (folder / "table1.tex").read_text(encoding="utf-8")
    assert "<img" not in (folder / "table1.md").read_text(encoding="utf-8").replace(r"\<img", "")


@pytest.mark.parametrize(
    "dice",
    [
        {ONE: {0: {"a": 0.0, "b": 0.0}}, T2: {0: {"a": 0.0, "b": 0.0}}, BOTH: {0: {"a": 0.0, "b": 0.0}}},
        {ONE: {0: {"a": 0.5}}},
        {ONE: {0: {"a": 0.5, "b": 0.6}, 1: {"a": 0.7, "b": 0.4}, 2: {"a": 0.9}}},
        {ONE: {0: {"a": 0.5}}, T2: {0: {"b": 0.5}}},
    ],
    ids=["all missed", "one case", "seeds", "nothing in common"],
)
def test_small_and_odd_studies_are_written_up(dice, tmp_path) -> None:
    seeds = max(len(one) for one in dice.values())
    folder = write_dice(tmp_path / "s", dice, seeds=seeds)
    *_, finished = write_report(folder)
    assert set(finished.result.mean_dice) == set(dice)
    rows = list(csv.DictReader(io.StringIO((folder / "table1.csv").read_text(encoding="utf-8"))))
    assert rows[0]["statistic"] == "mean"
    assert float(rows[0][ONE]) == pytest.approx(100 * finished.result.mean_dice[ONE])


def test_a_study_of_cases_with_nothing_to_find_has_no_mean(tmp_path) -> None:
    record = make_record({"a": ("a", 1), "b": ("b", 2)}, configurations=(ONE,), folds=2)
    results = [result(ONE, "a", nothing()), result(ONE, "b", nothing(found_ml=1.0), fold=2)]
    *_, finished = write_report(write_study(tmp_path / "s", record, results))
    assert to_record(finished)["mean_dice"] == {ONE: None}
    assert "false alarm (1 of 1)" in read(tmp_path / "s").words


def test_closing_it_early_leaves_what_was_there(study) -> None:
    before = {path.name for path in study.iterdir()}
    events = write_report(study)
    next(events)
    events.close()
    assert {path.name for path in study.iterdir()} == before


def test_a_folder_without_a_study_is_refused(tmp_path) -> None:
    with pytest.raises(FileError, match="holds no study"):
        list(write_report(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_phantoms_are_announced_on_top(tmp_path) -> None:
    folder = write_dice(tmp_path / "s", {ONE: {0: {"phantom-01": 0.5, "phantom-02": 0.6}}})
    list(write_report(folder))
    words = read(folder).words
    assert words.index("These are numerical phantoms, not patients.") < words.index("Table 1")


def test_importing_it_loads_neither_torch_nor_matplotlib_nor_jinja() -> None:
    code = (
        "import sys, napari_necroseg.core.study.report.report\n"
        "print([name for name in ('torch', 'matplotlib', 'nibabel', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
