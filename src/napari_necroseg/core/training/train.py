"""Trains a network as planned, and writes its model into a folder.

Read it from the top: `train_planned` guards the folder, `_Job` reads the cases and writes the model, `_Steps`
learns from one mini-batch after the other.
"""

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.case import Case, Cohort
from napari_necroseg.core.cohort.seen_cases import Learned, patient_sha256
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.display import duration
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
    Hardware,
    hand_back_memory,
    memory_errors,
    resolve_hardware,
    torch_settings,
    used_memory_gib,
)
from napari_necroseg.core.network.model import Model, save_run, software_versions
from napari_necroseg.core.network.stopping import Controls, Stopped, check, interruptible
from napari_necroseg.core.network.unet import n_parameters
from napari_necroseg.core.plan import Plan, with_fewer_cases
from napari_necroseg.core.project.model_folder import RunRecord, TrainedRun, lock_path
from napari_necroseg.core.training.checkpoint import (
    Checkpoint,
    TrainingProgress,
    check_new,
    check_resumable,
    check_same_voxels,
    drop_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from napari_necroseg.core.training.description import smaller_in_words
from napari_necroseg.core.training.learner import Learner
from napari_necroseg.core.training.mini_batches import mini_batches
from napari_necroseg.core.training.preflight import (
    announcement,
    check_space,
    known_by_image,
    known_by_table,
    left_out,
    remarks,
    whose_masks,
)
from napari_necroseg.core.training.sources import Loaded, load_sources, source_sha256
from napari_necroseg.core.training.validation import dice_of_cases, load_validation_cases

# A training that was just killed may hold its lock for a moment.
_SECONDS_TO_WAIT = 2.0
_SECONDS_BETWEEN_EVENTS = 0.1
# At most this much work is lost when the computer fails.
_SECONDS_BETWEEN_CHECKPOINTS = 30.0
# Kept back from a time limit for writing the model.
_SECONDS_TO_SAVE = 0.5
_SECONDS_BETWEEN_LOOKS = 0.05
# A fine-tuning that loses more than this on the cases of its start model is warned of.
_FORGOTTEN_DICE = 0.05

# What to do with a folder in which a training was interrupted; a study resumes what there is, or begins.
OnExisting = Literal["refuse", "resume", "resume_or_begin"]


def train_planned(
    plan: Plan,
    cohort: Cohort,
    *,
    run: Path,
    hardware: Hardware | None = None,
    model: Model | None = None,
    validation: Cohort | None = None,
    on_existing: OnExisting = "refuse",
    controls: Controls | None = None,
) -> Generator[Event, None, None]:
    """Train a network as planned; `core.training.start.train` explains arguments, events and errors.

    Every half minute a checkpoint is written into the folder `run`. It is removed when the training ends or
    is stopped, and stays when the program is killed or the generator is closed, when a resumed training is
    stopped, or one for which `controls.leave` is set. Cases of the cohort that are not the plan's are not
    trained on; each that shares a patient or an image with a training case is named first.
    """
    controls, hardware = controls or Controls(), hardware or resolve_hardware(plan.config)
    resumes = on_existing != "refuse"
    if not resumes:
        check_new(run)
    size = f"{plan.config.batch_size} patches of {' x '.join(str(n) for n in plan.patch_shape)}"
    with (
        memory_errors(f"a mini-batch of {size} voxels and {len(plan.cases)} cases", smaller_in_words(plan)),
        torch_settings(hardware.threads),
        file_lock(lock_path(run), f"The training in {run}", wait_s=_SECONDS_TO_WAIT, stop=controls.stop),
    ):
        # Another program may have trained here until the lock was free.
        (check_resumable if resumes else check_new)(run)
        try:
            job = _Job(
                plan=plan,
                cohort=cohort,
                trained=cohort.only(plan.cases),
                validation=validation or Cohort(cases=()),
                run=run,
                hardware=hardware,
                model=model,
                on_existing=on_existing,
                controls=controls,
            )
            yield from job.events()
        except Stopped:
            pass
        finally:
            # A stopped training leaves nothing, unless it resumed another, whose work it must not throw away.
            # The wish decides, not who saw it first: a step, or whoever draws the events.
            if controls.stop.is_set() and not (resumes or controls.leave.is_set()):
                drop_checkpoint(run)
            hand_back_memory(hardware.device)


@dataclass(kw_only=True)
class State:
    """How far a training is: its mini-batches, their time, the loss as last reported, the last mean Dice."""

    iteration: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    dice: float = math.nan
    # How long the last validation took.
    validation_s: float = 0.0
    # The lines of ``history.csv`` below its header.
    history: list[str] = field(default_factory=list)

    @property
    def dice_at_start(self) -> float:
        """The mean Dice before the first step; a training that was resumed knows it from its history."""
        columns = [line.split(",") for line in self.history]
        return next((float(dice) for iteration, _, _, dice in columns if iteration == "0" and dice), math.nan)


class Clock:
    """Seconds of a training: those before an interruption included, pauses left out."""

    def __init__(self) -> None:
        self._zero = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds until now."""
        return time.monotonic() - self._zero

    def set_back(self, seconds: float) -> None:
        """Set it to `seconds`."""
        self._zero = time.monotonic() - seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """A training, from reading the cases to writing the model."""

    plan: Plan
    cohort: Cohort
    trained: Cohort
    validation: Cohort
    run: Path
    hardware: Hardware
    model: Model | None
    on_existing: OnExisting
    controls: Controls

    def events(self) -> Generator[Event, None, None]:
        """Read the cases, learn, and write the model."""
        clock = Clock()
        loaded = yield from self._read()
        watched = yield from load_validation_cases(
            self.plan, self.validation, trained=self.trained, controls=self.controls
        )
        steps = _Steps(
            job=self,
            plan=with_fewer_cases(self.plan, len(loaded.sources)),
            learner=Learner(self.plan, self.hardware, initial=self.model),
            sources=loaded.sources,
            digests={source.name: source_sha256(source) for source in loaded.sources},
            watched=watched,
            clock=clock,
        )
        if self.on_existing != "refuse":
            yield from steps.resume()
        network, state = steps.learner.network, steps.state
        with interruptible(network, self.controls.stop):
            yield from steps.events()
        save_run(self.run, network, record=self._final_record(steps, loaded), history=_csv(state))
        drop_checkpoint(self.run)
        yield Finished(
            result=TrainedRun(
                run=self.run,
                cases=len(loaded.sources),
                parameters=n_parameters(network),
                iterations=state.iteration,
                seconds=clock.seconds(),
                loss=state.loss,
            )
        )

    def _read(self) -> Generator[Event, None, Loaded]:
        """Load the training cases; say before and after whatever makes a poor model or too good a score."""
        yield Started(message=announcement(self.plan, self.hardware, model=self.model))
        for words in whose_masks(self.plan, self.cohort, validation=self.validation):
            yield Started(message=words)
        check_space(self.run, self.plan)
        others = left_out(self.plan, self.cohort, validation=self.validation)
        watched = self.validation.names
        yield from known_by_table(
            self.plan, self.trained, others=others, earlier=self._earlier, watched=watched
        )
        loaded = yield from load_sources(
            self.plan, self.trained, device=self.hardware.device, stop=self.controls.stop
        )
        yield from known_by_image(
            self.plan, loaded.marks, others=others, earlier=self._earlier, stop=self.controls.stop
        )
        # A study scores each network on whole folds afterwards.
        if self.on_existing != "resume_or_begin":
            yield from remarks(self.model, n_cases=len(loaded.sources), validation=watched)
        return loaded

    @property
    def _earlier(self) -> Learned:
        """The cases that the model to start from has learned from."""
        return Learned() if self.model is None else self.model.learned

    @property
    def started_from(self) -> str | None:
        """SHA-256 of the weights of the model to start from."""
        return None if self.model is None else self.model.sha256

    def record(self, digests: Mapping[str, str], state: State) -> RunRecord:
        """Say how the network was made, as far as it is."""
        plan, hardware = self.plan, self.hardware
        return RunRecord(
            config=plan.config,
            cases=tuple(digests),
            patch_shape=plan.patch_shape,
            widths=plan.widths,
            device=hardware.device,
            threads=hardware.threads,
            iterations=state.iteration,
            seconds=state.seconds,
            loss=state.loss,
            versions=software_versions(),
            case_sha256=dict(digests),
            started_from=self.started_from,
            earlier_cases=() if self.model is None else self.model.cases,
            device_name=hardware.name,
            number_format=str(hardware.short_dtype or torch.float32).removeprefix("torch."),
        )

    def _final_record(self, steps: "_Steps", loaded: Loaded) -> RunRecord:
        """Add by which images and patients a known case is recognised, and whose masks counted."""
        images, earlier = [mark for marks in loaded.marks.values() for mark in marks], self._earlier
        patients = {patient_sha256(self.trained[name].patient_or_name) for name in loaded.marks}
        likenesses = {mark.likeness for mark in images} - {""} | set(earlier.likenesses)
        used = (*self.trained.only(tuple(steps.digests)), *self.validation)
        return self.record(steps.digests, steps.state).model_copy(
            update={
                "validation": self.validation.names,
                "masks": {files.name: files.whose(self.plan.config.target) for files in used},
                "images_sha256": tuple(sorted({mark.sha256 for mark in images} | earlier.images_sha256)),
                "images_likeness": tuple(sorted(likenesses)),
                "patients_sha256": tuple(sorted(patients | earlier.patients)),
            }
        )


def _csv(state: State) -> str:
    return "\n".join(["iteration,seconds,loss,validation_dice", *state.history]) + "\n"


@dataclass(kw_only=True, eq=False)
class _Steps:
    """The steps of a training."""

    job: _Job
    # With the iterations for the cases that were loaded.
    plan: Plan
    learner: Learner
    sources: tuple[Source, ...]
    # SHA-256 of what each source contributes.
    digests: Mapping[str, str]
    watched: tuple[Case, ...]
    clock: Clock
    state: State = field(default_factory=State)

    def resume(self) -> Iterator[Event]:
        """Bring the learner and the state to where the checkpoint is; without one, begin anew."""
        run, checkpoint = self.job.run, load_checkpoint(self.job.run, self.job.plan)
        if checkpoint is None:
            if self.job.on_existing == "resume":
                yield Warned(message=f"{run} holds no checkpoint yet: the training begins anew.")
            return
        done = checkpoint.progress
        check_same_voxels(run, done, case_sha256=self.digests)
        if done.started_from != self.job.started_from:
            raise SettingsError(
                f"The training in {run} started from other weights; resume it with its own --from."
            )
        self.learner.load_state(checkpoint.tensors)
        self.state = State(iteration=done.iteration, seconds=done.seconds, history=list(done.history))
        self.clock.set_back(done.seconds + self.clock.seconds())
        yield Started(message=f"Going on after iteration {done.iteration}.")

    def events(self) -> Generator[Event, None, None]:
        """Do the steps that are left.

        A network that was trained before is validated before the first step, too: that shows what it forgets.
        """
        plan, state, clock, controls = self.plan, self.state, self.clock, self.job.controls
        losses: list[Tensor] = []
        if self.watched and self.job.model is not None and state.iteration == 0:
            yield from self._validate()
        before = reported = saved = validated = clock.seconds()
        yield from _tell_reading(plan, state, seconds=before)
        for sample in mini_batches(self.sources, plan, first=state.iteration):
            losses.append(self.learner.step(sample, _progress(plan, state.iteration, elapsed_s=before)))
            state.iteration, state.seconds = state.iteration + 1, clock.seconds()
            is_last = _is_last(plan, state, controls=controls, step_s=state.seconds - before)
            before = state.seconds
            if is_last or state.seconds - reported >= _SECONDS_BETWEEN_EVENTS:
                yield self._report(losses, seconds=state.seconds - reported)
                losses, reported = [], state.seconds
            if self.watched and (is_last or state.seconds - validated >= plan.config.validation_minutes * 60):
                yield from self._validate()
                before = reported = validated = clock.seconds()
            if is_last:
                yield from _tell_forgetting(state)
                return
            if state.seconds - saved >= _SECONDS_BETWEEN_CHECKPOINTS or controls.pause.is_set():
                self._save_checkpoint()
                yield Checkpointed(iteration=state.iteration)
                saved = state.seconds
            if controls.pause.is_set():
                yield from _pause(controls, state)
                clock.set_back(state.seconds)

    def _report(self, losses: list[Tensor], *, seconds: float) -> TrainingStep:
        plan, state = self.plan, self.state
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
            seconds_left=_seconds_left(plan, state),
            samples_per_s=len(losses) * plan.config.batch_size / seconds if seconds > 0 else None,
            memory_gib=used_memory_gib(self.job.hardware.device),
        )

    def _validate(self) -> Generator[Event, None, None]:
        job, state, network = self.job, self.state, self.learner.network
        began_s = self.clock.seconds()
        model = Model(network=network.eval(), record=job.record(self.digests, state), run=job.run, sha256="")
        dice = yield from dice_of_cases(model, self.watched, hardware=job.hardware, controls=job.controls)
        network.train()
        state.validation_s = self.clock.seconds() - began_s
        # As everywhere: nothing to find and nothing found is undefined, and counts in no mean.
        defined = [value for value in dice.values() if not math.isnan(value)]
        mean = state.dice = sum(defined) / len(defined) if defined else math.nan
        state.history.append(f"{state.iteration},{state.seconds:.3f},,{mean:.6f}")
        yield Validated(iteration=state.iteration, dice=dice, mean_dice=mean)

    def _save_checkpoint(self) -> None:
        progress = TrainingProgress(
            config=self.plan.config,
            cases=self.plan.cases,
            case_sha256=self.digests,
            started_from=self.job.started_from,
            iteration=self.state.iteration,
            seconds=self.state.seconds,
            history=tuple(self.state.history),
        )
        save_checkpoint(self.job.run, Checkpoint(tensors=self.learner.state(), progress=progress))


def _is_last(plan: Plan, state: State, *, controls: Controls, step_s: float) -> bool:
    """Whether the training ends here: at its length, before its limit would be passed, or as wished."""
    is_done = plan.iterations is not None and state.iteration >= plan.iterations
    # One more step takes about as long as the last, and so does the validation at the end.
    ahead_s = step_s + state.validation_s + _SECONDS_TO_SAVE
    is_late = plan.seconds is not None and state.seconds + ahead_s > plan.seconds
    return is_done or is_late or controls.keep.is_set()


def _progress(plan: Plan, iteration: int, *, elapsed_s: float) -> float:
    """Return the share that is done: by iterations where these are fixed, so that a training can repeat."""
    if plan.iterations is not None:
        return iteration / plan.iterations
    return elapsed_s / plan.seconds if plan.seconds else 0.0


def _seconds_left(plan: Plan, state: State) -> float | None:
    if plan.seconds is not None:
        return max(0.0, plan.seconds - state.seconds)
    if plan.iterations is None:
        return None
    return state.seconds / state.iteration * (plan.iterations - state.iteration)


def _tell_reading(plan: Plan, state: State, *, seconds: float) -> Iterator[Event]:
    """Warn if most of a time limit is over before the first step."""
    if state.iteration == 0 and plan.seconds is not None and seconds > plan.seconds / 2:
        yield Warned(
            message=f"Reading the cases took {duration(seconds)} of the {duration(plan.seconds)} that the "
            "training may take: the model will have learned little. Give it more minutes."
        )


def _tell_forgetting(state: State) -> Iterator[Event]:
    before = state.dice_at_start
    if state.dice < before - _FORGOTTEN_DICE:
        yield Warned(
            message=f"The mean Dice of the watched cases fell from {before:.3f} to {state.dice:.3f}: "
            "the model forgets. Train together with some of the earlier cases, or for a shorter time."
        )


def _pause(controls: Controls, state: State) -> Iterator[Event]:
    """Wait until the person wants something else; the memory stays in use, the processor does not."""
    yield Paused(iteration=state.iteration)
    while controls.pause.is_set() and not controls.keep.is_set():
        check(controls.stop)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
