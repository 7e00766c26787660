"""The jobs of the dock Train: a new training, and one that was interrupted."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.widgets._background import giving_way


@dataclass(frozen=True, kw_only=True)
class Meanwhile:
    """What the person does while a training runs.

    Parameters
    ----------
    keep, pause
        End it with the model as it is; let it stand still.
    picture
        The case among those that are scored meanwhile which is to be seen.
    """

    keep: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    picture: str | None = None


def train_on(
    config: TrainConfig,
    cohorts: tuple[Cohort, Cohort],
    run: Path,
    meanwhile: Meanwhile,
    stop: threading.Event,
) -> Iterator[Event]:
    """Plan a training and do it; the `cohorts` are the cases to train on, and those to score meanwhile."""
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    yield from _train(config, cohorts, run, meanwhile, stop, resumes=False)


def resume_training(
    cohorts: tuple[Cohort, Cohort], run: Path, meanwhile: Meanwhile, stop: threading.Event
) -> Iterator[Event]:
    """Go on with an interrupted training, with the choices and cases that it had.

    The `cohorts` are where its cases are, and those of which any that it does not train on may be scored.
    """
    yield Progress(done=0, total=0, message="Loading PyTorch ...")
    from napari_necroseg.core.learning.resume import read_progress
    from napari_necroseg.core.learning.validate import may_validate

    progress = read_progress(run)
    cohort = cohorts[0].only(progress.cases)
    validation = may_validate(cohorts[1], cohort, progress.config)
    yield from _train(progress.config, (cohort, validation), run, meanwhile, stop, resumes=True)


def _train(
    config: TrainConfig,
    cohorts: tuple[Cohort, Cohort],
    run: Path,
    meanwhile: Meanwhile,
    stop: threading.Event,
    *,
    resumes: bool,
) -> Iterator[Event]:
    from napari_necroseg.core.learning.device import default_threads, resolve_device
    from napari_necroseg.core.learning.interrupt import Wishes
    from napari_necroseg.core.learning.train import Start, train
    from napari_necroseg.core.plan import make_plan

    threads = config.threads or default_threads()
    plan = make_plan(config, cohorts[0], device=resolve_device(config.device), threads=threads)
    wishes = Wishes(stop=stop, keep=meanwhile.keep, pause=meanwhile.pause, picture=meanwhile.picture)
    start = Start(resumes=resumes)
    job = partial(train, plan, cohorts[0], run=run, start=start, validation=cohorts[1], wishes=wishes)
    yield from giving_way(job)
