"""Describes a training before it begins, and warns of a poor model or of scores that will be too good."""

import shutil
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.case_names import is_among, listed
from napari_necroseg.core.cohort.duplicates import alike
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.seen_cases import ImageMark, Learned, marks_of, patient_sha256
from napari_necroseg.core.config import describe
from napari_necroseg.core.errors import NecrosegError, ResourceError
from napari_necroseg.core.events import Event, Progress, Warned
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.images import only_needed
from napari_necroseg.core.network.model import Model, new_network
from napari_necroseg.core.network.stopping import check
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.project.labels import masks_in_words

_Marks = Mapping[str, tuple[ImageMark, ...]]

# How long reading the left-out cases may take, also as a share of the training's time.
_MOST_SECONDS, _LEAST_SECONDS, _SHARE_OF_TRAINING = 30.0, 2.0, 0.05


def announcement(plan: Plan, hardware: Hardware, *, model: Model | None) -> str:
    """Describe the training in a sentence."""
    sequences = " and ".join(plan.config.sequences)
    length = f"{plan.iterations} iterations" if plan.iterations else f"{(plan.seconds or 0) / 60:.3g} min"
    origin = "" if model is None else f", from the weights of {model.run.name},"
    return (
        f"Training a {plan.config.dimension.upper()} network{origin} on {sequences} of {len(plan.cases)} "
        f"cases for {length} on {hardware.device} with {hardware.threads} threads; augmentation: "
        f"{describe(plan.config.augment)}."
    )


def whose_masks(plan: Plan, cohort: Cohort, *, validation: Cohort) -> tuple[str, ...]:
    """Name the cases whose mask is not the one in the cohort's table."""
    target = plan.config.target
    learned = masks_in_words(cohort.only(plan.cases), target)
    return (*learned, *masks_in_words(validation, target, doing="Scored during the training against"))


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
            message="There is only one case to learn from: what a network learns of one patient seldom "
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


def left_out(plan: Plan, cohort: Cohort, *, validation: Cohort) -> Cohort:
    """Return the cases that are not trained on: the others of the cohort, and the validation cases."""
    rows = {files.name: files for files in (*cohort, *validation) if files.name not in plan.cases}
    return Cohort(cases=tuple(rows.values()))


def name_left_out(
    plan: Plan, cohort: Cohort, *, validation: Cohort, earlier: Learned
) -> Generator[Event, None, None]:
    """Warn of left-out cases for a training that is only planned; reads its cases, as far as time allows."""
    others, stop, marks = left_out(plan, cohort, validation=validation), threading.Event(), {}
    yield from known_by_table(plan, cohort, others=others, earlier=earlier, watched=validation.names)
    deadline = time.monotonic() + _most_seconds(plan)
    for number, files in enumerate(cohort.only(plan.cases) if len(others) else ()):
        if time.monotonic() > deadline:
            break
        yield Progress(done=number, total=len(plan.cases), message=f"Reading {files.name}")
        marks[files.name] = _marks_of(files, plan)
    yield from known_by_image(plan, marks, others=others, earlier=earlier, stop=stop)


def known_by_table(
    plan: Plan, cohort: Cohort, *, others: Cohort, earlier: Learned, watched: Sequence[str] = ()
) -> Iterator[Warned]:
    """Warn of each left-out case whose patient or name is one that is, or was, trained on.

    `others` is from `left_out`; `earlier` are the cases that the start model was trained on; `watched` are
    validation cases: that the start model knows some of them is intended.
    """
    case_of = {patient_sha256(files.patient_or_name): files.name for files in cohort.only(plan.cases)}
    twins = {}
    for files in others:
        twin = case_of.get(patient_sha256(files.patient_or_name))
        if twin is not None:
            twins[files.name] = twin
    if twins:
        yield Warned(
            message=f"Left out, but of the same patient as a case that is trained on: {_paired(twins)}. "
            "Scores there will be too good; leave out all cases of a patient, or none."
        )
    known = [
        files.name
        for files in others
        if files.name not in twins
        and earlier.knows(files) != "no"
        and not (files.name in watched and is_among(files.name, earlier.cases))
    ]
    if known:
        yield _known_before(known)


def known_by_image(
    plan: Plan, marks: _Marks, *, others: Cohort, earlier: Learned, stop: threading.Event
) -> Generator[Event, None, None]:
    """Read the left-out cases, and warn of each that shares an image with a training case.

    `marks` are those of each training case's images; the rest is as in `known_by_table`.
    """
    began = time.monotonic()
    same: dict[str, str] = {}
    before: list[str] = []
    unread: tuple[str, ...] = ()
    for number, files in enumerate(others):
        check(stop)
        if time.monotonic() - began > _most_seconds(plan):
            unread = others.names[number:]
            break
        yield Progress(done=number, total=len(others), message=f"Comparing {files.name}, which is left out")
        try:
            found = _marks_of(files, plan)
        except NecrosegError:
            # It is not trained on; its prediction will say what is wrong.
            continue
        twin = _twin(found, marks)
        if twin is not None:
            same[files.name] = twin
        elif earlier.has_image(found) and earlier.knows(files) == "no":
            before.append(files.name)
    yield from _said(same, before, unread=unread)


def _said(same: Mapping[str, str], before: Sequence[str], *, unread: Sequence[str]) -> Iterator[Warned]:
    if same:
        yield Warned(
            message="Left out, but with the image of a case that is trained on, or with a copy in other "
            f"intensities: {_paired(same)}. Scores there will be too good; leave out both, or neither."
        )
    if before:
        yield _known_before(before)
    if unread:
        names = listed(unread)
        yield Warned(
            message=f"{len(unread)} of the cases that are left out ({names}) were not compared with the "
            "images that are trained on, as that would take too long now; `necroseg predict` says of each "
            "whether it is known."
        )


def _known_before(names: Iterable[str]) -> Warned:
    return Warned(
        message=f"Left out, but known to the model that this goes on from: {', '.join(names)}. Scores there "
        "show what it forgets, and not how good it is with new patients."
    )


def _paired(twins: Mapping[str, str]) -> str:
    return ", ".join(f"{name} (as {twin})" for name, twin in twins.items())


def _marks_of(files: CaseFiles, plan: Plan) -> tuple[ImageMark, ...]:
    """Read those of the network's sequences that the case has."""
    case = load_case(only_needed(files, plan.config.sequences))
    return tuple(marks_of(case, plan.config.sequences).values())


def _twin(found: tuple[ImageMark, ...], marks: _Marks) -> str | None:
    known = [(name, mark) for name, of_case in marks.items() for mark in of_case]
    for mark in found:
        same = next((name for name, other in known if other.sha256 == mark.sha256), None)
        if same is not None:
            return same
        place = alike(mark.likeness, [other.likeness for _, other in known])
        if place is not None:
            return known[place][0]
    return None


def _most_seconds(plan: Plan) -> float:
    if plan.seconds is None:
        return _MOST_SECONDS
    return min(_MOST_SECONDS, max(_LEAST_SECONDS, _SHARE_OF_TRAINING * plan.seconds))
