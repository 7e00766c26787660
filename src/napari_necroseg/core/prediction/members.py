"""Predicts with each model, on the image as it is and mirrored, and averages these members of the prediction.

Axes: C channels (sequences), Z the network's slices, Y rows, X columns; N the case's own slices.
"""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from napari_necroseg.core.augment.intensity import is_constant
from napari_necroseg.core.case import Case
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.events import Event, Warned
from napari_necroseg.core.grids.slices import linear_matrix, probability_from_slices
from napari_necroseg.core.language import said
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.images import network_images
from napari_necroseg.core.network.model import Model
from napari_necroseg.core.network.stopping import interruptible
from napari_necroseg.core.network.unet import UNet
from napari_necroseg.core.prediction.folded_network import fold_network, precision_holds
from napari_necroseg.core.prediction.inference import Pass, by_patches, by_slices, sample_of, whole
from napari_necroseg.core.prediction.region import Region

# The axes of an image (C, Z, Y, X) that are mirrored: none, rows, columns, both.
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """A case to predict, and how."""

    case: Case
    config: PredictConfig
    hardware: Hardware
    region: Region | None
    stop: threading.Event


@dataclass(kw_only=True, eq=False)
class Members:
    """Mean and sum of squared deviations ``(N, Y, X)`` of the members so far, float32."""

    count: int = 0
    mean: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    squares: NDArray[np.float32] | None = None
    precisions: set[str] = field(default_factory=set)

    @property
    def deviation(self) -> NDArray[np.float32]:
        """Population standard deviation of the members."""
        squares = np.zeros_like(self.mean) if self.squares is None else self.squares
        return np.sqrt(squares / self.count)

    def add(self, probability: NDArray[np.float32]) -> None:
        """Add a member, by Welford's update."""
        self.count += 1
        if self.count == 1:
            self.mean = probability
            return
        gap = probability - self.mean
        self.mean = self.mean + gap / np.float32(self.count)
        squares = gap * (probability - self.mean)
        self.squares = squares if self.squares is None else self.squares + squares


def members_of(models: Sequence[Model], task: Task) -> Generator[Event, None, Members]:
    """Predict with every member, one after the other."""
    mirrors = _MIRRORS if task.config.tta else _MIRRORS[:1]
    members = Members()
    seen: dict[tuple[object, ...], NDArray[np.float32]] = {}
    for number, model in enumerate(models):
        key = (model.config.sequences, model.config.whitening, model.record.patch_shape[0])
        if key not in seen:
            # The models of a study see the same images; only the last ones are kept.
            seen = {key: network_images(task.case, model.config, n_slices=model.record.patch_shape[0])}
        yield from _add_model(
            members,
            model,
            images=seen[key],
            task=task,
            share=_Share(number=number, n_models=len(models), mirrors=mirrors),
        )
    return members


@dataclass(frozen=True, kw_only=True)
class _Share:
    """The place of a model's members among all."""

    number: int
    n_models: int
    mirrors: tuple[tuple[int, ...], ...]

    def message(self, mirror: int) -> str:
        part, parts = self.number * len(self.mirrors) + mirror + 1, self.n_models * len(self.mirrors)
        return said(" (pass {part} of {parts})", part=part, parts=parts) if parts > 1 else ""


def _add_model(
    members: Members, model: Model, *, images: NDArray[np.float32], task: Task, share: _Share
) -> Generator[Event, None, None]:
    outer = _outer(task.region, images)
    if is_constant(torch.from_numpy(images)[None]).all():
        # The image is nothing but air.
        for _ in share.mirrors:
            members.add(np.zeros(task.case.grid.shape, np.float32))
        return
    dtype = yield from _format(model, images[:, :, *outer], task=task)
    members.precisions.add("fp32" if dtype is None else str(dtype).removeprefix("torch."))
    network = fold_network(model.network, task.hardware.device, dtype=dtype)
    n_slices = task.case.grid.shape[0]
    needed = np.asarray(linear_matrix(images.shape[1], n_slices).any(axis=0))
    smoothing = _smoothing_slices(network, task)
    with interruptible(network, task.stop):
        for number, axes in enumerate(share.mirrors):
            one = Pass(
                images=np.flip(images[:, :, *outer], axes),
                air=images.min(axis=(1, 2, 3)),
                patch_shape=model.record.patch_shape,
                is_white=model.config.whitens_images,
                needed=needed,
                remark=share.message(number),
            )
            part = yield from _passed(network, one)
            unflipped = np.flip(part, tuple(axis - 1 for axis in axes))
            members.add(_on_case(unflipped, outer, task=task, smoothing_slices=smoothing))


def _passed(network: UNet, one: Pass) -> Generator[Event, None, NDArray[np.float32]]:
    if not one.is_white:
        return (yield from by_patches(network, one))
    return (yield from (by_slices if network.spatial_axes == 2 else whole)(network, one))


def _format(
    model: Model, images: NDArray[np.float32], *, task: Task
) -> Generator[Event, None, torch.dtype | None]:
    """Choose the number format: the short one if this model's probability stays the same."""
    device, dtype = task.hardware.device, task.hardware.short_dtype
    if dtype is None:
        return None
    if device not in model.holds:
        sample = sample_of(model.network, images, is_white=model.config.whitens_images)
        model.holds[device] = precision_holds(model.network, sample, device=device, dtype=dtype)
    if not model.holds[device]:
        name = str(dtype).removeprefix("torch.")
        yield Warned(message=f"{model.run.name}: {name} would change the result, so 32 bits are used.")
    return dtype if model.holds[device] else None


def _outer(region: Region | None, images: NDArray[np.float32]) -> tuple[slice, slice]:
    rows, columns = images.shape[2:]
    return (slice(0, rows), slice(0, columns)) if region is None else region.outer(images.shape)


def _smoothing_slices(network: UNet, task: Task) -> float:
    """Return the sigma, in slices, of the Gaussian across them; 0 in 3D: the network sees neighbours."""
    is_2d = network.spatial_axes == 2
    return task.config.slice_smoothing_mm / task.case.grid.spacing_mm[0] if is_2d else 0.0


def _on_case(
    part: NDArray[np.float32], outer: tuple[slice, slice], *, task: Task, smoothing_slices: float
) -> NDArray[np.float32]:
    """Bring the probability of a part to the case's slices, and put it into the whole image."""
    shape = task.case.grid.shape
    on_slices = probability_from_slices(part, shape[0], smoothing_slices=smoothing_slices).clip(0.0, 1.0)
    if task.region is None:
        return on_slices
    probability = np.zeros(shape, np.float32)
    probability[:, *task.region.inner] = on_slices[:, *task.region.within(outer)]
    return probability
