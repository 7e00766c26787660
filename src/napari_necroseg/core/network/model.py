"""Reads and writes trained models: safetensors and JSON, never a pickle."""

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_necroseg import __version__
from napari_necroseg.core.cohort.seen_cases import Learned
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.files import file_sha256, write_bytes, write_text
from napari_necroseg.core.network.tensor_file import check_seal, sealed
from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.plan import patch_shape_of
from napari_necroseg.core.project.model_folder import (
    HISTORY_NAME,
    RECORD_NAME,
    WEIGHTS_NAME,
    RunRecord,
    read_run_record,
)

# The header of a safetensors file maps strings to strings in no fixed order, hence one JSON string.
_HEADER_KEY = "napari-necroseg"

# Packages that read, interpolate and sample images; numba is optional.
_COMPUTES = ("numpy", "scipy", "nibabel", "numba")
_CHOOSE = "Choose a folder that `necroseg train` wrote"

# Anything smaller is no patch of a network with pooling, and would take hours.
_SMALLEST_PATCH = (4, 16, 16)


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A trained network, on the CPU and in evaluation mode, with the record of its training."""

    network: UNet
    record: RunRecord
    run: Path
    sha256: str
    # By device: whether its short number format gives the same result; filled when it is used.
    holds: dict[str, bool] = field(default_factory=dict)

    @property
    def config(self) -> TrainConfig:
        """The settings that it was trained with."""
        return self.record.config

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases that it, or a model that it was fine-tuned from, was trained on."""
        return tuple(dict.fromkeys((*self.record.cases, *self.record.earlier_cases)))

    @property
    def learned(self) -> Learned:
        """The cases that it was trained on, by name, patient and image."""
        record = self.record
        return Learned(
            cases=frozenset(self.cases),
            patients=frozenset(record.patients_sha256),
            images_sha256=frozenset(record.images_sha256),
            likenesses=record.images_likeness,
        )


def new_network(config: TrainConfig, widths: tuple[int, ...]) -> UNet:
    """Make the network of a training; torch's current random state decides its weights."""
    return UNet(
        spatial_axes=2 if config.dimension == "2d" else 3,
        channels=len(config.sequences),
        widths=widths,
        upsampling=config.upsampling,
    )


def software_versions() -> dict[str, str]:
    """Return the versions of the packages that the numbers depend on."""
    of_packages = {name: version(name) for name in _COMPUTES if find_spec(name) is not None}
    of_cuda = {} if torch.version.cuda is None else {"cuda": torch.version.cuda}
    return {"napari-necroseg": __version__, "torch": str(torch.__version__)} | of_cuda | of_packages


def save_run(run: Path, network: UNet, *, record: RunRecord, history: str) -> None:
    """Write weights, history (CSV text) and record; on failure none of them stays.

    Weights that are not finite are a `ModelError`: the file would be refused when it is read.
    """
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values()):
        raise ModelError(
            "The training diverged: weights of the network are not numbers. Train again with a lower "
            "learning rate, or with the precision fp32."
        )
    try:
        _write_weights(run / WEIGHTS_NAME, network, record=record)
        write_text(run / HISTORY_NAME, history)
        hashes = {
            "weights_sha256": file_sha256(run / WEIGHTS_NAME),
            "history_sha256": file_sha256(run / HISTORY_NAME),
        }
        write_text(run / RECORD_NAME, json.dumps(hashes | record.model_dump(mode="json"), indent=2) + "\n")
    except BaseException:
        for name in (WEIGHTS_NAME, HISTORY_NAME):
            (run / name).unlink(missing_ok=True)
        raise


def load_model(run: str | Path) -> Model:
    """Read a trained model.

    Parameters
    ----------
    run
        The folder that a training wrote.

    Raises
    ------
    ModelError
        If there is no model, or it is damaged, of another program or format version, or not the model that
        its ``run.json`` describes.
    """
    run = Path(run)
    path = run / WEIGHTS_NAME
    if not path.is_file():
        raise ModelError(f"There is no trained model in {run} (no {WEIGHTS_NAME}). {_CHOOSE}.")
    sha256 = file_sha256(path)
    _check_recorded_hash(run, sha256)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            record = _read_record(path, metadata)
            _check_described(run, record)
            network = _empty_network(record)
            weights = _read_weights(path, file, expected=network.state_dict())
            check_seal(f"The model {path}", weights, metadata=metadata, record=metadata[_HEADER_KEY])
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged or no safetensors file. {_CHOOSE}.") from error
    network.load_state_dict(weights, strict=True, assign=True)
    return Model(network=network.eval(), record=record, run=run, sha256=sha256)


