"""Training a network: a generator of events that ends with a folder of files."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from napari_necroseg.core.case import Case, Cohort, Whose
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Event, Finished, Started, Warned
from napari_necroseg.core.file_lock import file_lock
from napari_necroseg.core.io.known import ImageMark, Learned, patient_sha256
from napari_necroseg.core.learning.before import announcement, check_space, remarks, whose_masks
from napari_necroseg.core.learning.checkpoint import Model, RunRecord, save_run, software_versions
from napari_necroseg.core.learning.device import (
    device_in_words,
    hand_back_memory,
    memory_errors,
    reduced_dtype,
    torch_settings,
)
from napari_necroseg.core.learning.interrupt import Stopped, Wishes, interruptible
from napari_necroseg.core.learning.learner import Learner
from napari_necroseg.core.learning.left_out import known_by_image, known_by_table, left_out
from napari_necroseg.core.learning.loop import Clock, State, Surroundings, run_steps
from napari_necroseg.core.learning.planned import smaller_in_words
from napari_necroseg.core.learning.resume import (
    Checkpoint,
    Progressed,
    check_new,
    check_resumable,
    check_same_voxels,
    drop_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from napari_necroseg.core.learning.unet import n_parameters
from napari_necroseg.core.learning.validate import Validator, load_validation_cases
from napari_necroseg.core.learning.volumes import load_sources, source_sha256
from napari_necroseg.core.plan import Plan, with_fewer_cases
from napari_necroseg.core.project.models import lock_path

# A training that was just killed may hold its lock for a moment.
_SECONDS_TO_WAIT = 2.0


@dataclass(frozen=True, kw_only=True)
class TrainedRun:
    """What a training came to.

    Parameters
    ----------
    run
        The folder with the model.
    cases
        Number of cases that it learned from.
    parameters
        Number of trained weights.
    iterations, seconds
        Mini-batches done, and the wall time of it all.
    loss
        As last reported.
    """

    run: Path
    cases: int
    parameters: int
    iterations: int
    seconds: float
    loss: float

    def __str__(self) -> str:
        return (
            f"Trained on {self.cases} cases for {self.iterations} iterations ({self.seconds / 60:.1f} min), "
            f"last loss {self.loss:.3f}; the model is in {self.run}."
        )


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
