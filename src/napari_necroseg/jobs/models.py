"""Looks at the models of this computer, and at what they have still to do in the open project."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.case_names import name_among, names_in
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.project.known_models import KnownModel, known_models, to_use
from napari_necroseg.core.project.model_folder import MODELS_FOLDER
from napari_necroseg.core.project.models import find_interrupted, mean_name
from napari_necroseg.core.project.remembered import read_remembered
from napari_necroseg.jobs.learn import LearningProposal, propose_learning

# The folder of a project that holds a folder of masks for each model.
PREDICTIONS_FOLDER = "predictions"


@dataclass(frozen=True, kw_only=True)
class ModelsView:
    """What the step Model shows: the known models, the one in use, and what could be learned next."""

    models: tuple[KnownModel, ...] = ()
    used: KnownModel | None = None
    # None while no project is open.
    proposal: LearningProposal | None = None
    # The cases of the project that the used model has not predicted yet.
    unpredicted: tuple[str, ...] = ()
    # A training of the project that was interrupted.
    interrupted: Path | None = None


def look(
    cohort: Cohort | None, folder: Path | None, *, chosen: Path | None, stop: threading.Event
) -> Iterator[Event]:
    """Find the models of this computer, and what a model could learn in the open project.

    `chosen`: the model that the person chose or trained last, in this session.
    """
    remembered = read_remembered()
    projects = dict.fromkeys(
        [*([] if folder is None else [folder]), *(one.folder for one in remembered.projects)]
    )
    wanted = chosen or remembered.model
    others = [*remembered.models, *([] if wanted is None else [wanted])]
    models = known_models(projects, others=others)
    if stop.is_set():
        return
    used = to_use(models, chosen=wanted)
    yield Finished(
        result=ModelsView(
            models=models,
            used=used,
            proposal=None if cohort is None else propose_learning(cohort, folder),
            unpredicted=_unpredicted(cohort, folder, used=used),
            interrupted=None if folder is None else find_interrupted(folder / MODELS_FOLDER),
        )
    )


def predictions_folder(folder: Path, runs: Sequence[Path]) -> Path:
    """Return the folder of a project for the predictions of a model, or of the mean of several."""
    return folder / PREDICTIONS_FOLDER / mean_name(runs)


def _unpredicted(cohort: Cohort | None, folder: Path | None, *, used: KnownModel | None) -> tuple[str, ...]:
    if cohort is None or folder is None or used is None:
        return ()
    there = names_in(predictions_folder(folder, [used.run]))
    return tuple(name for name in cohort.names if name_among(there, f"{name}.nii.gz") is None)
