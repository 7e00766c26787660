"""A prediction lies on the case's own grid, tells how it was made, and can be stopped."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import ModelError, ResourceError
from napari_necroseg.core.events import Finished, Progress
from napari_necroseg.core.grids.slices import probability_from_slices
from napari_necroseg.core.network.images import network_images
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.prediction.predict import Prediction, predict
from napari_necroseg.core.volume import Volume


@pytest.fixture(params=[("2d", "patch"), ("2d", "volume"), ("3d", "patch"), ("3d", "volume")])
def model(request, trained_run) -> Model:
    return load_model(trained_run(*request.param))


@pytest.fixture
def case(cohort) -> Case:
    return load_case(cohort.cases[0])


def predicted(model: Model, case: Case, **choices: object) -> Prediction:
    *_, last = predict(model, case, PredictConfig.checked(threads=1, precision="fp32", **choices))
    assert isinstance(last, Finished)
    return last.result


def test_a_bright_block_is_found_where_it_is(model, case) -> None:
    prediction = predicted(model, case)
    found, reference = prediction.labels.voxels > 0, case.reference.voxels > 0
    assert 2 * (found & reference).sum() / (found.sum() + reference.sum()) > 0.8


def test_labels_and_probability_lie_on_the_cases_grid(model, case) -> None:
    prediction = predicted(model, case, threshold=0.3)
    assert prediction.case == case.name
    assert prediction.labels.grid.matches(case.grid)
    assert prediction.probability.grid.matches(case.grid)
    assert prediction.labels.voxels.dtype == np.uint8
    assert prediction.probability.voxels.dtype == np.float16
    probability = prediction.probability.voxels.astype(np.float64)
    assert 0 <= probability.min() < probability.max() <= 1
    np.testing.assert_array_equal(prediction.labels.voxels, probability >= 0.3)


def test_progress_counts_the_patches_or_the_slices(model, case) -> None:
    events = list(predict(model, case, PredictConfig(precision="fp32")))
    # 24 x 28 pixels in patches of 16 x 16, half overlapping: rows begin at 0, 8; columns at 0, 8, 12.
    at_once = {"2d": [(0, 8), (8, 8)], "3d": [(0, 1), (1, 1)]}[model.config.dimension]
    expected = at_once if model.config.whitening == "volume" else [(n, 6) for n in range(1, 7)]
    assert [(event.done, event.total) for event in events[:-1]] == expected
    assert all(isinstance(event, Progress) for event in events[:-1])


@pytest.mark.parametrize("pixels_at_once", [1, 24 * 28 * 3, 10**6])
def test_whole_slices_are_what_the_network_says_of_them_however_many_at_once(
    trained_run, case, monkeypatch, pixels_at_once
) -> None:
    monkeypatch.setattr("napari_necroseg.core.prediction.inference._PIXELS_AT_ONCE", pixels_at_once)
    model = load_model(trained_run("2d", "volume"))
    # Eight slices of five: the network is asked on its own slices, so the image is made of so many.
    images = torch.from_numpy(network_images(case, model.config, n_slices=8))
    with torch.inference_mode():
        on_slices = model.network(images.movedim(0, 1))[:, 0].sigmoid().numpy()
    expected = probability_from_slices(on_slices, 5).clip(0, 1)
    # 16 bits of each probability are kept: half a step is 2.5e-4.
    np.testing.assert_allclose(predicted(model, case).probability.voxels, expected, atol=2.6e-4)


def test_the_provenance_says_how_it_was_made(model, case) -> None:
    provenance = predicted(model, case, threshold=0.4).provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["model"] == "run"
    assert provenance["model_sha256"] == model.sha256
    assert provenance["threshold"] == 0.4
    assert provenance["device"] == "cpu"
    assert provenance["model_config"]["dimension"] == model.config.dimension
    assert provenance["versions"]["torch"] == torch.__version__


def test_the_same_case_gives_the_same_probability_and_the_model_stays_as_it_was(model, case) -> None:
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    first, second = (predicted(model, case).probability.voxels for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.network.state_dict().items())


def test_brightness_of_a_sequence_changes_nothing(model, case) -> None:
    cet1 = case.sequences[Sequence.CET1]
    brighter = replace(
        case, sequences=dict(case.sequences) | {Sequence.CET1: Volume(cet1.voxels * 4, cet1.grid)}
    )
    expected = predicted(model, case).probability.voxels
    # One step of the 16 bits that are kept of each probability.
    np.testing.assert_allclose(predicted(model, brighter).probability.voxels, expected, atol=5e-4)


def test_air_is_not_necrosis_and_costs_no_pass_of_the_network(model, case, monkeypatch) -> None:
    air = {
        sequence: Volume(np.full_like(volume.voxels, 3), volume.grid)
        for sequence, volume in case.sequences.items()
    }
    monkeypatch.setattr(type(model.network), "forward", lambda *_, **__: pytest.fail("the network ran"))
    prediction = predicted(model, replace(case, sequences=air))
    assert not prediction.probability.voxels.any()


def test_an_image_smaller_than_the_patch(model, case) -> None:
    small = replace(case, sequences={s: _corner(volume) for s, volume in case.sequences.items()})
    assert predicted(model, small).labels.voxels.shape == (5, 11, 9)


def test_a_case_without_a_sequence_is_refused_by_its_name(model, case) -> None:
    only = replace(case, sequences={Sequence.CET1: case.sequences[Sequence.CET1]})
    with pytest.raises(ModelError, match=r"The model run needs ceT1 and T2, but the case case-0 has no T2"):
        predicted(model, only)


def test_a_stop_ends_it_without_a_result(model, case) -> None:
    stop = threading.Event()
    threads = torch.get_num_threads()
    seen = []
    config = PredictConfig(threads=threads + 1, precision="fp32")
    for event in predict(model, case, config, stop=stop):
        seen.append(event)
        stop.set()
    assert [type(event) for event in seen] == [Progress]
    assert torch.get_num_threads() == threads


def test_a_lack_of_memory_names_the_case(model, case, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(type(model.network), "forward", fail)
    with pytest.raises(ResourceError, match="the prediction of case-0"):
        predicted(model, case)


def test_the_run_folder_may_be_named_relatively(trained_run, monkeypatch, case) -> None:
    monkeypatch.chdir(trained_run("2d"))
    assert predicted(load_model(Path()), case).provenance["model"] == "run"


def _corner(volume: Volume) -> Volume:
    voxels = volume.voxels[:, :11, :9]
    return Volume(voxels, replace(volume.grid, shape=voxels.shape))
