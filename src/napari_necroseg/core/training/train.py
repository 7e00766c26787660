"""Trains a network: a generator of events that ends with a folder of files."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.case import Case, Cohort, Whose
from napari_necroseg.core.cohort.seen_cases import ImageMark, Learned, patient_sha256
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import NecrosegError, SettingsError
from napari_necroseg.core.events import (
    Checkpointed,
    Event,
    Finished,
    Paused,
    Started,
    TrainingStep,
    Validated,
    Warned,
)
from napari_necroseg.core.network.device import (
    device_in_words,
    hand_back_memory,
    memory_errors,
    reduced_dtype,
    torch_settings,
    used_memory_gib,
)
from napari_necroseg.core.network.images import load_sources, source_sha256
from napari_necroseg.core.network.model import Model, save_run, software_versions
from napari_necroseg.core.network.stopping import Stopped, Wishes, check, interruptible
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.plan import Plan, duration, with_fewer_cases
from napari_necroseg.core.project.model_folder import RunRecord, TrainedRun, lock_path
from napari_necroseg.core.training.checkpoint import (
    Checkpoint,
    Progressed,
    check_new,
    check_resumable,
    check_same_voxels,
    drop_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from napari_necroseg.core.training.cost import smaller_in_words
from napari_necroseg.core.training.leakage import known_by_image, known_by_table, left_out
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.mini_batches import batches
from napari_necroseg.core.training.preflight import announcement, check_space, remarks, whose_masks
from napari_necroseg.core.training.validation import Validator, load_validation_cases

# A training that was just killed may hold its lock for a moment.
_SECONDS_TO_WAIT = 2.0
_SECONDS_BETWEEN_EVENTS = 0.1

# So much work is lost at most when the computer fails.
_SECONDS_BETWEEN_CHECKPOINTS = 30.0

# Kept back from a time limit for writing the model.
_SECONDS_TO_SAVE = 0.5
_SECONDS_BETWEEN_LOOKS = 0.05

# A fine-tuning that costs more than this is told.
_FORGOTTEN_DICE = 0.05
Validate = Callable[[], Generator[Event, None, Mapping[str, float]]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """From where a training starts; the defaults are random weights and an empty folder.

    Parameters
    ----------
    model
        A trained model whose weights it goes on from (fine-tuning).
    resumes
        Go on from the checkpoint of an interrupted training of the same plan.
    may_go_on
        Go on from whatever an interrupted training left there, or begin; a stop leaves what it has.
    """

    model: Model | None = None
    resumes: bool = False
    may_go_on: bool = False


def train(
    plan: Plan,
    cohort: Cohort,
    *,
    run: Path,
    start: Start | None = None,
    validation: Cohort | None = None,
    wishes: Wishes | None = None,
) -> Generator[Event, None, None]:
    """Train a network.

    Every half minute a checkpoint is written into the folder; it goes when the training ends or is stopped,
    and stays when the program is killed or the generator is closed, when a resumed training is stopped, or
    one that `wishes.leave` says to leave.

    Parameters
    ----------
    plan
        From `make_plan`.
    cohort
        Where the files of the plan's cases are. Other cases are not learned from; each that shares a patient
        or an image with one that is, is named before the training begins.
    run
        A folder that is new or empty (or holds the checkpoint to resume); gets the model at the end.
    start
        From where; random weights if None.
    validation
        Cases to predict and score now and then; what comes of it changes nothing in the training.
    wishes
        To stop within two seconds, also in the middle of a step, leaving nothing and without `Finished`; to
        keep the model as it is; to pause.

    Yields
    ------
    Event
        `Started`, `Progress` while cases are loaded, `Warned`, `TrainingStep` at most ten times a second,
        `Validated`, `Checkpointed`, `Paused`, and `Finished` with a `TrainedRun`.

    Raises
    ------
    FileError
        If `run` is not empty, holds nothing that could be resumed, or another program trains there.
    CohortError
        If a case is missing or an image has one value everywhere, if no case shows the target, or a case is
        trained and validated on.
    ModelError
        If the model to start from is another network, or the checkpoint is damaged.
    SettingsError
        If the checkpoint is of another training.
    ResourceError
        If memory does not suffice, or the disk is full.
    NecrosegError
        If the loss is no longer a number.
    """
    start, wishes = start or Start(), wishes or Wishes()
    goes_on = start.resumes or start.may_go_on
    if not goes_on:
        check_new(run)
    size = f"{plan.config.batch_size} patches of {' x '.join(str(n) for n in plan.patch_shape)}"
    job = _Job(plan=plan, run=run, start=start, wishes=wishes)
    with (
        memory_errors(f"a mini-batch of {size} voxels and {len(plan.cases)} cases", smaller_in_words(plan)),
        torch_settings(plan.threads),
        file_lock(lock_path(run), f"The training in {run}", wait_s=_SECONDS_TO_WAIT, stop=wishes.stop),
    ):
        # Another one may have been here until now.
        (check_resumable if goes_on else check_new)(run)
        try:
            cohort.only(plan.cases)
            yield from job.events(cohort, validation or Cohort(cases=()))
        except Stopped:
            pass
        finally:
            # What was learned before an interruption is not this training's to throw away. Nor does it depend
            # on whether a step or the one who draws the events saw the wish first.
            if wishes.stop.is_set() and not (goes_on or wishes.leave.is_set()):
                drop_checkpoint(run)
            hand_back_memory(plan.device)


@dataclass(kw_only=True)
class State:
    """How far a training is: mini-batches done, their seconds, last loss and validation Dice, its history.

    `validation_s` is what the last look at the validation cases took.
    """

    iteration: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    dice: float = math.nan
    validation_s: float = 0.0
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """A training, from reading the cases to writing the model."""

    plan: Plan
    run: Path
    start: Start
    wishes: Wishes

    def events(self, cohort: Cohort, validation: Cohort) -> Generator[Event, None, None]:
        clock = Clock()
        yield Started(message=announcement(self.plan, self.start.model))
        for words in whose_masks(self.plan, cohort, validation):
            yield Started(message=words)
        check_space(self.run, self.plan)
        others = left_out(self.plan, cohort, validation)
        cohort = cohort.only(self.plan.cases)
        yield from known_by_table(self.plan, cohort, others, self._earlier, watched=validation.names)
        loaded = yield from load_sources(self.plan, cohort, self.wishes.stop)
        sources = loaded.sources
        yield from known_by_image(self.plan, loaded.marks, others, self._earlier, self.wishes.stop)
        # A study scores each network on whole folds afterwards.
        if not self.start.may_go_on:
            yield from remarks(self.start.model, n_cases=len(sources), validation=validation.names)
        plan = with_fewer_cases(self.plan, len(sources))
        cases = yield from load_validation_cases(self.plan, validation, cohort, self.wishes)
        digests = {source.name: source_sha256(source) for source in sources}
        learner, state = Learner(self.plan, initial=self.start.model), State()
        if self.start.resumes or self.start.may_go_on:
            yield from self._resume(learner, state, digests)
            clock.set_back(state.seconds + clock.seconds())
        around = Surroundings(
            clock=clock,
            wishes=self.wishes,
            save=partial(self._save_checkpoint, learner, digests),
            validate=partial(self._validator(cases, digests, state).dice, learner) if cases else None,
            is_tuning=self.start.model is not None,
        )
        with interruptible(learner.network, self.wishes.stop):
            yield from run_steps(learner, sources, plan, state, around)
        record = self._record(digests, state).model_copy(
            update={"validation": validation.names, "masks": self._masks(cohort, validation, digests)}
            | self._learned(cohort, loaded.marks)
        )
        save_run(self.run, learner.network, record, _csv(state))
        drop_checkpoint(self.run)
        yield Finished(
            result=TrainedRun(
                run=self.run,
                cases=len(sources),
                parameters=n_parameters(learner.network),
                iterations=state.iteration,
                seconds=clock.seconds(),
                loss=state.loss,
            )
        )

    @property
    def _started_from(self) -> str | None:
        return None if self.start.model is None else self.start.model.sha256

    def _resume(
        self, learner: Learner, state: State, digests: Mapping[str, str]
    ) -> Generator[Event, None, None]:
        """Bring the learner and the state to where the checkpoint is; without one, begin anew."""
        checkpoint = load_checkpoint(self.run, self.plan)
        if checkpoint is None and self.start.may_go_on:
            return
        if checkpoint is None:
            yield Warned(message=f"{self.run} holds no checkpoint yet: the training begins anew.")
            return
        done = checkpoint.progressed
        check_same_voxels(self.run, done, digests)
        if done.started_from != self._started_from:
            raise SettingsError(
                f"The training in {self.run} started from other weights; resume it with its own --from."
            )
        learner.load_state(checkpoint.tensors)
        state.iteration, state.seconds, state.history = done.iteration, done.seconds, list(done.history)
        yield Started(message=f"Going on after iteration {done.iteration}.")

    def _save_checkpoint(self, learner: Learner, digests: Mapping[str, str], state: State) -> None:
        progressed = Progressed(
            config=self.plan.config,
            cases=self.plan.cases,
            case_sha256=digests,
            started_from=self._started_from,
            iteration=state.iteration,
            seconds=state.seconds,
            history=tuple(state.history),
        )
        save_checkpoint(self.run, Checkpoint(tensors=learner.state(), progressed=progressed))

    def _validator(self, cases: tuple[Case, ...], digests: Mapping[str, str], state: State) -> Validator:
        record = self._record(digests, state)
        return Validator(cases=cases, plan=self.plan, record=record, run=self.run, wishes=self.wishes)

    @property
    def _earlier(self) -> Learned:
        """What the model has learned from that this one starts from."""
        return Learned() if self.start.model is None else self.start.model.learned

    def _learned(
        self, cohort: Cohort, marks: Mapping[str, tuple[ImageMark, ...]]
    ) -> dict[str, tuple[str, ...]]:
        """Return by what those are recognised whom the model has learned from, earlier trainings included."""
        images, earlier = [mark for of_case in marks.values() for mark in of_case], self._earlier
        likenesses = set(earlier.likenesses)
        patients = {patient_sha256(cohort[name].patient_or_name) for name in marks}
        return {
            "images_sha256": tuple(sorted({mark.sha256 for mark in images} | earlier.images_sha256)),
            "images_likeness": tuple(sorted({mark.likeness for mark in images} - {""} | likenesses)),
            "patients_sha256": tuple(sorted(patients | earlier.patients)),
        }

    def _masks(self, cohort: Cohort, validation: Cohort, learned: Iterable[str]) -> dict[str, Whose]:
        target = self.plan.config.target
        used = (*cohort.only(tuple(learned)), *validation)
        return {files.name: files.whose(target) for files in used}

    def _record(
        self,
        digests: Mapping[str, str],
        state: State,
    ) -> RunRecord:
        plan, model = self.plan, self.start.model
        dtype = reduced_dtype(plan.device, plan.config.precision) or torch.float32
        return RunRecord(
            config=plan.config,
            cases=tuple(digests),
            patch_shape=plan.patch_shape,
            widths=plan.widths,
            device=plan.device,
            threads=plan.threads,
            iterations=state.iteration,
            seconds=state.seconds,
            loss=state.loss,
            versions=software_versions(),
            case_sha256=dict(digests),
            started_from=self._started_from,
            earlier_cases=() if model is None else model.cases,
            device_name=device_in_words(plan.device).partition(" (")[0],
            number_format=str(dtype).removeprefix("torch."),
        )


def _csv(state: State) -> str:
    return "\n".join(["iteration,seconds,loss,validation_dice", *state.history]) + "\n"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a training does beside its steps.

    Parameters
    ----------
    clock
        Counts its seconds.
    wishes
        What the person wants of it meanwhile.
    save
        Writes a checkpoint.
    validate
        Yields events, and returns the Dice coefficient of each validation case; None without such cases.
    is_tuning
        Whether the network was trained before.
    """

    clock: "Clock"
    wishes: Wishes
    save: Callable[[State], None]
    validate: Validate | None = None
    is_tuning: bool = False


