"""One bit that flips in a model or checkpoint is noticed; earlier files, without a checksum, open."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.errors import ModelError, NecrosegError
from napari_necroseg.core.network.model import load_model, new_network, save_run
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.project.model_folder import CHECKPOINT_NAME, RunRecord
from napari_necroseg.core.training.checkpoint import (
    Checkpoint,
    TrainingProgress,
    load_checkpoint,
    save_checkpoint,
)

CONFIG = train_preset("fast").changed(sequences=("ceT1",), slices=32, patch_side=32, steps=4, minutes=None)
WIDTHS = (4, 6)
PLAN = Plan(
    config=CONFIG,
    cases=("a", "b"),
    iterations=4,
    seconds=None,
    patch_shape=(32, 32, 32),
    widths=WIDTHS,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    record = RunRecord(
        config=CONFIG,
        cases=("a", "b"),
        patch_shape=(32, 32, 32),
        widths=WIDTHS,
        device="cpu",
        threads=1,
        iterations=4,
        seconds=1.5,
        loss=0.25,
        versions={"torch": "2"},
        patients_sha256=("1" * 64,),
    )
    torch.manual_seed(0)
    save_run(tmp_path / "run", new_network(CONFIG, WIDTHS), record=record, history="iteration\n")
    return tmp_path / "run"


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    progress = TrainingProgress(
        config=CONFIG,
        cases=PLAN.cases,
        case_sha256={"a": "1" * 64, "b": "2" * 64},
        started_from=None,
        iteration=2,
        seconds=1.0,
        history=("2,1.0,0.5,",),
    )
    torch.manual_seed(0)
    tensors = {f"network.{name}": tensor for name, tensor in new_network(CONFIG, WIDTHS).state_dict().items()}
    tensors["optimiser.0.step"] = torch.tensor(2.0)
    save_checkpoint(tmp_path / "run", Checkpoint(tensors=tensors, progress=progress))
    return tmp_path / "run"


def flipped(content: bytes, number: int) -> bytes:
    """Flip one bit: in the header if the number is even, else anywhere."""
    chance = random.Random(number)
    end = 8 + int.from_bytes(content[:8], "little") if number % 2 == 0 else len(content)
    changed = bytearray(content)
    changed[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def is_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_one_bit_in_a_checkpoint_is_told_and_nothing_goes_on_from_it(interrupted: Path) -> None:
    path = interrupted / CHECKPOINT_NAME
    content, whole = path.read_bytes(), load_checkpoint(interrupted, PLAN)
    assert whole is not None
    refused = 0
    for number in range(200):
        path.write_bytes(flipped(content, number))
        try:
            read = load_checkpoint(interrupted, PLAN)
        except NecrosegError:
            refused += 1
            continue
        # A bit in the name of the checksum: it is not there then, and all else is whole.
        assert read is not None
        assert read.progress == whole.progress
        assert is_same(read.tensors, whole.tensors)
    assert refused > 190


def test_a_weight_that_was_changed_is_told_as_damage(interrupted: Path) -> None:
    path = interrupted / CHECKPOINT_NAME
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"The checkpoint .* is damaged, .* its content does not have"):
        load_checkpoint(interrupted, PLAN)


def test_one_bit_in_weights_is_told_also_without_the_record_beside_them(run: Path) -> None:
    path = run / "weights.safetensors"
    content, whole = path.read_bytes(), load_model(run)
    (run / "run.json").unlink()
    refused = 0
    for number in range(100):
        path.write_bytes(flipped(content, number))
        try:
            read = load_model(run)
        except ModelError:
            refused += 1
            continue
        assert read.record == whole.record
        assert is_same(read.network.state_dict(), whole.network.state_dict())
    assert refused > 90


def rewritten(run: Path, change: dict[str, object]) -> None:
    """Write weights as an earlier version did: the record with these changes, and no checksum."""
    path = run / "weights.safetensors"
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["napari-necroseg"])
    weights = {name: tensor.clone() for name, tensor in load_file(path).items()}
    path.unlink()
    (run / "run.json").unlink(missing_ok=True)
    save_file(weights, path, metadata={"napari-necroseg": json.dumps(record | change)})


@pytest.mark.parametrize(
    "shape", [[64, 4096, 4096], [32, 32, 33], [64, 32, 32], [1, 32, 32], [32, 1, 1]], ids=str
)
def test_patches_that_do_not_fit_the_models_own_choices_are_refused(run: Path, shape: list[int]) -> None:
    rewritten(run, {"patch_shape": shape})
    with pytest.raises(ModelError, match=r"do not fit its own choices \(32 x 32 x 32\)"):
        load_model(run)


def test_a_record_beside_the_weights_has_to_describe_them(run: Path) -> None:
    path = run / "run.json"
    whole = json.loads(path.read_text())
    assert load_model(run).record.patients_sha256 == ("1" * 64,)
    changes: dict[str, object] = {
        "patch_shape": [64, 4096, 4096],
        "cases": ["c"],
        "images_sha256": ["1" * 64],
        "patients_sha256": [],
        "iterations": 10**6,
        "widths": [4096, 6],
        "config": whole["config"] | {"slices": 64},
        "seconds": "long",
    }
    for name, value in changes.items():
        path.write_text(json.dumps(whole | {name: value}))
        with pytest.raises(ModelError, match=f"not describe the weights.safetensors beside it: their {name}"):
            load_model(run)
    # A remark of a person, and a record of an earlier version, which knows less.
    del whole["patients_sha256"]
    path.write_text(json.dumps(whole | {"remark": "mine"}))
    load_model(run)


ODD = (0, -1, 4096, 10**12, 1e308, "x", "", None, True, [], {}, [4096, 4096, 4096], [10**9] * 8, "a" * 10_000)


def test_made_up_records_are_refused_or_harmless(run: Path) -> None:
    path = run / "weights.safetensors"
    content = path.read_bytes()
    whole = json.loads((run / "run.json").read_text())
    del whole["weights_sha256"], whole["history_sha256"]
    names = [(name,) for name in whole] + [("config", name) for name in whole["config"]]
    opened = 0
    for number in range(300):
        chance = random.Random(number)
        path.write_bytes(content)
        change = dict(whole)
        for place in chance.sample(names, 1 + number % 3):
            if len(place) == 1:
                change[place[0]] = chance.choice(ODD)
            elif isinstance(change["config"], dict):
                change["config"] = change["config"] | {place[1]: chance.choice(ODD)}
        rewritten(run, change)
        try:
            model = load_model(run)
        except ModelError:
            continue
        opened += 1
        # What memory is taken by: voxels of a patch, and weights that are in the file.
        assert model.record.patch_shape[1] <= model.config.patch_side <= 512
        assert model.record.patch_shape[0] <= model.config.slices <= 256
        assert sum(weight.numel() for weight in model.network.parameters()) < len(content)
    assert 0 < opened < 250