def _write_weights(path: Path, network: UNet, *, record: RunRecord) -> None:
    # `save_file` would make a file that only its owner may read.
    write_bytes(path, sealed(network.state_dict(), _HEADER_KEY, record=record.model_dump_json()))


def _check_recorded_hash(run: Path, sha256: str) -> None:
    path = run / RECORD_NAME
    if not path.exists():
        return
    recorded = read_run_record(run).get("weights_sha256")
    if not isinstance(recorded, str):
        raise ModelError(f"{path} is damaged: it names no hash of the weights. {_CHOOSE}.")
    if recorded != sha256:
        raise ModelError(
            f"{run / WEIGHTS_NAME} is not the file that {RECORD_NAME} beside it describes: its hash differs. "
            "Copy the whole folder of the run again."
        )


def _read_record(path: Path, metadata: dict[str, str]) -> RunRecord:
    if _HEADER_KEY not in metadata:
        raise ModelError(
            f"{path} was not written by napari-necroseg: its header names no such model. {_CHOOSE}."
        )
    try:
        record = RunRecord.model_validate_json(metadata[_HEADER_KEY])
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ModelError(
            f"{path} describes a model that this version cannot read ({place}: {problem['msg']}). "
            "Update napari-necroseg, or train the model again."
        ) from error
    _check_patches(path, record)
    return record


def _check_patches(path: Path, record: RunRecord) -> None:
    """Refuse patches larger than the model's settings allow: they decide how much memory is taken."""
    most = patch_shape_of(record.config)
    bounds = zip(_SMALLEST_PATCH, record.patch_shape, most, strict=True)
    if all(least <= side <= end for least, side, end in bounds):
        return
    said, known = (" x ".join(map(str, shape)) for shape in (record.patch_shape, most))
    raise ModelError(
        f"{path} describes patches of {said} voxels, which do not fit its own choices ({known}): it is "
        f"damaged, or was made up. {_CHOOSE}."
    )


def _check_described(run: Path, record: RunRecord) -> None:
    """Refuse a ``run.json`` that contradicts the header of the weights beside it."""
    beside = {name: value for name, value in read_run_record(run).items() if name in RunRecord.model_fields}
    if not beside:
        return
    try:
        described = RunRecord.model_validate(beside).model_dump(mode="json")
    except ValidationError as error:
        name = str(error.errors(include_url=False)[0]["loc"][0])
    else:
        own = record.model_dump(mode="json")
        # Compared as text: a loss of nan is not equal to itself.
        odd = [name for name in own if name in beside and repr(own[name]) != repr(described[name])]
        if not odd:
            return
        name = odd[0]
    raise ModelError(
        f"{run / RECORD_NAME} does not describe the {WEIGHTS_NAME} beside it: their {name} differ. Copy the "
        "whole folder of the run again."
    )


def _empty_network(record: RunRecord) -> UNet:
    """Make a network whose weights take no memory, so that a hostile header costs none either."""
    with torch.device("meta"):
        return new_network(record.config, record.widths)


def _read_weights(path: Path, file: Any, *, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    names = set(file.keys())
    if names != set(expected):
        odd = sorted(names ^ set(expected))
        raise ModelError(
            f"{path} holds other tensors than its header describes, for example {odd[0]!r}. {_CHOOSE}."
        )
    weights = {}
    for name, like in expected.items():
        shape = tuple(file.get_slice(name).get_shape())
        if shape != tuple(like.shape):
            raise ModelError(
                f"{path}: {name} has the shape {shape}, but its header describes {tuple(like.shape)}."
            )
        # A copy: the tensors of the file are mapped from disk, and the program would crash when the file is
        # replaced or removed.
        weights[name] = file.get_tensor(name).clone()
        if weights[name].dtype != like.dtype or not weights[name].isfinite().all():
            raise ModelError(f"{path}: {name} holds values that are no {like.dtype} numbers. {_CHOOSE}.")
    return weights
