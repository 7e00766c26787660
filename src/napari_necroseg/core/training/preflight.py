"""Describes a training before it begins, warns of a poor one, and checks the free disk space."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import describe
from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.events import Warned
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.model import Model, new_network
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.project.labels import masks_in_words


def announcement(plan: Plan, hardware: Hardware, model: Model | None) -> str:
    """Describe the training in a sentence."""
    sequences = " and ".join(plan.config.sequences)
    length = f"{plan.iterations} iterations" if plan.iterations else f"{(plan.seconds or 0) / 60:g} min"
    origin = "" if model is None else f", from the weights of {model.run.name},"
    return (
        f"Training a {plan.config.dimension.upper()} network{origin} on {sequences} of {len(plan.cases)} "
        f"cases for {length} on {hardware.device} with {hardware.threads} threads; augmentation: "
        f"{describe(plan.config.augment)}."
    )


def whose_masks(plan: Plan, cohort: Cohort, validation: Cohort) -> tuple[str, ...]:
    """Name the cases whose mask is not the one in the cohort's table."""
    target = plan.config.target
    learned = masks_in_words(cohort.only(plan.cases), target)
    return (*learned, *masks_in_words(validation, target, doing="Scored meanwhile against"))


def remarks(model: Model | None, *, n_cases: int, validation: Sequence[str]) -> Iterator[Warned]:
    """Warn of a training whose model will be poor in a way that nothing shows later.

    `model` is the start model, `n_cases` the number of training cases, `validation` names the others.
    """
    if model is not None and not set(model.cases) & set(validation):
        yield Warned(
            message=f"None of the cases that {model.run.name} has learned from is scored meanwhile, so "
            "what it forgets does not show. Leave some of them out of the training, but in the cohort."
        )
    if n_cases == 1 and model is None:
        yield Warned(
            message="There is one case only to learn from: what a network learns of one patient seldom "
            "holds for another."
        )


def check_space(run: Path, plan: Plan) -> None:
    """Refuse, before hours of work, a disk without room for the weights and two checkpoints.

    Two, since a checkpoint is written beside the last one before it replaces that.
    """
    with torch.device("meta"):
        network = new_network(plan.config, plan.widths)
    # A checkpoint holds three numbers for each weight: the weight, and two of Adam's.
    needed_mb = (1 + 2 * 3) * sum(4 * weight.numel() for weight in network.parameters()) / 2**20
    there = next(folder for folder in (run.absolute(), *run.absolute().parents) if folder.exists())
    free_mb = shutil.disk_usage(there).free / 2**20
    if free_mb < needed_mb:
        raise ResourceError(
            f"{there} has {free_mb:.0f} MB free, and this training writes up to {needed_mb:.0f} MB; make "
            "room, or choose another folder."
        )
