"""Applying a trained network to a case: whole slices, or overlapping patches that are blended.

Axes: C channels (sequences), Z the network's slices, Y rows, X columns; N the case's own slices.
"""

import copy
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg.core.augment.whiten import block_middles, is_constant, whiten
from napari_necroseg.core.case import Case, CaseFiles
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.errors import ModelError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.grids.slices import probability_from_slices
from napari_necroseg.core.learning.checkpoint import Model, software_versions
from napari_necroseg.core.learning.device import default_threads, memory_errors, resolve_device, torch_threads
from napari_necroseg.core.learning.interrupt import Stopped, interruptible
from napari_necroseg.core.learning.tiles import Blend, tile_corners
from napari_necroseg.core.learning.unet import UNet
from napari_necroseg.core.learning.volumes import network_images
from napari_necroseg.core.learning.windows import Shape, window
from napari_necroseg.core.volume import Volume

# Pixels that a 2D network sees at once: those of 32 slices of a patch, which fit in training, too.
_PIXELS_AT_ONCE = 32 * 128 * 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a model says of a case, on the case's own grid in working order.

    Parameters
    ----------
    case
        The case's name.
    labels
        uint8, 1 where `probability` reaches the threshold.
    probability
        float32, in [0, 1].
    provenance
        Model, settings, versions and time that made it; plain values, ready for JSON.
    """

    case: str
    labels: Volume
    probability: Volume
    provenance: Mapping[str, object]


def predict(
    model: Model, case: Case, config: PredictConfig, *, stop: threading.Event | None = None
) -> Generator[Event, None, None]:
    """Segment a case.

    Parameters
    ----------
    model
        From `load_model`.
    case
        On its working grid; must have the sequences that the model was trained on.
    config
        Threshold, device, threads.
    stop
        Set it to end the job within two seconds. A stopped job yields no `Finished`.

    Yields
    ------
    Event
        `Progress` for each patch or some slices, then `Finished` with a `Prediction`.

    Raises
    ------
    ModelError
        If the case lacks a sequence.
    ResourceError
        If memory or the device is missing.
    """
    check_sequences(model, case)
    device = resolve_device(config.device)
    threads = config.threads or default_threads()
    started = time.monotonic()
    with (
        memory_errors(f"the prediction of {case.name}", "close other programs or choose the device cpu"),
        torch_threads(threads),
    ):
        try:
            probability = yield from _probability(model, case, device, stop or threading.Event())
        except Stopped:
            return
    labels = (probability >= config.threshold).astype(np.uint8)
    yield Finished(
        result=Prediction(
            case=case.name,
            labels=Volume(labels, case.grid),
            probability=Volume(probability, case.grid),
            provenance=_provenance(model, config, device, threads) | {"seconds": time.monotonic() - started},
        )
    )


def check_sequences(model: Model, case: Case | CaseFiles) -> None:
    """Refuse a case that lacks a sequence which the model was trained on."""
    missing = [str(sequence) for sequence in model.config.sequences if sequence not in case.sequences]
    if missing:
        raise ModelError(
            f"The model {model.run.name} needs {' and '.join(model.config.sequences)}, but the case "
            f"{case.name} has no {' and no '.join(missing)}. Add the image, or choose another model."
        )


def _probability(
    model: Model, case: Case, device: str, stop: threading.Event
) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict piece by piece; return the probability ``(N, Y, X)``."""
    images = network_images(case, model.config, n_slices=model.record.patch_shape[0])
    is_white = model.config.whitening == "volume"
    # A copy: the model may serve another job at the same time.
    network = copy.deepcopy(model.network).placed(device)
    with interruptible(network, stop):
        if is_white and network.spatial_axes == 2:
            pieces = _by_slices(network, images, device)
        else:
            pieces = _by_patches(network, images, device, model.record.patch_shape, is_white=is_white)
        probability = yield from pieces
    return probability_from_slices(probability, case.grid.shape[0]).clip(0.0, 1.0)


def _by_slices(
    network: UNet, images: NDArray[np.float32], device: str
) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict whole slices of white images ``(C, Z, Y, X)``, some at once; those of nothing but air are 0."""
    probability = np.zeros(images.shape[1:], np.float32)
    slices = torch.from_numpy(images).movedim(0, 1)
    shown = (~is_constant(slices).all(dim=1)).nonzero()[:, 0]
    size = max(1, _PIXELS_AT_ONCE // probability[0].size)
    yield Progress(done=0, total=len(shown), message=f"{len(shown)} slices to look at")
    for first in range(0, len(shown), size):
        some = shown[first : first + size]
        probability[some.numpy()] = _run(network, slices[some], device)
        done = first + len(some)
        yield Progress(done=done, total=len(shown), message=f"Slice {done} of {len(shown)}")
    return probability


def _by_patches(
    network: UNet, images: NDArray[np.float32], device: str, patch_shape: Shape, *, is_white: bool
) -> Generator[Event, None, NDArray[np.float32]]:
    """Predict overlapping patches of images ``(C, Z, Y, X)``, blended."""
    air = images.min(axis=(1, 2, 3))
    corners = tile_corners(images.shape[1:], patch_shape)
    blend = Blend(images.shape[1:], patch_shape)
    for number, corner in enumerate(corners, start=1):
        patch = torch.from_numpy(window(images, corner, patch_shape, outside=air))[None]
        blend.add(_patch_probability(network, patch, device, is_white=is_white), corner)
        yield Progress(done=number, total=len(corners), message=f"Patch {number} of {len(corners)}")
    return blend.mean()


def _patch_probability(
    network: UNet, patch: Tensor, device: str, *, is_white: bool
) -> NDArray[np.float32] | None:
    """Return the probability ``(Z, Y, X)`` of a patch ``(1, C, Z, Y, X)``, or None if it is all air."""
    if is_constant(patch).all():
        return None
    if not is_white:
        is_2d = network.spatial_axes == 2
        whiten(patch, by=patch[:, :, *block_middles(patch.shape[2:])] if is_2d else None)
    if network.spatial_axes == 3:
        return np.asarray(_run(network, patch, device)[0])
    parts = torch.split(patch[0].movedim(0, 1), max(1, _PIXELS_AT_ONCE // patch[0, 0, 0].numel()))
    return np.concatenate([_run(network, part, device) for part in parts])


@torch.inference_mode()
def _run(network: UNet, images: Tensor, device: str) -> NDArray[np.float32]:
    logits = network(network.laid_out(images.to(device)))
    probability: NDArray[np.float32] = logits[:, 0].sigmoid().cpu().numpy()
    return probability


def _provenance(model: Model, config: PredictConfig, device: str, threads: int) -> dict[str, object]:
    return {
        "model": model.run.resolve().name,
        "model_sha256": model.sha256,
        "model_cases": list(model.cases),
        "model_config": model.config.model_dump(mode="json"),
        "threshold": config.threshold,
        "device": device,
        "threads": threads,
        "precision": "fp32",
        "versions": software_versions(),
    }
