"""Trains in a process of its own: a new training, or one that was interrupted."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from napari_necroseg.core.case import CaseFiles, Cohort, DrawnMask, Sequence
from napari_necroseg.core.config import Dimension, Preset, Target, TrainConfig, describe, train_preset
from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import CohortError, ModelError
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.images.file_image import FileImage
from napari_necroseg.core.plan import (
    SAME_IMAGES,
    SAME_NETWORK,
    Plan,
    fine_tuned,
    fine_tuning_preset,
    may_validate,
    seen_by,
    watched,
)
from napari_necroseg.core.process import run_remotely
from napari_necroseg.core.project.model_folder import discard_interrupted, learned_cases, trained_config
from napari_necroseg.core.project.models import find_weights

# Settings that the model to start from may dictate.
DICTATED = (*SAME_NETWORK, *SAME_IMAGES)
_NOBODY = Cohort(cases=())


def dictated_by(run: Path | None) -> tuple[str, ...]:
    """Return which settings the model to start from dictates, so that they cannot be chosen."""
    if run is None:
        return ()
    learned = trained_config(run)
    return DICTATED if learned is None else (*SAME_NETWORK, *seen_by(learned))


def starting_point(
    preset: Preset, dimension: Dimension, *, personal: Mapping[str, object], run: Path | None
) -> TrainConfig:
    """Return a preset with a person's own choices; what the model to start from dictates replaces both.

    A model to start from has a preset of its own (`fine_tuning_preset`). One that cannot be read changes
    nothing here: the training itself says what is wrong with it.
    """
    learned = None if run is None else trained_config(run)
    if learned is None:
        return train_preset(preset, dimension).changed(**personal)
    config = fine_tuned(fine_tuning_preset(preset, learned.dimension).changed(**personal), learned)
    return config.changed(**{name: getattr(learned, name) for name in SAME_NETWORK})


def cases_to_score(held_out: tuple[str, ...], run: Path | None) -> tuple[str, ...]:
    """Return the cases to score during a training.

    These are a few that the model to start from has learned, so that forgetting shows; if it has learned
    none of them, or there is no such model, all that are held out.
    """
    return watched(held_out, () if run is None else learned_cases(run)) or held_out


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass(frozen=True, kw_only=True)
class TrainingControls:
    """Flags by which a person steers a training while it runs."""

    # End it with the model as it is; let it stand still.
    keep: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    # If it is cleared, a stop discards what was learned; otherwise the training can be resumed.
    leave: threading.Event = field(default_factory=_set_event)


@dataclass(frozen=True, kw_only=True)
class NewTraining:
    """A training, as it is handed to the process that does it."""

    # The choices, the cases to train on, and the folder of the model.
    config: TrainConfig
    cohort: Cohort
    validation: Cohort
    out: Path
    # The model whose weights it starts from; None for random ones.
    start_from: Path | None = None
    # Other cases of the cohort: those that share a patient or an image with the training are named.
    left_out: Cohort = _NOBODY
    # The case among `validation` of which each prediction is shown.
    picture: str | None = None
    # What happens if `out` holds a checkpoint.
    on_existing: Literal["refuse", "resume"] = "refuse"

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        """Train; called in its own process."""
        from napari_necroseg.core.network.stopping import Controls
        from napari_necroseg.core.training.start import train

        # Asked for by name: they are made when they are first looked at.
        told = {name: flags[name] for name in ("leave", "keep", "pause", "stop")}
        return train(
            self.cohort,
            self.config,
            out=self.out,
            start_from=self.start_from,
            validation=self.validation,
            left_out=self.left_out,
            on_existing=self.on_existing,
            controls=Controls(**told, picture=self.picture),
        )


@dataclass(frozen=True, kw_only=True)
class ResumedTraining:
    """An interrupted training, with the choices and cases that it had."""

    out: Path
    # All cases that are there, among them those that it trains on.
    cohort: Cohort
    # Cases to score meanwhile, as far as it does not train on them.
    validation: Cohort
    # As in `NewTraining`.
    picture: str | None = None

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        """Go on with it; called in its own process."""
        return self.as_begun()(flags)

    def as_begun(self) -> NewTraining:
        """Read which training it was.

        Raises CohortError or ModelError if a case, or the model that it started from, is missing.
        """
        from napari_necroseg.core.training.checkpoint import read_progress

        progress = read_progress(self.out)
        self._check_there(progress.cases)
        cohort = self.cohort.only(progress.cases)
        validation, start_from = may_validate(self.validation, cohort, config=progress.config), None
        if progress.started_from is not None:
            start_from = self._start_model(progress.started_from)
            validation = validation.only(cases_to_score(validation.names, start_from))
        return NewTraining(
            config=progress.config,
            cohort=cohort,
            validation=validation,
            out=self.out,
            start_from=start_from,
            left_out=self.cohort,
            picture=self.picture,
            on_existing="resume",
        )

    def _check_there(self, cases: Iterable[str]) -> None:
        missing = [name for name in cases if name not in self.cohort.names]
        if missing:
            raise CohortError(
                f"{self.out.name} was begun with {missing[0]}, which is not in the list: add its layers as "
                "they were, open the cohort that it is in, or discard this training."
            )

    def _start_model(self, sha256: str) -> Path:
        start_from = find_weights(self.out.parent, sha256)
        if start_from is None:
            raise ModelError(
                f"The model that {self.out.name} went on from is not in {self.out.parent}: copy its folder "
                "there, or discard this training."
            )
        return start_from


def do_training(
    training: NewTraining | ResumedTraining, controls: TrainingControls, *, stop: threading.Event
) -> Iterator[Event]:
    """Train in a process of its own: PyTorch then holds neither Python nor memory of the viewer."""
    yield Progress(done=0, total=0, message="Getting ready ...")
    # The other process sees them change in this order: `leave` must arrive before `stop`.
    flags = {"leave": controls.leave, "keep": controls.keep, "pause": controls.pause, "stop": stop}
    is_new = isinstance(training, NewTraining) and not training.out.exists()
    try:
        yield from run_remotely(training, flags)
    finally:
        # That process may have had no time left to clean up.
        if is_new and stop.is_set() and not controls.leave.is_set():
            discard_interrupted(training.out)


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerCase:
    """Layers that a person added as a case, as they were then: later strokes are not included."""

    name: str
    # Images by sequence; ceT1 is always there.
    images: Mapping[Sequence, FileImage]
    # The drawn mask, and the target that it shows.
    mask: FileImage
    target: Target
    # As in the cohort, if the case is in it.
    patient: str = ""


def load_layer_case(taken: LayerCase, stop: threading.Event) -> Iterator[Event]:
    """Bring layers onto the grid of the ceT1 layer; the result is a row of a cohort that holds the voxels."""
    from napari_necroseg.core.cohort.load import assemble_case

    yield Progress(done=0, total=1, message=f"Taking over the layers of {taken.name} ...")
    case = assemble_case(taken.name, taken.images, masks={taken.target: taken.mask})
    paths = {sequence: image.origin.path or Path(taken.name) for sequence, image in taken.images.items()}
    drawn: dict[str, DrawnMask] = {taken.target: DrawnMask(whose="layers")}
    files = CaseFiles(name=taken.name, sequences=paths, patient=taken.patient, loaded=case, drawn=drawn)
    yield Finished(result=files.with_file(taken.target, Path(taken.name)))


def augmentation_in_words(plan: Plan | None, *, is_chosen: bool) -> str:
    """Say how samples are augmented, and who chose that."""
    if plan is None:
        return ""
    whose = "as chosen in the dock Augmentation preview" if is_chosen else "the preset's"
    return f"Augmentation ({whose}): {describe(plan.config.augment)}."


def plan_in_words(plan: Plan, *, start_from: str) -> str:
    """Say which network learns from how many cases, how long, and from which model's weights, if any."""
    length = f"{plan.iterations} iterations" if plan.iterations is not None else ""
    if plan.seconds is not None:
        length = f"{length}, at most {duration(plan.seconds)}" if length else duration(plan.seconds)
    sequences = " and ".join(str(sequence) for sequence in plan.config.sequences)
    origin = f", from the weights of {start_from}" if start_from else ""
    network = f"{plan.config.dimension.upper()} network on {sequences}"
    return f"{network} of {len(plan.cases)} cases{origin}: {length}."
