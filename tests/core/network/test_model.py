"""A model comes back as it was written; anything else is refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.network.model import load_model, new_network
from napari_necroseg.core.project.model_folder import RunRecord
from napari_necroseg.core.training.train import train_planned

KEY = "napari-necroseg"


@pytest.fixture
def run(cohort, plan_tiny, tmp_path) -> Path:
    list(
        train_planned(
            plan_tiny(cohort, sequences=("T2", "ceT1"), upsampling="linear"), cohort, run=tmp_path / "run"
        )
    )
    return tmp_path / "run"


def rewrite(
    run: Path, *, change=lambda record: record, tensors=lambda weights: weights, key: str = KEY
) -> None:
    """Write other weights, with no record beside them that tells the hash."""
    path = run / "weights.safetensors"
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()[KEY])
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    path.unlink()
    (run / "run.json").unlink()
    save_file(tensors(weights), path, metadata={key: json.dumps(change(record))})


def test_a_model_comes_back_as_it_was_trained(run, cohort) -> None:
    model = load_model(run)
    saved = load_file(run / "weights.safetensors")
    loaded = model.network.state_dict()
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
    assert not model.network.training
    assert model.cases == cohort.names
    assert model.config.sequences == ("ceT1", "T2")
    assert model.network.resize_mode == "bilinear"
    assert model.record.patch_shape == (8, 16, 16)


def test_a_loaded_model_survives_the_loss_of_its_file(run) -> None:
    model = load_model(run)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    path = run / "weights.safetensors"
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    after = model.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_rewritten_model_without_its_record_is_still_one(run) -> None:
    rewrite(run)
    assert load_model(run).cases == ("case-0", "case-1", "case-2")


def test_a_folder_without_a_model(tmp_path) -> None:
    with pytest.raises(
        ModelError, match=r"no trained model in .* Choose a folder that `necroseg train` wrote"
    ):
        load_model(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 100, 4000])
def test_a_truncated_file(run, keep: int) -> None:
    path = run / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    (run / "run.json").unlink()
    with pytest.raises(ModelError, match="damaged or no safetensors file"):
        load_model(run)


def test_one_changed_byte_is_noticed_by_its_hash(run) -> None:
    path = run / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="its hash differs"):
        load_model(run)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "\udcff", "[" * 100_000], ids=lambda text: repr(text[:4])
)
def test_a_damaged_record_beside_the_weights(run, text: str) -> None:
    (run / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"run\.json is damaged"):
        load_model(run)


def test_the_safetensors_of_another_program(run) -> None:
    rewrite(run, key="format")
    with pytest.raises(ModelError, match="was not written by napari-necroseg"):
        load_model(run)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format_version": 2}, "format_version"),
        ({"config": {}, "extra": 1}, "extra"),
        ({"patch_shape": [64, 128]}, "patch_shape"),
        ({"patch_shape": [64, 128, 10**9]}, "patch_shape"),
        ({"widths": []}, "widths"),
        ({"widths": [10**12]}, "widths"),
        ({"config": {"dimension": "4d"}}, "config.dimension"),
    ],
)
def test_a_record_that_this_version_does_not_know(run, change: dict, place: str) -> None:
    rewrite(run, change=lambda record: record | change)
    with pytest.raises(ModelError, match=rf"cannot read \({place}.*Update napari-necroseg"):
        load_model(run)


def test_weights_of_other_widths_are_refused_without_making_that_network(run) -> None:
    # 4096 channels on eight levels would be many gigabytes.
    rewrite(run, change=lambda record: record | {"widths": [4096] * 3})
    with pytest.raises(ModelError, match=r"has the shape .*, but its header describes"):
        load_model(run)


def test_missing_tensors_are_never_filled_with_random_ones(run) -> None:
    rewrite(run, tensors=lambda weights: {name: w for name, w in weights.items() if name != "head.bias"})
    with pytest.raises(
        ModelError, match=r"other tensors than its header describes, for example 'head\.bias'"
    ):
        load_model(run)


def test_extra_tensors_are_never_left_aside(run) -> None:
    rewrite(run, tensors=lambda weights: weights | {"tail.bias": weights["head.bias"].clone()})
    with pytest.raises(
        ModelError, match=r"other tensors than its header describes, for example 'tail\.bias'"
    ):
        load_model(run)


@pytest.mark.parametrize("damage", [lambda w: w.double(), lambda w: w * float("nan")])
def test_weights_of_another_kind_or_without_a_value(run, damage) -> None:
    rewrite(run, tensors=lambda weights: weights | {"head.weight": damage(weights["head.weight"])})
    with pytest.raises(ModelError, match=r"head\.weight holds values that are no torch\.float32 numbers"):
        load_model(run)


def test_a_pickle_is_not_opened(run) -> None:
    (run / "weights.safetensors").unlink()
    torch.save({"head.bias": torch.zeros(1)}, run / "weights.safetensors")
    (run / "run.json").unlink()
    with pytest.raises(ModelError, match="no safetensors file"):
        load_model(run)


def test_a_network_is_made_of_the_record_alone(run) -> None:
    record = load_model(run).record
    again = RunRecord.model_validate_json(record.model_dump_json())
    assert again == record
    names = new_network(again.config, again.widths).state_dict().keys()
    assert names == load_file(run / "weights.safetensors").keys()
