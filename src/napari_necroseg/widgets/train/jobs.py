"""The jobs of the dock Train: a new training, and one that was interrupted."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.events import Event, Finished, Progress
from napari_necroseg.core.remote import run_remotely
from napari_necroseg.core.tuning import may_validate, tuned
from napari_necroseg.widgets.shared.runs import find_weights


@dataclass(frozen=True, kw_only=True)
class Wants:
    """What a training is given beside its plan: where it starts, and what the person does meanwhile.

    Parameters
    ----------
    start_from
        The model whose weights it goes on from; None for random ones.
    keep, pause
        End it with the model as it is; let it stand still.
    picture
        The case among those that are scored meanwhile which is to be seen.
    """

    start_from: Path | None = None
    keep: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    picture: str | None = None


def train_on(
    config: TrainConfig,
    cohorts: tuple[Cohort, Cohort],
    run: Path,
    wants: Wants,
    stop: threading.Event,
) -> Iterator[Event]:
    """Plan a training and do it; the `cohorts` are the cases to train on, and those to score meanwhile."""
    yield from _remotely(_Training(config, cohorts, run, wants.start_from, wants.picture), wants, stop)


def resume_training(
    cohorts: tuple[Cohort, Cohort], run: Path, wants: Wants, stop: threading.Event
) -> Iterator[Event]:
    """Go on with an interrupted training, with the choices and cases that it had.

    The `cohorts` are where its cases are, and those of which any that it does not train on may be scored.
    """
    yield from _remotely(_Training(None, cohorts, run, None, wants.picture), wants, stop)


def _remotely(training: "_Training", wants: Wants, stop: threading.Event) -> Iterator[Event]:
    """Train in a process of its own: PyTorch then holds neither Python nor memory of the viewer."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    yield from run_remotely(training, {"stop": stop, "keep": wants.keep, "pause": wants.pause})


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What a training came to, as far as the dock says it: folder, mini-batches, wall time, last loss."""

    run: Path
    iterations: int
    seconds: float
    loss: float


def _light(end: Finished[Any]) -> Event:
    """Leave out the result's own type: to unpickle it, the viewer would import PyTorch and stand still."""
    done = end.result
    return Finished(
        result=TrainedModel(run=done.run, iterations=done.iterations, seconds=done.seconds, loss=done.loss)
    )


@dataclass(frozen=True)
class _Training:
    """A training as it is handed to its process; without a configuration, one that was interrupted."""

    config: TrainConfig | None
    cohorts: tuple[Cohort, Cohort]
    run: Path
    start_from: Path | None
    picture: str | None

    def __call__(self, flags: Mapping[str, threading.Event]) -> Iterator[Event]:
        from napari_necroseg.core.learning.checkpoint import load_model
        from napari_necroseg.core.learning.device import default_threads, resolve_device
        from napari_necroseg.core.learning.interrupt import Wishes
        from napari_necroseg.core.learning.train import Start, train
        from napari_necroseg.core.plan import make_plan

        config, cohort, validation, start_from = self._what()
        model = None if start_from is None else load_model(start_from)
        if model is not None:
            config = tuned(config, model.config)
        threads = config.threads or default_threads()
        plan = make_plan(config, cohort, device=resolve_device(config.device), threads=threads)
        wishes = Wishes(stop=flags["stop"], keep=flags["keep"], pause=flags["pause"], picture=self.picture)
        start = Start(resumes=self.config is None, model=model)
        job = train(plan, cohort, run=self.run, start=start, validation=validation, wishes=wishes)
        with closing(job) as events:
            for event in events:
                yield _light(event) if isinstance(event, Finished) else event

    def _what(self) -> tuple[TrainConfig, Cohort, Cohort, Path | None]:
        """Configuration, cases, cases to score, and model to start from: as given, or as they were."""
        if self.config is not None:
            return self.config, *self.cohorts, self.start_from
        from napari_necroseg.core.learning.resume import read_progress

        progress = read_progress(self.run)
        cohort = self.cohorts[0].only(progress.cases)
        validation = may_validate(self.cohorts[1], cohort, progress.config)
        sha256 = progress.started_from
        start_from = None if sha256 is None else find_weights(self.run.parent, sha256)
        return progress.config, cohort, validation, start_from
