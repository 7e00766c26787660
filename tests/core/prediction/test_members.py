"""Several models, mirrored images, and parts of an image: their mean, their deviation, their place."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Finished, Progress, Warned
from napari_necroseg.core.network import device
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.prediction import inference
from napari_necroseg.core.prediction import members as members_module
from napari_necroseg.core.prediction import region as region_module
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.prediction.region import Region
from napari_necroseg.core.volume import Volume

KINDS = [("2d", "patch"), ("2d", "volume"), ("3d", "patch"), ("3d", "volume")]


@pytest.fixture(params=KINDS, ids="-".join)
def model(request, trained_run):
    return load_model(trained_run(*request.param))


@pytest.fixture
def case(cohort):
    return load_case(cohort.cases[0])


def predicted(models, case, *, region=None, **choices):
    *_, last = predict(
        models, case, PredictConfig.checked(threads=1, precision="fp32", **choices), region=region
    )
    assert isinstance(last, Finished)
    return last.result


def probability(models, case, **choices):
    return predicted(models, case, **choices).probability.voxels.astype(np.float32)


def mirrored(case, axes):
    flipped = {s: Volume(np.flip(v.voxels, axes).copy(), v.grid) for s, v in case.sequences.items()}
    return replace(case, sequences=flipped)


def test_an_ensemble_is_the_mean_of_its_models_and_its_uncertainty_their_deviation(trained_run, case) -> None:
    models = [load_model(trained_run(*kind)) for kind in KINDS]
    parts = np.stack([probability(model, case) for model in models])
    ensemble = predicted(models, case, threshold=0.4)
    np.testing.assert_allclose(ensemble.probability.voxels, parts.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(ensemble.uncertainty.voxels, parts.std(axis=0), atol=1e-3)
    np.testing.assert_array_equal(ensemble.labels.voxels, ensemble.probability.voxels >= 0.4)
    assert ensemble.provenance["members"] == 4
    assert [one["sha256"] for one in ensemble.provenance["models"]] == [model.sha256 for model in models]


def test_a_single_member_is_as_uncertain_as_a_coin(model, case) -> None:
    single = predicted(model, case)
    p = single.probability.voxels.astype(np.float32)
    np.testing.assert_allclose(single.uncertainty.voxels, np.sqrt(p * (1 - p)), atol=2e-2)
    assert "one member" in single.provenance["uncertainty"]


def test_mirrored_images_are_members_too(model, case) -> None:
    axes = [(), (1,), (2,), (1, 2)]
    parts = np.stack([np.flip(probability(model, mirrored(case, one)), one) for one in axes])
    found = predicted(model, case, tta=True)
    np.testing.assert_allclose(found.probability.voxels, parts.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found.uncertainty.voxels, parts.std(axis=0), atol=1e-3)
    assert found.provenance["members"] == 4


def test_a_network_of_slices_can_be_made_to_agree_across_them_in_millimetres(model, case) -> None:
    plain = probability(model, case)
    smoothed = predicted(model, case, slice_smoothing_mm=6.0, tta=False)
    sigma = 6.0 / case.grid.spacing_mm[0] if model.config.dimension == "2d" else 0.0
    expected = gaussian_filter(plain, (sigma, 0, 0), mode="nearest")
    assert (np.abs(expected - plain).max() > 1e-2) == (model.config.dimension == "2d")
    np.testing.assert_allclose(smoothed.probability.voxels, expected, atol=2e-3)
    assert smoothed.provenance["slice_smoothing_mm"] == 6.0


def test_the_passes_are_counted(model, case) -> None:
    config = PredictConfig(threads=1, tta=True)
    messages = [event.message for event in predict(model, case, config) if isinstance(event, Progress)]
    assert messages[0].endswith("(pass 1 of 4)")
    assert messages[-1].endswith("(pass 4 of 4)")


def test_a_part_is_predicted_as_in_the_whole_and_nothing_beside_it(model, case) -> None:
    region = Region(rows=(4, 20), columns=(6, 22))
    part, everything = probability(model, case, region=region), probability(model, case)
    outside = np.ones(part.shape, bool)
    outside[:, 4:20, 6:22] = False
    assert not part[outside].any()
    if model.config.whitening == "volume":
        # The part and what surrounds it is the whole of so small an image.
        np.testing.assert_allclose(part[~outside], everything[~outside], atol=1e-3)


def test_a_point_names_the_part(model, case, monkeypatch) -> None:
    monkeypatch.setattr(region_module, "_SIDE_PIXELS", 16)
    around = predicted(model, case, around=tuple(case.grid.to_world_mm((2, 8, 8))))
    assert around.provenance["region"] == {"rows": [0, 16], "columns": [0, 16]}
    assert not around.probability.voxels[:, 16:].any()
    with pytest.raises(SettingsError, match="outside of the image"):
        predicted(model, case, around=(1000.0, 0.0, 0.0))


def test_only_slices_that_count_are_computed(trained_run, case, monkeypatch) -> None:
    model = load_model(trained_run("2d", "volume"))
    few = replace(
        case,
        sequences={
            s: Volume(v.voxels[:2], replace(v.grid, shape=(2, *v.grid.shape[1:])))
            for s, v in case.sequences.items()
        },
    )
    expected = probability(model, few)
    seen = []
    compute = inference.probability_of
    monkeypatch.setattr(
        inference, "probability_of", lambda n, images: seen.append(len(images)) or compute(n, images)
    )
    np.testing.assert_array_equal(probability(model, few), expected)
    # The first and last of the network's eight slices are the two acquired ones.
    assert sum(seen) == 2


def test_a_volume_too_large_for_the_memory_goes_by_patches(trained_run, case, monkeypatch) -> None:
    model = load_model(trained_run("3d", "volume"))
    at_once = probability(model, case)
    monkeypatch.setattr(inference, "free_bytes", lambda _device: 1)
    events = list(predict(model, case, PredictConfig(threads=1, precision="fp32")))
    assert [event.total for event in events[:-1]] == [6] * 6
    difference = np.abs(events[-1].result.probability.voxels.astype(np.float32) - at_once)
    assert np.percentile(difference, 90) < 0.1


@pytest.mark.parametrize("holds", [True, False])
def test_a_short_format_that_would_change_the_result_is_not_used_and_said(
    model, case, monkeypatch, holds
) -> None:
    import torch

    asked = []
    monkeypatch.setattr(device, "reduced_dtype", lambda *_, **__: torch.bfloat16)
    monkeypatch.setattr(members_module, "precision_holds", lambda *args, **_: asked.append(args) or holds)
    config = PredictConfig(threads=1)
    for _ in range(2):
        *before, last = predict(model, case, config)
        assert last.result.provenance["precision"] == ("bfloat16" if holds else "fp32")
        assert any(isinstance(event, Warned) for event in before) is (not holds)
    assert len(asked) == 1
