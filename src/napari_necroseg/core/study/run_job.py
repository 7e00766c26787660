"""Does one run of a study, or what is left of it: trains, predicts the left-out cases, and scores them."""

import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.config import PredictConfig, TrainConfig
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import CohortError, FileError, NecrosegError, as_mistakes
from napari_necroseg.core.events import CaseFailed, Event, Finished, TrainingStep, Warned
from napari_necroseg.core.files import file_sha256, voxels_sha256, write_text
from napari_necroseg.core.images.read import read_mask_on
from napari_necroseg.core.network.device import Hardware
from napari_necroseg.core.network.model import Model, load_model, software_versions
from napari_necroseg.core.network.stopping import Controls, Stopped, check
from napari_necroseg.core.plan import Plan, make_plan
from napari_necroseg.core.prediction.predict_cohort import predict_cohort
from napari_necroseg.core.project.model_folder import (
    CHECKPOINT_NAME,
    MODELS_FOLDER,
    RECORD_NAME,
    WEIGHTS_NAME,
    trained_config,
)
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.study.cases import CaseStore
from napari_necroseg.core.study.folds import check_unseen
from napari_necroseg.core.study.record import RunState, StudyCase, scores_path, write_state
from napari_necroseg.core.study.results import CaseResult, results_sha256, results_text
from napari_necroseg.core.study.run import (
    Run,
    RunAdvanced,
    RunPlanned,
    RunStarted,
    training_of,
    tuned_training_of,
)
from napari_necroseg.core.training.checkpoint import read_progress
from napari_necroseg.core.training.start import PreparedTraining, prepare_training

# The share of a run that is done when a phase begins; most of it is training.
_BEGINS = {"reading": 0.0, "training": 0.02, "predicting": 0.9, "scoring": 0.98}
_SECONDS_BETWEEN_EVENTS = 0.5

# Long enough for a process that was cut off to notice and let go.
_LOCK_S = 30.0


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """All that a process needs to do a run; it can be pickled."""

    # The run, and the choices of its study.
    run: Run
    config: StudyConfig
    cohort: Cohort
    # Their records: patients, folds and images.
    cases: Mapping[str, StudyCase]
    out: Path
    # Torch's name of the device, or ``auto``.
    device: str
    # CPU threads; all but one if None.
    threads: int | None
    # How its network is applied.
    prediction: PredictConfig

    @property
    def validation(self) -> tuple[str, ...]:
        """The cases that are left out of the training and scored."""
        return tuple(name for name, case in self.cases.items() if case.fold == self.run.fold)

    @property
    def model(self) -> Path:
        """The folder of its model."""
        return self.out / MODELS_FOLDER / self.run.key

    @property
    def predictions(self) -> Path:
        """The folder of its predictions, shared by all folds."""
        return self.out / "predictions" / self.run.out_of_fold

    @property
    def training(self) -> TrainConfig:
        """The choices of its training; a model to start from decides some of them."""
        return tuned_training_of(self.config, self.run)

    def plan(self) -> Plan:
        """Return the plan of its training, on whatever computer that will be."""
        return make_plan(self.training, self.cohort.without(self.validation))

    def planned(self, state: RunState | None) -> RunPlanned:
        """Say what it will be, or how it went."""
        plan = self.plan()
        interrupted = "interrupted" if (self.model / CHECKPOINT_NAME).exists() else "waiting"
        return RunPlanned(
            **self.run.names,
            key=self.run.key,
            iterations=plan.iterations,
            minutes=None if plan.seconds is None else plan.seconds / 60,
            training=len(plan.cases),
            validation=len(self.validation),
            state=interrupted if state is None else state.state,
        )

    def begun_with(self) -> TrainConfig | None:
        """Return the choices of its training if that is finished, or was interrupted; else None."""
        if not (self.model / CHECKPOINT_NAME).exists():
            return trained_config(self.model)
        try:
            return read_progress(self.model).config
        except NecrosegError:
            # The run itself will report what is wrong.
            return None


