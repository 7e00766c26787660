import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main
from napari_necroseg.cli._command import make_parser
from napari_necroseg.cli._options import preset_defaults, read_cases
from napari_necroseg.cli.train import FIELDS, choose_cases, read_config
from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import CohortError, SettingsError


@pytest.fixture
def study(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    for number in (1, 2, 3):
        write_case(tmp_path / "study" / f"case-{number}", seed=number)
    assert main(["prepare", str(tmp_path / "study")]) == 0
    return tmp_path / "study"


def test_the_whole_way_from_a_folder_to_scores(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, run, out = study / "cohort.csv", study / "models" / "a", study / "predictions"
    train = [
        "train",
        str(table),
        "--out",
        str(run),
        "--exclude",
        "case-3",
        "--steps",
        "1",
        "--batch-size",
        "2",
    ]
    assert main([*train, "--threads", "1", "--json"]) == 0
    finished = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert finished["event"] == "finished"
    assert (finished["cases"], finished["iterations"]) == (2, 1)
    assert {path.name for path in run.iterdir()} == {"weights.safetensors", "history.csv", "run.json"}
    assert json.loads((run / "run.json").read_text())["cases"] == ["case-1", "case-2"]

    predict = ["predict", str(run), str(table), "--out", str(out), "--probability", "--threads", "1"]
    assert main([*predict, "--smallest-share", "0"]) == 0
    source = nibabel.load(study / "case-3" / "ceT1.nii.gz")
    mask, probability = (nibabel.load(out / f"case-3{end}.nii.gz") for end in ("", "_probability"))
    assert mask.get_data_dtype() == np.uint8
    assert probability.get_data_dtype() == np.float32
    for written in (mask, probability):
        assert written.shape == source.shape
        assert np.array_equal(written.affine, source.affine)
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(probability.dataobj) >= 0.5)
    assert "threshold" in json.loads((out / "case-3.json").read_text())

    capsys.readouterr()
    assert main(["score", str(table), str(out), "--csv", str(out / "scores.csv"), "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["case"] for record in records if record["event"] == "case"] == [
        "case-1",
        "case-2",
        "case-3",
    ]
    assert (out / "scores.csv").read_text().startswith("case,dice,sensitivity,specificity,")


def test_a_case_folder_and_single_files_can_be_predicted(study: Path) -> None:
    run = study / "models" / "a"
    train = [
        "train",
        str(study),
        "--out",
        str(run),
        "--steps",
        "1",
        "--batch-size",
        "1",
        "--sequences",
        "ceT1",
    ]
    assert main([*train, "--threads", "1"]) == 0
    assert main(["predict", str(run), str(study / "case-2"), "--out", str(study / "p")]) == 0
    assert (study / "p" / "case-2.nii.gz").exists()
    one = study / "case-1" / "ceT1.nii.gz"
    assert main(["predict", str(run), "--ceT1", str(one), "--out", str(study / "p")]) == 0
    assert (study / "p" / "ceT1.nii.gz").exists()


def test_a_model_is_applied_as_its_preset_wants_unless_told_otherwise(study: Path) -> None:
    train = ["train", str(study), "--steps", "1", "--batch-size", "1", "--threads", "1"]
    recipe = ("tta", "smallest_share", "slice_smoothing_mm")

    def how(preset: str, *wishes: str) -> list[object]:
        out = study / "p" / "-".join([preset, *wishes])
        run = study / "models" / preset
        assert main(["predict", str(run), str(study / "case-1"), "--out", str(out), *wishes]) == 0
        record = json.loads((out / "case-1.json").read_text())
        return [record[name] for name in recipe]

    for preset in ("fast", "paper"):
        assert main([*train, "--preset", preset, "--out", str(study / "models" / preset)]) == 0
    assert how("fast") == [True, 0.1, 2.5]
    assert how("fast", "--no-tta", "--smallest-share", "0.5") == [False, 0.5, 2.5]
    assert how("paper") == [False, 0, 0]
    assert how("paper", "--tta") == [True, 0, 0]


def test_several_models_parts_and_sizes_can_be_asked_for(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--steps", "1", "--batch-size", "1", "--threads", "1"]
    runs = [study / "models" / name for name in ("a", "b")]
    for seed, run in enumerate(runs):
        assert main(["train", str(study), "--out", str(run), "--seed", str(seed), *few]) == 0
    shutil.copytree(runs[0], study / "models" / "copy")
    twice = [runs[0], runs[0], study / "models" / "copy"]
    capsys.readouterr()
    assert main(["predict", *map(str, twice), str(study / "case-2"), "--out", str(study / "twice")]) == 0
    assert "used once: the model a (3 times)" in capsys.readouterr().err
    record = json.loads((study / "twice" / "case-2.json").read_text())
    assert ([model["model"] for model in record["models"]], record["members"]) == (["a"], 4)
    source = nibabel.load(study / "case-2" / "ceT1.nii.gz")
    point = nibabel.affines.apply_affine(source.affine, np.array(source.shape) // 2)
    out = study / "p"
    predict = ["predict", *map(str, runs), str(study / "case-2"), "--out", str(out), "--threads", "1"]
    wishes = [
        "--uncertainty",
        "--probability",
        "--tta",
        "--largest",
        "--fill-holes",
        "--min-volume-ml",
        "0.001",
    ]
    assert main([*predict, *wishes, "--around", ",".join(f"{x:g}" for x in point), "--json"]) == 0
    uncertainty = nibabel.load(out / "case-2_uncertainty.nii.gz")
    assert (uncertainty.shape, uncertainty.get_data_dtype()) == (source.shape, np.float32)
    assert np.array_equal(uncertainty.affine, source.affine)
    assert np.asarray(uncertainty.dataobj).max() > 0
    record = json.loads((out / "case-2.json").read_text())
    assert (record["members"], len(record["models"]), record["largest"], record["tta"]) == (8, 2, True, True)
    assert set(record["size"]) == {"volume_ml", "longest_diameter_mm", "components"}
    capsys.readouterr()
    assert main([*predict, "--around", "-1000,0,0"]) == 2
    assert "lies outside of the image" in capsys.readouterr().err
    assert main(["predict", str(runs[0]), "--out", str(out)]) == 2
    assert "Name the INPUT" in capsys.readouterr().err


def test_a_case_that_fails_is_told_by_the_exit_code(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = study / "models" / "a"
    train = ["train", str(study), "--out", str(run), "--steps", "1", "--batch-size", "1"]
    assert main([*train, "--threads", "1"]) == 0
    (study / "case-1" / "T2.nii.gz").write_bytes(b"damaged")
    assert main(["predict", str(run), str(study), "--out", str(study / "p")]) == 2
    assert "case-1: not done." in capsys.readouterr().err
    assert sorted(path.name for path in (study / "p").glob("*.nii.gz")) == ["case-2.nii.gz", "case-3.nii.gz"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "paper", "--minutes", "3"], "fixed length"),
        (["--dimension", "4d"], "dimension"),
        (["--sequences", "ceT1,FLAIR"], "sequences"),
        (["--cases", "case-9"], "There is no case 'case-9'"),
        (["--fold", "1/6"], "needs a fold for every case"),
        (["--target", "tumour"], "has no tumour mask"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_a_wrong_choice_is_refused_before_any_work(
    study: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["train", str(study), "--out", str(study / "run"), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (study / "run").exists()


def options_of(*arguments: str) -> object:
    return make_parser("train").parse_args(["train", "cohort.csv", "--out", "run", *arguments])


def test_the_fast_preset_is_the_default_and_steps_replace_its_minutes() -> None:
    assert read_config(options_of()).preset == "fast"
    assert read_config(options_of()).minutes == 10
    config = read_config(options_of("--steps", "5", "--dimension", "3d", "--sequences", "T2,ceT1"))
    assert (config.steps, config.minutes, config.batch_size) == (5, None, 2)
    assert config.sequences == (Sequence.CET1, Sequence.T2)


@pytest.mark.parametrize("command", ["train", "plan"])
def test_the_help_names_what_each_preset_chooses(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "fast 10",
        "fast 64 (3d: 32), paper 64",
        "fast 64, paper 128",
        "fast 16 (3d: 2), paper 32 (3d: 2)",
        "fast auto, paper fp32",
    ):
        assert f"(default: {words})" in said
    # What is the same for all has one default.
    assert "(default: ceT1,T2)" in said
    assert preset_defaults(FIELDS)["learning_rate"] == "fast 0.002, paper 0.001"


def test_the_paper_preset_is_the_papers() -> None:
    config = read_config(options_of("--preset", "paper"))
    assert (config.alpha, config.beta, config.learning_rate) == (0.3, 0.7, 0.001)
    assert (config.cross_entropy, config.learning_rate_decay, config.precision) == (0, False, "fp32")
    assert config.target_share == 1


def cohort_with_folds(*folds: int | None) -> Cohort:
    return Cohort(
        cases=tuple(
            CaseFiles(name=f"c{number}", sequences={Sequence.CET1: Path("x")}, fold=fold)
            for number, fold in enumerate(folds)
        )
    )


def test_a_fold_is_left_out() -> None:
    chosen = choose_cases(cohort_with_folds(1, 2, 1, 3), options_of("--fold", "1/3"))
    assert chosen.names == ("c1", "c3")


def test_the_folds_of_the_cohort_rule() -> None:
    with pytest.raises(CohortError, match="the highest is 3"):
        choose_cases(cohort_with_folds(1, 2, 3), options_of("--fold", "1/6"))
    with pytest.raises(CohortError, match="needs a fold for every case"):
        choose_cases(cohort_with_folds(1, None), options_of("--fold", "1/2"))
    with pytest.raises(CohortError, match="no case is in fold 3"):
        choose_cases(cohort_with_folds(1, 2, 4), options_of("--fold", "3/4"))
    for wrong in ("0/3", "4/3", "one", "1"):
        with pytest.raises(SettingsError, match="K/N"):
            choose_cases(cohort_with_folds(1, 2, 3), options_of("--fold", wrong))


@pytest.fixture
def labels(study: Path, sign_off: Callable[..., None]) -> Path:
    """Masks of case-1 and case-2 that were drawn; case-1 is signed off."""
    labels = study / "labels"
    labels.mkdir()
    for name in ("case-1", "case-2"):
        shutil.copy(study / "case-3" / "necrosis.nii.gz", labels / f"{name}.nii.gz")
    sign_off(labels, "case-1")
    return labels


@pytest.mark.parametrize("command", ["train", "plan", "study"])
def test_signed_masks_are_learned_in_place_of_the_cohorts(study: Path, labels: Path, command: str) -> None:
    words = [command, str(study), *([] if command == "plan" else ["--out", "run"])]
    given: dict[str, list[str]] = {
        "none": words,
        "signed": [*words, "--labels", str(labels)],
        "all": [*words, "--labels", str(labels), "--unsigned"],
    }
    read = {name: read_cases(make_parser(command).parse_args(line)) for name, line in given.items()}
    drawn = {
        name: [files.name for files in cohort if files.reference == labels / f"{files.name}.nii.gz"]
        for name, cohort in read.items()
    }
    assert drawn == {"none": [], "signed": ["case-1"], "all": ["case-1", "case-2"]}
    with pytest.raises(SettingsError, match="--unsigned is about the masks of --labels"):
        read_cases(make_parser(command).parse_args([*words, "--unsigned"]))


def test_a_training_says_whose_masks_it_learned_from(
    study: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--steps", "1", "--batch-size", "1", "--threads", "1"]
    train = ["train", str(study), "--validate", "case-1", "--labels", str(labels), *few]
    assert main([*train, "--out", str(study / "signed")]) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert "against signed-off masks of the labels, not the cohort's masks: case-1 (AB)." in text
    assert "The masks in labels of case-2 are not used: nobody has signed them off" in text
    assert main([*train, "--out", str(study / "all"), "--unsigned"]) == 0
    assert "masks of the labels that nobody has signed off, not the cohort's masks: case-2." in " ".join(
        capsys.readouterr().err.split()
    )
    masks = {run: json.loads((study / run / "run.json").read_text())["masks"] for run in ("signed", "all")}
    assert masks["signed"] == {"case-1": "signed", "case-2": "cohort", "case-3": "cohort"}
    assert masks["all"] == {"case-1": "signed", "case-2": "unsigned", "case-3": "cohort"}


def test_a_case_whose_only_mask_is_in_work_is_not_trained_on(
    study: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = study / "cohort.csv"
    table.write_text(table.read_text().replace("case-2/necrosis.nii.gz", ""))
    assert main(["train", str(study), "--out", str(study / "a"), "--labels", str(labels)]) == 2
    assert "a mask of it that nobody has signed off: sign it off, or take it" in capsys.readouterr().err
    (labels / "case-1.review.json").unlink()
    for command in (["train", "--out", str(study / "a")], ["study", "--out", str(study / "b")], ["plan"]):
        assert main([command[0], str(study), *command[1:], "--labels", str(labels)]) == 2
        assert "Sign them off in the dock Correct, or use them as they are with --unsigned" in (
            capsys.readouterr().err
        )


def test_a_fine_tuning_takes_the_models_whitening_and_watches_its_cases(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--steps", "1", "--batch-size", "1", "--threads", "1", "--json"]
    first, second = study / "first", study / "second"
    assert (
        main(["train", str(study), "--out", str(first), "--exclude", "case-3", "--preset", "paper", *few])
        == 0
    )
    capsys.readouterr()
    tuning = ["train", str(study), "--out", str(second), "--cases", "case-3", "--from", str(first)]
    assert main([*tuning, *few]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    watched = [event for event in events if event["event"] == "validated"]
    assert [event["iteration"] for event in watched] == [0, 1]
    assert set(watched[0]["dice"]) == {"case-1", "case-2"}
    config = json.loads((second / "run.json").read_text())["config"]
    assert (config["preset"], config["whitening"], config["intensity_spread"]) == ("fast", "patch", 0)
    # A smaller patch that is whitened by itself would be another image to the network.
    assert config["patch_side"] == 128
    other = [
        "train",
        str(study),
        "--out",
        str(study / "third"),
        "--from",
        str(first),
        *few,
        "--patch-side",
        "64",
    ]
    assert main(other) == 2
    assert "was trained with --patch-side 128, so --patch-side 64 contradicts" in capsys.readouterr().err


def test_a_fine_tuning_is_gentle_unless_told_otherwise() -> None:
    learned = read_config(options_of())
    assert learned.learning_rate == 2e-3
    assert read_config(options_of(), learned).learning_rate == pytest.approx(2e-4)
    assert read_config(options_of("--learning-rate", "1e-3"), learned).learning_rate == 1e-3
    assert read_config(options_of("--preset", "paper"), learned).learning_rate == 1e-3


def test_a_fine_tuning_takes_the_models_slices(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--dimension", "3d", "--steps", "1", "--batch-size", "1", "--threads", "1"]
    first, second = study / "first", study / "second"
    train = ["train", str(study), "--cases", "case-1", *few]
    assert main([*train, "--out", str(first), "--slices", "48"]) == 0
    # The network is the model's, too.
    tuning = ["train", str(study), "--cases", "case-1", *few[2:], "--out", str(second), "--from", str(first)]
    assert main(tuning) == 0
    assert main(["plan", str(study), "--cases", "case-1", *few[2:], "--from", str(first)]) == 0
    assert "48 x 64 x 64" in capsys.readouterr().err
    record = json.loads((second / "run.json").read_text())
    assert (record["config"]["slices"], record["patch_shape"]) == (48, [48, 64, 64])
    capsys.readouterr()
    assert main([*train, "--out", str(study / "third"), "--from", str(first), "--slices", "32"]) == 2
    message = "was trained with --slices 48, so --slices 32 contradicts it; leave --slices out"
    assert message in capsys.readouterr().err
    assert main(["plan", str(study), "--cases", "case-1", "--from", str(first), "--dimension", "2d"]) == 2
    assert "was trained with --dimension 3d, so --dimension 2d contradicts it" in capsys.readouterr().err
    assert main(["plan", str(study), "--cases", "case-1", "--from", str(first), "--sequences", "T2"]) == 2
    assert "was trained with --sequences ceT1,T2, so --sequences T2 contra" in capsys.readouterr().err