class Clock:
    """Seconds of a training: those before it was interrupted included, pauses left out."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._zero = time.monotonic() - seconds

    def seconds(self) -> float:
        """Return the seconds until now."""
        return time.monotonic() - self._zero

    def set_back(self, seconds: float) -> None:
        """Let it be `seconds` now."""
        self._zero = time.monotonic() - seconds


def run_steps(
    learner: Learner, sources: tuple[Source, ...], plan: Plan, state: State, around: Surroundings
) -> Generator[Event, None, None]:
    """Do the steps that are left, and keep `state` up to date.

    What was trained before is validated before the first step, too, so that it shows what it forgets.

    Yields
    ------
    Event
        `TrainingStep` at most ten times a second, `Validated` every `validation_minutes`, `Checkpointed`,
        `Paused`.
    """
    losses: list[Tensor] = []
    clock = around.clock
    if around.validate and around.is_tuning and state.iteration == 0:
        yield from _validate(learner, around, state)
    before = reported = saved = validated = clock.seconds()
    yield from _tell_reading(plan, state, before)
    for sample in batches(sources, plan, first=state.iteration):
        losses.append(learner.step(sample, _progress(plan, state.iteration, before)))
        state.iteration, state.seconds = state.iteration + 1, clock.seconds()
        is_last = _is_last(plan, state, around.wishes, step_s=state.seconds - before)
        before = state.seconds
        if is_last or state.seconds - reported >= _SECONDS_BETWEEN_EVENTS:
            yield _report(plan, state, losses, seconds=state.seconds - reported)
            losses, reported = [], state.seconds
        if around.validate and (is_last or state.seconds - validated >= plan.config.validation_minutes * 60):
            yield from _validate(learner, around, state)
            before = reported = validated = clock.seconds()
        if is_last:
            yield from _tell_forgetting(state)
            return
        if state.seconds - saved >= _SECONDS_BETWEEN_CHECKPOINTS or around.wishes.pause.is_set():
            around.save(state)
            yield Checkpointed(iteration=state.iteration)
            saved = state.seconds
        if around.wishes.pause.is_set():
            yield from _pause(around.wishes, state)
            clock.set_back(state.seconds)


def _is_last(plan: Plan, state: State, wishes: Wishes, *, step_s: float) -> bool:
    """Whether the training ends here: at its length, before its limit would be passed, or as wished."""
    is_done = plan.iterations is not None and state.iteration >= plan.iterations
    # One more step takes about as long as the last, and so does the validation at the end.
    ahead_s = step_s + state.validation_s + _SECONDS_TO_SAVE
    is_late = plan.seconds is not None and state.seconds + ahead_s > plan.seconds
    return is_done or is_late or wishes.keep.is_set()


def _progress(plan: Plan, iteration: int, elapsed_s: float) -> float:
    """How much of the training is behind: by its iterations where these are fixed, so that it can repeat."""
    if plan.iterations is not None:
        return iteration / plan.iterations
    return elapsed_s / plan.seconds if plan.seconds else 0.0


def _report(plan: Plan, state: State, losses: list[Tensor], *, seconds: float) -> TrainingStep:
    state.loss = float(torch.stack(losses).mean())
    if not math.isfinite(state.loss):
        raise NecrosegError(
            f"The training diverged: after {state.iteration} iterations the loss is not a number. Train "
            f"again with a learning rate below {plan.config.learning_rate:g}, or with the precision fp32."
        )
    state.history.append(f"{state.iteration},{state.seconds:.3f},{state.loss:.6f},")
    return TrainingStep(
        iteration=state.iteration,
        iterations=plan.iterations,
        loss=state.loss,
        seconds=state.seconds,
        seconds_left=_seconds_left(plan, state.iteration, state.seconds),
        samples_per_s=len(losses) * plan.config.batch_size / seconds if seconds > 0 else None,
        memory_gib=used_memory_gib(plan.device),
    )


def _seconds_left(plan: Plan, iteration: int, elapsed_s: float) -> float | None:
    if plan.seconds is not None:
        return max(0.0, plan.seconds - elapsed_s)
    if plan.iterations is None:
        return None
    return elapsed_s / iteration * (plan.iterations - iteration)


def _validate(learner: Learner, around: Surroundings, state: State) -> Generator[Event, None, None]:
    assert around.validate is not None
    began_s = around.clock.seconds()
    learner.network.eval()
    dice = yield from around.validate()
    learner.network.train()
    state.validation_s = around.clock.seconds() - began_s
    # As everywhere: nothing to find and nothing found is undefined, and in no mean.
    defined = [value for value in dice.values() if not math.isnan(value)]
    mean = state.dice = sum(defined) / len(defined) if defined else math.nan
    state.history.append(f"{state.iteration},{state.seconds:.3f},,{mean:.6f}")
    yield Validated(iteration=state.iteration, dice=dict(dice), mean_dice=mean)


def _tell_reading(plan: Plan, state: State, seconds: float) -> Generator[Event, None, None]:
    """Tell a time limit of which most is over before the first step."""
    if state.iteration == 0 and plan.seconds is not None and seconds > plan.seconds / 2:
        yield Warned(
            message=f"Reading the cases took {duration(seconds)} of the {duration(plan.seconds)} that the "
            "training may take: the model will have learned little. Give it more minutes."
        )


def _tell_forgetting(state: State) -> Generator[Event, None, None]:
    before = _dice_at_start(state)
    if state.dice < before - _FORGOTTEN_DICE:
        yield Warned(
            message=f"The mean Dice of the watched cases fell from {before:.3f} to {state.dice:.3f}: "
            "the model forgets. Train together with some of the earlier cases, or for a shorter time."
        )


def _dice_at_start(state: State) -> float:
    """Return the mean Dice before the first step, of which an interrupted training knows by its history."""
    columns = [line.split(",") for line in state.history]
    return next((float(dice) for iteration, _, _, dice in columns if iteration == "0" and dice), math.nan)


def _pause(wishes: Wishes, state: State) -> Generator[Event, None, None]:
    """Wait until the person wants something else; the memory stays in use, the processor does not."""
    yield Paused(iteration=state.iteration)
    while wishes.pause.is_set() and not wishes.keep.is_set():
        check(wishes.stop)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