def do_run(spec: RunSpec, store: CaseStore, *, stop: threading.Event) -> Generator[Event, None, None]:
    """Do a run, or what is left of it, and record how it went; errors are recorded, not raised.

    `spec`: the run. `store`: the cases that this process has read. `stop`: set it to end the run within two
    seconds, without `Finished`; it can be resumed from its last checkpoint.
    Yields `RunStarted`, `RunAdvanced` at most twice a second, `Warned`, and `Finished` with its `RunState`.
    """
    job = _Job(spec=spec, store=store, stop=stop)
    yield RunStarted(**spec.run.names)
    try:
        # Two processes may be given the same run, if one was believed to be lost.
        lock = spec.out / "runs" / f".{spec.run.key}.lock"
        with as_mistakes(), file_lock(lock, f"The run {spec.run}", wait_s=_LOCK_S, stop=stop):
            check(stop)
            yield Finished(result=(yield from job.written()))
    except Stopped:
        return
    except NecrosegError as error:
        if not stop.is_set():
            yield Finished(result=failed(spec, str(error)))


def failed(spec: RunSpec, reason: str) -> RunState:
    """Return the record of a run that could not even begin."""
    return _Job(spec=spec, store=CaseStore(0.0), stop=threading.Event()).state(state="failed", reason=reason)


