"""An exported network computes what torch does, on any size; what cannot be checked is not kept."""

import re
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import FileError, ModelError, NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Started
from napari_necroseg.core.files import file_sha256
from napari_necroseg.core.network import export as module
from napari_necroseg.core.network.export import ExportedModel, check_onnx, export, write_onnx
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.prediction.predict import predict
from napari_necroseg.core.training.train import train_planned
from napari_necroseg.core.volume import Origin, Volume

DIMENSIONS = pytest.mark.parametrize("dimension", ["2d", "3d"])


def finished(events: Generator[Event]) -> ExportedModel:
    *_, last = events
    assert isinstance(last, Finished)
    return last.result


def code_of(card: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return code


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@DIMENSIONS
def test_two_files_appear_and_the_events_say_how_far_it_is(trained_run, tmp_path, dimension) -> None:
    out = tmp_path / "new" / "out"
    model = load_model(trained_run(dimension))
    events = list(export(model, out=out))
    assert [type(event) for event in events] == [Started, Progress, Progress, Progress, Finished]
    assert names(out) == ["model.onnx", "model_card.md"]
    assert names(out.parent) == ["out"]
    result = events[-1].result
    assert 0 <= result.difference <= 1e-4
    assert result.sha256 == file_sha256(out / "model.onnx")
    assert {"torch", "onnx", "onnxruntime"} <= result.versions.keys()
    assert not model.network.training


@DIMENSIONS
def test_input_and_output_are_named_and_all_axes_but_the_channels_are_open(
    trained_run, tmp_path, dimension
) -> None:
    export_to(trained_run(dimension), tmp_path / "out")
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    (images,), (probability,) = session.get_inputs(), session.get_outputs()
    spatial = ["rows", "columns"] if dimension == "2d" else ["slices", "rows", "columns"]
    assert (images.name, images.type, images.shape) == ("images", "tensor(float)", ["batch", 2, *spatial])
    assert (probability.name, probability.type) == ("probability", "tensor(float)")
    assert probability.shape == ["batch", 1, *spatial]


def export_to(run: Path, out: Path) -> ExportedModel:
    return finished(export(load_model(run), out=out))


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
@DIMENSIONS
def test_other_sizes_than_the_patch_agree_with_torch(
    cohort, plan_tiny, tmp_path, dimension, upsampling
) -> None:
    plan = plan_tiny(cohort, dimension=dimension, upsampling=upsampling, steps=20, learning_rate=1e-2)
    list(train_planned(plan, cohort, run=tmp_path / "run"))
    model = load_model(tmp_path / "run")
    write_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    generator = torch.Generator().manual_seed(0)
    for shape in [(1, 2, 9, 31, 22), (3, 2, 16, 20, 24), (2, 2, 1, 5, 3)]:
        # Far from what it was trained on, so that the probabilities differ from voxel to voxel.
        images = 20 * torch.randn(shape[: 2 + model.network.spatial_axes], generator=generator)
        with torch.inference_mode():
            expected = model.network(images).sigmoid().numpy()
        (probability,) = session.run(None, {"images": images.numpy()})
        assert probability.dtype == np.float32
        assert expected.std() > 1e-3 * expected.mean()
        np.testing.assert_allclose(probability, expected, rtol=1e-4)


@DIMENSIONS
@pytest.mark.parametrize("whitening", ["patch", "volume", "tissue"])
def test_the_cards_snippet_runs_and_predicts_as_the_program_does(
    trained_run, tmp_path, monkeypatch, make_grid, dimension, whitening
) -> None:
    run = trained_run(dimension, whitening)
    export_to(run, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    made: dict = {}
    exec(code_of(Path("model_card.md").read_text(encoding="utf-8")), made)
    patch = made["patch" if whitening == "patch" else "image"]
    assert patch.shape == (2, 8, 16, 16)
    grid = make_grid(patch.shape[1:])
    sequences = {name: Volume(image, grid) for name, image in zip(Sequence, patch, strict=True)}
    case = Case(name="a", sequences=sequences, origin=Origin(grid))
    prediction = finished(predict(load_model(run), case, PredictConfig(threads=1, precision="fp32")))
    assert made["probability"].std() > 0.05 * made["probability"].mean()
    # A prediction keeps 16 bits of each probability: half a step is 5e-4 of it.
    np.testing.assert_allclose(made["probability"], prediction.probability.voxels, rtol=1e-3, atol=1e-6)
    assert np.array_equal(made["necrosis"], prediction.labels.voxels)


def test_the_card_counts_the_cases_and_names_none(trained_run, tmp_path) -> None:
    run = trained_run("2d")
    result = export_to(run, tmp_path / "out")
    card = result.card.read_text(encoding="utf-8")
    # printf 'case-0\ncase-1\ncase-2' | sha256sum
    assert "| training cases | 3 |" in card
    assert "886e7408c7ba9cf7eaf488f235c82d24f89d7e071add16c1e6c429a3cb4f5843" in card
    assert "case-0" not in card
    assert str(run) not in card
    for said in (
        "not a medical device",
        "channels: ceT1 and T2, in this order",
        "8 slices x 16 rows x 16 columns",
        "| iterations | 120 |",
        '"learning_rate": 0.01',
        "the mean over mirrored images, a Gaussian of 2.5 mm across slices, leaving out parts smaller than",
        "BSD-3-Clause",
        "## Scores\n\nnot scored here\n",
        f"`{load_model(run).sha256}`",
        f"`{result.sha256}`",
        f"onnxruntime {onnxruntime.__version__}",
        f"differ by {result.difference:.1e} at most",
    ):
        assert said in card
    # A path or a case name is in the network's file neither.
    content = (tmp_path / "out" / "model.onnx").read_bytes()
    assert b"/napari_necroseg" not in content
    assert b"case-0" not in content
    assert onnx.load(tmp_path / "out" / "model.onnx").doc_string.startswith("Research software, not")


@pytest.fixture
def run(cohort, plan_tiny, tmp_path) -> Path:
    """A run that the test may change; one sequence, the T2."""
    list(train_planned(plan_tiny(cohort, sequences=("T2",)), cohort, run=tmp_path / "run"))
    return tmp_path / "run"


def test_scores_in_the_folder_of_the_run_are_in_the_card(run, tmp_path) -> None:
    (run / "scores.csv").write_text(
        "case,dice,sensitivity,specificity,specificity_box,specificity_patch,hd95_mm,assd_mm,nsd,"
        "nsd_tolerance_mm,centroid_distance_mm,reference_ml,prediction_ml,volume_difference_ml,"
        "volume_difference_percent,lesions_reference,lesions_found,lesions_extra,state\n"
        "case-1,0.8,0.7,1.0,0.9,0.95,3,1,0.9,2,1,10,8,-2,-20,1,1,0,scored\n"
        "other,0.0,0.0,1.0,1.0,1.0,inf,inf,0,2,inf,5,0,-5,-100,1,0,0,missed\n"
        "healthy,,,1.0,,,,,,2,,0,0,0,,0,0,0,nothing_to_find\n"
    )
    card = export_to(run, tmp_path / "out").card.read_text(encoding="utf-8")
    assert "3 cases, **1 of them seen in training**; 1 scored, 1 missed" in card
    assert "| dice | 0.400 | 0.400 | 0.566 |" in card
    # One case was missed: its distances are infinite, and so is the mean.
    assert "| hd95_mm | inf | inf | - |" in card
    assert "channels: T2, in this order" in card
    assert "other" not in re.findall(r"From `scores.csv`.*?## Files", card, re.DOTALL)[0]


@pytest.mark.parametrize("text", ["case,dice\na,0.5\n", "nonsense\nx\n", "case,dice,state\na,b,c\n"])
def test_a_damaged_table_of_scores_is_refused(run, tmp_path, text: str) -> None:
    (run / "scores.csv").write_text(text)
    with pytest.raises(FileError, match=r"scores\.csv is no table of scores"):
        list(export(load_model(run), out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def write_changed(tensor_name: str, value: np.ndarray) -> Callable[[Model, Path], None]:
    """As `write_onnx`, but with another tensor in the file."""

    def write(model: Model, path: Path) -> None:
        write_onnx(model, path)
        written = onnx.load(path)
        (tensor,) = (one for one in written.graph.initializer if one.name == tensor_name)
        tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor_name))
        onnx.save(written, path)

    return write


def test_a_file_that_computes_something_else_is_not_kept(trained_run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "write_onnx", write_changed("network.head.bias", np.float32([0.5])))
    with pytest.raises(ModelError, match=r"they differ by .*, more than 0\.0001, so it was not kept"):
        list(export(load_model(trained_run("2d")), out=tmp_path / "out"))
    assert names(tmp_path) == []


def test_a_network_that_says_nearly_the_same_everywhere_is_compared_more_closely(
    trained_run, tmp_path
) -> None:
    model = load_model(trained_run("2d"))
    model.network.head.weight.data.mul_(1e-4)
    write_changed("network.head.weight", np.zeros((1, 4, 1, 1), np.float32))(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError) as refusal:
        check_onnx(model, tmp_path / "model.onnx")
    (difference,) = re.findall(r"differ by (\S+),", str(refusal.value))
    assert 1e-6 < float(difference) < 1e-4
    write_onnx(model, tmp_path / "model.onnx")
    assert check_onnx(model, tmp_path / "model.onnx") < 1e-6


def test_a_file_that_is_no_number_is_not_kept(trained_run, tmp_path) -> None:
    model = load_model(trained_run("2d"))
    write_onnx(model, tmp_path / "model.onnx")
    torch.nn.init.constant_(model.network.head.bias, float("nan"))
    with pytest.raises(ModelError, match="they differ by nan"):
        check_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_said_with_the_extra_to_install(
    trained_run, tmp_path, monkeypatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NecrosegError, match=rf'package {package}, .*pip install "napari-necroseg\[export\]"'):
        list(export(load_model(trained_run("2d")), out=tmp_path / "out"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("seen", [1, 2, 3, 4])
def test_a_job_that_is_closed_leaves_nothing(trained_run, tmp_path, seen: int) -> None:
    events = export(load_model(trained_run("2d")), out=tmp_path / "out")
    for _ in range(seen):
        next(events)
    events.close()
    assert names(tmp_path) == []


def test_an_empty_folder_is_filled_and_any_other_refused(trained_run, tmp_path) -> None:
    model = load_model(trained_run("2d"))
    (tmp_path / "out").mkdir()
    list(export(model, out=tmp_path / "out"))
    assert names(tmp_path / "out") == ["model.onnx", "model_card.md"]
    before = file_sha256(tmp_path / "out" / "model.onnx")
    with pytest.raises(FileError, match="is not empty"):
        list(export(model, out=tmp_path / "out"))
    assert file_sha256(tmp_path / "out" / "model.onnx") == before
