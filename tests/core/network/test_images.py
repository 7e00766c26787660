"""Voxels that are no signal are told, and a network that whitens by tissue is not led astray by them."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import PredictConfig, TrainConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import CaseDone, CaseFailed, Finished, Warned
from napari_necroseg.core.network.images import network_images
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.prediction.predict_cohort import predict_cohort
from napari_necroseg.core.training.cost import plan_training
from napari_necroseg.core.training.samples import write_samples
from napari_necroseg.core.training.train import train_planned
from napari_necroseg.core.volume import Volume

CONFIG = PredictConfig(threads=1, precision="fp32")


@pytest.fixture
def model(trained_run) -> Model:
    return load_model(trained_run("2d", "tissue"))


@pytest.fixture
def case(cohort) -> Case:
    """A case whose tissue is cut out of a background of 0."""
    whole = load_case(cohort.cases[0])
    return replace(whole, sequences={name: cut_out(image, 0) for name, image in whole.sequences.items()})


def cut_out(image: Volume, background: float) -> Volume:
    voxels = np.full_like(image.voxels, background)
    voxels[:, 1:-1, 1:-1] = image.voxels[:, 1:-1, 1:-1]
    return Volume(voxels, image.grid)


def with_voxel(image: Volume, value: float) -> Volume:
    voxels = image.voxels.copy()
    voxels[3, 20, 20] = value
    return Volume(voxels, image.grid)


def changed(case: Case, *, background: float | None = None, voxel: float | None = None) -> Case:
    sequences = dict(case.sequences)
    for name, image in sequences.items():
        surrounded = image if background is None else cut_out(image, background)
        sequences[name] = surrounded if voxel is None else with_voxel(surrounded, voxel)
    return replace(case, sequences=sequences)


def predicted(model: Model, case: Case) -> tuple[np.ndarray, list[str]]:
    *events, last = predict(model, case, CONFIG)
    assert isinstance(last, Finished)
    said = [event.message for event in events if isinstance(event, Warned)]
    return last.result.labels.voxels > 0, said


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("outlier", [{"voxel": 32767}, {"voxel": -32768}, {"background": -1000}])
def test_outliers_leave_the_prediction_as_it_is(model, case, outlier) -> None:
    found, said = predicted(model, case)
    assert not said
    assert dice(found, case.reference.voxels > 0) > 0.8
    again, said = predicted(model, changed(case, **outlier))
    assert dice(found, again) > 0.98
    assert len(said) == 2


def test_a_model_of_whole_images_by_plain_statistics_sees_what_it_saw(case) -> None:
    config = TrainConfig.checked(whitening="volume")
    images = network_images(case, config, n_slices=5)
    for name, white in zip(config.sequences, images, strict=True):
        image = case.sequences[name].voxels
        tissue = image[image > image.mean(dtype=np.float64)].astype(np.float64)
        np.testing.assert_array_equal(white, ((image - tissue.mean()) / tissue.std()).astype(np.float32))


@pytest.mark.parametrize(
    ("whitening", "end"), [("tissue", "neighbours instead"), ("volume", "mend"), ("patch", "mend")]
)
def test_outliers_are_told_with_what_the_network_makes_of_them(trained_run, case, whitening, end) -> None:
    _, said = predicted(load_model(trained_run("2d", whitening)), changed(case, voxel=32767))
    assert [words.partition(";")[0] for words in said] == [
        f"case-0: In the {name} image 1 voxel is no signal (32767" for name in Sequence
    ]
    assert all(end in words for words in said)


def test_a_training_tells_the_outliers_of_its_cases(cohort, plan_tiny, tmp_path) -> None:
    path = cohort.cases[1].sequences["T2"]
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj).copy()
    voxels[2, 5, 5] = -32768
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)
    plan = plan_tiny(cohort, steps=1, whitening="tissue")
    said = [e.message for e in train_planned(plan, cohort, run=tmp_path / "run") if isinstance(e, Warned)]
    assert [words.partition(";")[0] for words in said] == [
        "case-1: In the T2 image 1 voxel is no signal (-32768"
    ]
    training = TrainConfig.checked(whitening="tissue", slices=32, patch_side=32)
    events = list(write_samples(cohort.cases[1], training, out=tmp_path / "samples", n=1))
    assert [e.message for e in events if isinstance(e, Warned)] == [said[0].removeprefix("case-1: ")]


@pytest.mark.parametrize("n_hot", [0, 1])
def test_a_blank_image_is_refused_by_all_that_look_at_it(model, cohort, plan_tiny, tmp_path, n_hot) -> None:
    files = cohort.cases[1]
    image = nibabel.load(files.sequences["T2"])
    voxels = np.full(image.shape, 7.0, np.float32)
    voxels.reshape(-1)[:n_hot] = 32767
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), files.sequences["T2"])
    words = "The T2 image of case-1 has the same value "
    events = list(predict_cohort(model, cohort, CONFIG, out=tmp_path / "out"))
    assert [event.reason[: len(words)] for event in events if isinstance(event, CaseFailed)] == [words]
    assert sum(isinstance(event, CaseDone) for event in events) == 2
    assert not (tmp_path / "out" / "case-1.nii.gz").exists()
    plan = plan_tiny(cohort.only(("case-1",)))
    jobs = (
        train_planned(plan, cohort, run=tmp_path / "run"),
        plan_training(plan, cohort),
        write_samples(files, plan.config, out=tmp_path / "samples", n=1),
    )
    for job in jobs:
        with pytest.raises(CohortError, match=words):
            list(job)
    _, said = predicted(model, load_case(files))
    assert said[0].startswith("case-1: The T2 image has the same value ")