@dataclass(kw_only=True)
class _Job:
    """A run that is being done."""

    spec: RunSpec
    store: CaseStore
    stop: threading.Event
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    hardware: Hardware | None = None
    reported_s: float = -_SECONDS_BETWEEN_EVENTS
    started_s: float = field(default_factory=time.monotonic)

    def written(self) -> Generator[Event, None, RunState]:
        """Do the run, and record how it went."""
        try:
            with as_mistakes():
                state = yield from self.events()
        except NecrosegError as error:
            state = self.state(state="failed", reason=str(error))
        write_state(self.spec.out, state)
        return state

    def events(self) -> Generator[Event, None, RunState]:
        cohort = yield from self._read()
        validation = cohort.only(self.spec.validation)
        training = cohort.without(self.spec.validation)
        model = yield from self._train(training)
        self._check(model)
        yield from self._predict(model, validation)
        results = yield from self._score(validation)
        write_text(scores_path(self.spec.out, self.spec.run), results_text(results))
        dice = [one.scores.dice for one in results if one.scores.state in ("scored", "missed")]
        return self.state(
            state="done",
            weights_sha256=model.sha256,
            scores_sha256=results_sha256(results),
            predictions_sha256={name: file_sha256(self._mask(name)) for name in validation.names},
            iterations=model.record.iterations,
            mean_dice=sum(dice) / len(dice) if dice else None,
            scored=len(dice),
        )

    def state(self, **values: object) -> RunState:
        """Make the record of the run."""
        spec, hardware = self.spec, self.hardware
        common = {
            **spec.run.names,
            "training": tuple(name for name in spec.cases if name not in spec.validation),
            "validation": spec.validation,
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "device": "" if hardware is None else hardware.name,
            "threads": 0 if hardware is None else hardware.threads,
            "versions": software_versions(),
        }
        return RunState.model_validate(common | values)

    def _read(self) -> Generator[Event, None, Cohort]:
        """Read the cases into memory as far as they fit.

        Raises `CohortError` if a mask was changed since the study began: its runs would have different
        references.
        """
        cases: list[CaseFiles] = []
        with self._timed("reading"):
            for number, files in enumerate(self.spec.cohort):
                check(self.stop)
                yield from self._advanced("reading", number / len(self.spec.cohort))
                cases.append(self.store.with_voxels(files))
                if cases[-1].loaded is not None:
                    self._check_target(cases[-1].loaded)
        return Cohort(cases=tuple(cases))

    def _check_target(self, case: Case) -> None:
        known = self.spec.cases[case.name].target_sha256
        mask = case.mask(self.spec.config.target)
        if known and (mask is None or voxels_sha256(mask) != known):
            raise CohortError(
                f"The {self.spec.config.target} mask of {case.name} was changed since the study began; "
                "restore it, or begin a new study."
            )

    def _train(self, cohort: Cohort) -> Generator[Event, None, Model]:
        spec = self.spec
        config = training_of(spec.config, spec.run)
        start_from = None if spec.config.start_from is None else load_model(spec.config.start_from)
        if start_from is not None:
            self._check(start_from)
            if not start_from.record.images_sha256:
                yield Warned(
                    message=f"The model {start_from.run.name} does not say which images it has learned from: "
                    "it is compared with the cases by their names alone."
                )
        prepared = prepare_training(
            config, cohort, start_from=start_from, device=spec.device, threads=spec.threads
        )
        self.hardware = prepared.hardware
        if not (spec.model / WEIGHTS_NAME).exists() or not (spec.model / RECORD_NAME).exists():
            yield from self._steps(prepared, cohort)
        model = load_model(spec.model)
        _check_same(model, prepared.plan)
        # Of all sessions, if the training was interrupted.
        self.seconds["training"] = model.record.seconds
        return model

    def _steps(self, prepared: PreparedTraining, cohort: Cohort) -> Generator[Event, None, None]:
        job = prepared.train(
            cohort, run=self.spec.model, on_existing="resume_or_begin", controls=Controls(stop=self.stop)
        )
        with closing(job):
            for event in job:
                if isinstance(event, TrainingStep):
                    yield from self._advanced("training", _share(event), step=event)
                elif isinstance(event, Warned):
                    yield event
        check(self.stop)

    def _check(self, model: Model) -> None:
        check_unseen(self.spec.cases, self.spec.validation, learned=model.learned)

    def _predict(self, model: Model, cohort: Cohort) -> Generator[Event, None, None]:
        assert self.hardware is not None
        # Predict in the number format of the training.
        config = self.spec.prediction.changed(
            device=self.hardware.device, threads=self.hardware.threads, precision=model.config.precision
        )
        job = predict_cohort(model, cohort, config, out=self.spec.predictions, stop=self.stop)
        with self._timed("predicting"), closing(job):
            yield from self._advanced("predicting", 0.0)
            for event in job:
                if isinstance(event, CaseFailed):
                    raise CohortError(f"{event.case} could not be predicted: {event.reason}")
                if isinstance(event, Warned):
                    yield event
        check(self.stop)

    def _score(self, cohort: Cohort) -> Generator[Event, None, list[CaseResult]]:
        results = []
        with self._timed("scoring"):
            yield from self._advanced("scoring", 0.0)
            for files in cohort:
                check(self.stop)
                case = self.store.load(files)
                reference = case.mask(self.spec.config.target)
                assert reference is not None, "the plan has looked for it"
                # Score the file, which is what a user gets.
                prediction = read_mask_on(self._mask(files.name), case.grid).volume
                scores = score_masks(
                    reference, prediction, case.grid, tolerance_mm=self.spec.config.tolerance_mm
                )
                results.append(CaseResult(**self.spec.run.names, case=files.name, scores=scores))
        return results

    def _mask(self, case: str) -> Path:
        return named_file(self.spec.predictions, f"{case}.nii.gz")

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        before = time.monotonic()
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - before

    def _advanced(
        self, phase: str, share: float, *, step: TrainingStep | None = None
    ) -> Generator[Event, None, None]:
        """Report the progress of the run, unless that was done just now."""
        now = time.monotonic()
        if share and now - self.reported_s < _SECONDS_BETWEEN_EVENTS:
            return
        self.reported_s = now
        ends = [*_BEGINS.values(), 1.0][list(_BEGINS).index(phase) + 1]
        yield RunAdvanced(
            **self.spec.run.names,
            phase=phase,
            share=_BEGINS[phase] + share * (ends - _BEGINS[phase]),
            iteration=0 if step is None else step.iteration,
            loss=None if step is None else step.loss,
            seconds=now - self.started_s,
            seconds_left=None if step is None else step.seconds_left,
        )


def _share(step: TrainingStep) -> float:
    if step.iterations:
        return step.iteration / step.iterations
    left = step.seconds_left or 0.0
    return step.seconds / (step.seconds + left) if step.seconds else 0.0


def _check_same(model: Model, plan: Plan) -> None:
    """Refuse an existing model that comes from another training than this run's."""
    if (
        set(model.record.cases) <= set(plan.cases)
        and model.config.changed(device=plan.config.device, threads=plan.config.threads) == plan.config
    ):
        return
    raise FileError(
        f"{model.run.name} holds a model that was trained with other choices or on other cases; remove that "
        "folder to do the run again, or start a new study."
    )
