"""``necroseg augment`` and ``necroseg train --augment``: samples on disk, and mistakes in one line."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_necroseg.cli import main
from napari_necroseg.cli._command import make_parser
from napari_necroseg.cli.train import read_config
from napari_necroseg.core.augment.draw import Sampling, draw_sample, generator_of
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.cohort.find import find_case
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import AugmentConfig, TrainConfig, train_preset
from napari_necroseg.core.events import Progress
from napari_necroseg.core.plan import Plan, patch_shape_of
from napari_necroseg.core.project.augmentation_file import write_augment
from napari_necroseg.core.training.mini_batches import mini_batch
from napari_necroseg.core.training.samples import write_samples
from napari_necroseg.core.training.sources import training_source


@pytest.fixture
def case(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    return write_case(tmp_path / "anna-smith")


def augment(case: Path, out: Path, *more: str) -> int:
    return main(["augment", str(case), "--out", str(out), *more])


def test_what_is_written_is_what_a_training_draws(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    assert augment(case, out, "--n", "2", "--seed", "3") == 0
    source = training_source(load_case(find_case(case)), TrainConfig(), n_slices=64)
    sampling = Sampling(patch_shape=(64, 128, 128), is_2d=False, augment=AugmentConfig())
    document = json.loads((out / "draws.json").read_text())
    for number in (0, 1):
        drawn = draw_sample(source, sampling, generator=generator_of(3, number))
        made = make_sample(source, drawn, patch_shape=sampling.patch_shape)
        written = {
            name: nibabel.load(out / f"sample-{number:02d}_{name}.nii.gz")
            for name in ("ceT1", "T2", "target")
        }
        np.testing.assert_array_equal(written["ceT1"].get_fdata(), made.images[0])
        np.testing.assert_array_equal(written["T2"].get_fdata(), made.images[1])
        np.testing.assert_array_equal(written["target"].get_fdata(), made.target)
        assert nibabel.aff2axcodes(written["T2"].affine) == ("L", "I", "P")
        np.testing.assert_allclose(written["T2"].header.get_zooms(), source.spacing_mm, rtol=1e-6)
        record = document["draws"][number]
        # A training of the paper varies neither.
        varied = {"contrast": [1.0, 1.0], "brightness": [0.0, 0.0]}
        assert record | json.loads(json.dumps(asdict(drawn))) | varied == record
        assert record["target_ml"] == pytest.approx(
            made.target.sum().item() * np.prod(source.spacing_mm) / 1000
        )
    assert document["augment"] == json.loads(AugmentConfig().model_dump_json())


def test_slices_and_a_picture_of_them(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    assert augment(case, out, "--n", "5", "--dimension", "2d", "--sequences", "T2") == 0
    assert nibabel.load(out / "sample-04_T2.nii.gz").shape == (1, 128, 128)
    assert not list(out.glob("*ceT1*"))
    sheet = np.asarray(Image.open(out / "contact_sheet.png"))
    # Five tiles stand in two rows of three; the outline is in colour.
    assert sheet.shape[1] > 3 * 256 > 2 * 256 < sheet.shape[0]
    assert (sheet == (213, 94, 0)).all(axis=-1).any()


def test_as_many_slices_as_a_training_makes(case: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    assert augment(case, out, "--n", "1", "--slices", "32") == 0
    assert nibabel.load(out / "sample-00_T2.nii.gz").shape == (32, 128, 128)


@pytest.mark.parametrize("dimension", ["2d", "3d"])
def test_the_samples_of_a_preset_are_those_that_it_trains_on(
    case: Path, tmp_path: Path, dimension: str
) -> None:
    out = tmp_path / "samples"
    assert augment(case, out, "--n", "3", "--seed", "2", "--preset", "fast", "--dimension", dimension) == 0
    training = train_preset("fast", dimension).changed(seed=2, batch_size=3)
    shape = patch_shape_of(training)
    source = training_source(load_case(find_case(case)), training, n_slices=shape[0])
    plan = Plan(
        config=training,
        cases=("a",),
        iterations=1,
        seconds=None,
        patch_shape=shape,
    )
    made = mini_batch([source], plan, iteration=0)
    document = json.loads((out / "draws.json").read_text())
    draws = document["draws"]
    assert (document["preset"], document["dimension"], document["whitening"]) == ("fast", dimension, "tissue")
    assert (document["intensity_spread"], document["target_share"]) == (0.2, 0.67)
    for number in range(3):
        for channel, name in enumerate(("ceT1", "T2")):
            written = nibabel.load(out / f"sample-{number:02d}_{name}.nii.gz").get_fdata()
            np.testing.assert_array_equal(written.squeeze(), made.images[number, channel])
        assert len(set(draws[number]["contrast"] + draws[number]["brightness"])) == 4


def test_no_file_is_named_for_the_case(case: Path, tmp_path: Path) -> None:
    assert augment(case, tmp_path / "samples", "--n", "1") == 0
    assert not [path for path in (tmp_path / "samples").iterdir() if "smith" in path.name]


def test_a_case_without_reference_is_drawn_from_its_middle(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (case / "necrosis.nii.gz").unlink()
    assert augment(case, tmp_path / "samples", "--n", "1") == 0
    assert "drawn from its middle" in capsys.readouterr().err


def test_a_cohort_needs_the_name_of_a_case(
    tmp_path: Path, write_case: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_case(tmp_path / "study" / name)
    assert main(["prepare", str(tmp_path / "study")]) == 0
    assert augment(tmp_path / "study", tmp_path / "out") == 2
    assert "Say which of the 2 cases with --case NAME" in capsys.readouterr().err
    assert augment(tmp_path / "study", tmp_path / "out", "--case", "b", "--n", "1") == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--n", "0"], "--n wants a number of samples from 1"),
        (["--n", "many"], "--n wants a number of samples from 1"),
        (["--dimension", "4d"], "dimension: Input should be '2d' or '3d'"),
        (["--augment", "absent.json"], "absent.json could not be read"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert augment(case, tmp_path / "samples", *more) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert not (tmp_path / "samples").exists()


def test_a_folder_that_is_not_empty_is_left_alone(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "mine.txt").write_text("mine")
    assert augment(case, tmp_path / "samples") == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["mine.txt"]


def test_a_job_that_is_closed_leaves_nothing(case: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    job = write_samples(find_case(case), TrainConfig(dimension="3d"), out=tmp_path / "samples", n=9)
    assert isinstance(next(event for event in job if isinstance(event, Progress)), Progress)
    assert set(tmp_path.iterdir()) != before
    job.close()
    assert set(tmp_path.iterdir()) == before


def test_a_training_takes_the_augmentation_of_a_file(tmp_path: Path) -> None:
    mine = AugmentConfig(elastic=False, scale_range=(0.9, 1.1))
    write_augment(tmp_path / "mine.json", mine)
    words = ["train", "cohort.csv", "--out", "run"]
    assert read_config(make_parser("train").parse_args(words)).augment == train_preset("fast").augment
    words += ["--augment", str(tmp_path / "mine.json"), "--dimension", "3d"]
    config = read_config(make_parser("train").parse_args(words))
    assert (config.augment, config.dimension) == (mine, "3d")


@pytest.mark.parametrize("spacing", ["4,0.8,0.5", "4 x 0.8 x 0.5", "4x0.8X0.5", "4; 0.8; 0.5"])
def test_stacks_without_a_spacing_are_drawn_with_the_one_that_is_given(tmp_path: Path, spacing: str) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    for seed, name in enumerate(("ceT1", "T2")):
        stack = np.random.default_rng(seed).integers(1, 1000, (6, 40, 40)).astype(np.uint16)
        tifffile.imwrite(folder / f"{name}.tif", stack)
    assert augment(folder, tmp_path / "none", "--n", "1") == 2
    assert augment(folder, tmp_path / "samples", "--n", "1", "--spacing-mm", spacing) == 0
    (sample, *_) = sorted((tmp_path / "samples").glob("*.nii.gz"))
    zooms = nibabel.load(sample).header.get_zooms()
    # How far apart the slices of a sample are is the training's choice.
    np.testing.assert_allclose(sorted(zooms)[1:], (0.5, 0.8), rtol=1e-6)
