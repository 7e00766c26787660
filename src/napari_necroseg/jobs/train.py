"""Trains in a process of its own: a new training, or one that was interrupted."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import Dimension, Preset, TrainConfig, describe, train_preset
from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import CohortError, ModelError
from napari_necroseg.core.events import Event, Progress
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

# What a trained model may take for granted.
TAKEN = (*SAME_NETWORK, *SAME_IMAGES)
_NONE = Cohort(cases=())


def taken_by(run: Path | None) -> tuple[str, ...]:
    """Return which choices a model takes for granted: not to be made where it is gone on from."""
    if run is None:
        return ()
    learned = trained_config(run)
    return TAKEN if learned is None else (*SAME_NETWORK, *seen_by(learned))


def starting_point(
    preset: Preset, dimension: Dimension, personal: Mapping[str, object], run: Path | None
) -> TrainConfig:
    """Return a preset with a person's own choices, and what a model takes for granted in place of both.

    What goes on from a model starts from the preset for that (`fine_tuning_preset`).

    A model that cannot be read changes nothing here; the training itself says what is wrong with it.
    """
    learned = None if run is None else trained_config(run)
    if learned is None:
        return train_preset(preset, dimension).changed(**personal)
    config = fine_tuned(fine_tuning_preset(preset, learned.dimension).changed(**personal), learned)
    return config.changed(**{name: getattr(learned, name) for name in SAME_NETWORK})


def to_score(held_out: tuple[str, ...], run: Path | None) -> tuple[str, ...]:
    """Return the cases to score meanwhile: a few that the model knows, so that forgetting shows, or all."""
    return watched(held_out, () if run is None else learned_cases(run)) or held_out


def _set_event() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass(frozen=True, kw_only=True)
class TrainingControls:
    """What a training is given beside its plan: where it starts, and what the person does meanwhile.

    Parameters
    ----------
    start_from
        The model whose weights it goes on from; None for random ones.
    keep, pause
        End it with the model as it is; let it stand still.
    leave
        Unless it is cleared, what was learned stays on disk when the training is stopped, to go on from.
    picture
        The case among those that are scored meanwhile which is to be seen.
    left_out
        Other cases of the cohort: those with a patient or an image that is learned from are named.
    """

    start_from: Path | None = None
    keep: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    leave: threading.Event = field(default_factory=_set_event)
    picture: str | None = None
    left_out: Cohort = _NONE


def train_on(
    config: TrainConfig,
    cohorts: tuple[Cohort, Cohort],
    run: Path,
    wants: TrainingControls,
    stop: threading.Event,
) -> Iterator[Event]:
    """Plan a training and do it; the `cohorts` are the cases to train on, and those to score meanwhile."""
    training = _Training(config, cohorts, run, wants.start_from, wants.picture, wants.left_out)
    yield from _remotely(training, wants, stop)


def resume_training(
    cohorts: tuple[Cohort, Cohort], run: Path, wants: TrainingControls, stop: threading.Event
) -> Iterator[Event]:
    """Go on with an interrupted training, with the choices and cases that it had.

    The `cohorts` are where its cases are, and those of which any that it does not train on may be scored.
    """
    yield from _remotely(_Training(None, cohorts, run, None, wants.picture, cohorts[0]), wants, stop)


def _remotely(training: "_Training", wants: TrainingControls, stop: threading.Event) -> Iterator[Event]:
    """Train in a process of its own: PyTorch then holds neither Python nor memory of the viewer."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    # They are told in this order: whether to leave something before the wish to stop.
    flags = {"leave": wants.leave, "keep": wants.keep, "pause": wants.pause, "stop": stop}
    is_new = training.config is not None and not training.run.exists()
    try:
        yield from run_remotely(training, flags)
    finally:
        # It may have had no time left to clean up by itself.
        if is_new and stop.is_set() and not wants.leave.is_set():
            discard_interrupted(training.run)


@dataclass(frozen=True)
class _Training:
    """A training as it is handed to its process; without a configuration, one that was interrupted."""

    config: TrainConfig | None
    cohorts: tuple[Cohort, Cohort]
    run: Path
    start_from: Path | None
    picture: str | None
    left_out: Cohort = _NONE

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        from napari_necroseg.core.network.stopping import Wishes
        from napari_necroseg.core.training.start import train

        config, cohort, validation, start_from = self._what()
        # Asked for by name: they are made when they are first looked at.
        told = {name: flags[name] for name in ("leave", "keep", "pause", "stop")}
        yield from train(
            cohort,
            config,
            out=self.run,
            start_from=start_from,
            validation=validation,
            left_out=self.left_out,
            on_existing="resume" if self.config is None else "refuse",
            wishes=Wishes(**told, picture=self.picture),
        )

    def _what(self) -> tuple[TrainConfig, Cohort, Cohort, Path | None]:
        """Configuration, cases, cases to score, and model to start from: as given, or as they were."""
        if self.config is not None:
            return self.config, *self.cohorts, self.start_from
        from napari_necroseg.core.training.checkpoint import read_progress

        progress = read_progress(self.run)
        self._check_there(progress.cases)
        cohort = self.cohorts[0].only(progress.cases)
        validation = may_validate(self.cohorts[1], cohort, progress.config)
        if progress.started_from is None:
            return progress.config, cohort, validation, None
        start_from = find_weights(self.run.parent, progress.started_from)
        if start_from is None:
            raise ModelError(
                f"The model that {self.run.name} went on from is not in {self.run.parent}: copy its folder "
                "there, or discard this training."
            )
        return progress.config, cohort, validation.only(to_score(validation.names, start_from)), start_from

    def _check_there(self, cases: Sequence[str]) -> None:
        """Refuse to go on without a case that the training began with."""
        missing = [name for name in cases if name not in self.cohorts[0].names]
        if missing:
            raise CohortError(
                f"{self.run.name} was begun with {missing[0]}, which is not in the list: add its layers as "
                "they were, open the cohort that it is in, or discard this training."
            )


def augmentation_in_words(plan: Plan | None, *, is_chosen: bool) -> str:
    """Say how samples are varied, and who chose that."""
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
