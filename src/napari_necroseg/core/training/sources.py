"""Loads the training cases into memory, interpolated to the network's slices once and sampled many times."""

import hashlib
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import torch

from napari_necroseg.core.augment.source import Source, make_source
from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.seen_cases import ImageMark, marks_of
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Progress, Warned
from napari_necroseg.core.grids.slices import mask_to_slices, slices_grid
from napari_necroseg.core.language import said
from napari_necroseg.core.network.device import free_bytes
from napari_necroseg.core.network.images import (
    check_images,
    image_notes,
    network_images,
    only_needed,
)
from napari_necroseg.core.network.stopping import check
from napari_necroseg.core.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """The training cases that have a target, and the marks by which their images are recognised."""

    sources: tuple[Source, ...]
    marks: Mapping[str, tuple[ImageMark, ...]]


def load_sources(
    plan: Plan, cohort: Cohort, *, device: str, stop: threading.Event
) -> Generator[Event, None, Loaded]:
    """Load the training cases one by one; return those that have a target.

    If none has, or an image has one value everywhere, this is a `CohortError`.
    """
    sources: list[Source] = []
    marks: dict[str, tuple[ImageMark, ...]] = {}
    for number, files in enumerate(cohort):
        check(stop)
        yield Progress(done=number, total=len(cohort), message=f"Reading {files.name}")
        case = load_case(only_needed(files, plan.config.sequences, target=plan.config.target))
        for note in case.notes:
            yield Warned(message=said("{case}: {note}", case=case.name, note=note))
        check_images(case, plan.config.sequences)
        for note in image_notes(case, plan.config):
            yield Warned(message=said("{case}: {note}", case=case.name, note=note))
        source = training_source(case, plan.config, n_slices=plan.patch_shape[0])
        if source.target.any():
            sources.append(source)
            marks[files.name] = tuple(marks_of(case, plan.config.sequences).values())
        else:
            yield Warned(message=f"{case.name} is left out: its {plan.config.target} mask is empty.")
    if not sources:
        raise CohortError(
            f"No case is left to train on: the {plan.config.target} mask of each of the {len(cohort)} is "
            "empty. Outline the target in at least one case."
        )
    yield Progress(done=len(cohort), total=len(cohort), message=f"{len(sources)} cases in memory")
    return Loaded(sources=on_device(sources, device, n_cases=len(sources)), marks=marks)


def training_source(case: Case, config: TrainConfig, *, n_slices: int) -> Source:
    """Bring the chosen sequences and the target of a case to the network's slices."""
    mask = case.mask(config.target)
    return make_source(
        network_images(case, config, n_slices=n_slices),
        None if mask is None else mask_to_slices(mask.voxels, n_slices),
        spacing_mm=slices_grid(case.grid, n_slices).spacing_mm,
        name=case.name,
        is_white=config.whitens_images,
    )


def source_sha256(source: Source) -> str:
    """Return the SHA-256 of the images and the target of a training case, voxel by voxel."""
    digest = hashlib.sha256(repr((source.shape, source.spacing_mm)).encode())
    # In memory the channels come last.
    digest.update(source.padded.cpu().movedim(0, -1).contiguous().numpy().data)
    return digest.hexdigest()


def on_device(sources: list[Source], device: str, *, n_cases: int) -> tuple[Source, ...]:
    """Move cases to a graphics card, unless `n_cases` would take over half of its free memory."""
    if torch.device(device).type != "cuda":
        return tuple(sources)
    n_bytes = sum(source.padded.nbytes for source in sources) * n_cases / len(sources)
    if n_bytes > free_bytes(device) / 2:
        return tuple(sources)
    return tuple(
        replace(source, padded=source.padded.to(device), coarse=source.coarse.to(device))
        for source in sources
    )
