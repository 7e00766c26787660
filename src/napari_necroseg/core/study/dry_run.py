"""Plans a study without running it: its runs, their time, and their memory."""

import math
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import usual_prediction
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.display import duration
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.network.device import resolve_hardware
from napari_necroseg.core.plan import Plan
from napari_necroseg.core.study.compute import resolve_compute
from napari_necroseg.core.study.experiment import Experiment, prepare_study, usual_study
from napari_necroseg.core.study.folds import fold_sizes
from napari_necroseg.core.study.run import RunPlanned
from napari_necroseg.core.training.cost import plan_training
from napari_necroseg.core.training.description import PlannedTraining

_BYTES_OF_VOXEL = 4
_MIRRORED_PASSES = 4
# Reading, writing and scoring a case, roughly.
_SECONDS_TO_SCORE = 1.0


@dataclass(frozen=True, kw_only=True)
class StudyPlanned:
    """The runs that a study would do, and their cost."""

    # How many runs, and how many of them are not done yet.
    runs: int
    left: int
    fold_sizes: tuple[int, ...]
    # Time until all is done, estimated from a few steps here; None for the workers of a scheduler.
    estimated_s: float | None
    # Where it would run, as a phrase.
    place: str

    def __str__(self) -> str:
        time = "" if self.estimated_s is None else f", about {duration(self.estimated_s)} in all"
        sizes = ", ".join(map(str, self.fold_sizes))
        return f"{self.left} of {self.runs} runs to do, {self.place}{time}; folds of {sizes} cases."


@dataclass(frozen=True, kw_only=True)
class _Cost:
    """What a run of a network costs: its training, and each case that it predicts afterwards, in seconds."""

    training: PlannedTraining
    case_s: float


def plan_study(
    cohort: Cohort,
    config: StudyConfig | None = None,
    *,
    out: str | Path,
    stop: threading.Event | None = None,
) -> Generator[Event, None, None]:
    """Report what a study would do, and time a few training steps of each network on this computer.

    Writes the table of folds into `out`, where it may be edited, and nothing else.

    `cohort`, `config`, `out`, `stop`: as in `run_study`.
    Yields `Started`, `Progress`, `RunPlanned` for each run, and `Finished` with `StudyPlanned`.
    Raises what `run_study` raises.
    """
    stop, out = stop or threading.Event(), Path(out)
    config = config or usual_study(cohort, out)
    compute = resolve_compute(config)
    prepared = yield from prepare_study(config, cohort, out=out, stop=stop)
    if prepared is None:
        return
    experiment = Experiment(record=prepared.record, cohort=cohort, out=out, compute=compute, stop=stop)
    costs = yield from _measured(experiment, stop)
    if stop.is_set():
        return
    left_s, left = 0.0, 0
    for event in experiment.planned():
        if isinstance(event, RunPlanned):
            planned = _with_cost(event, costs)
            if planned.state != "done":
                left, left_s = left + 1, left_s + (planned.estimated_s or 0.0)
            yield planned
    yield Finished(
        result=StudyPlanned(
            runs=len(experiment.runs),
            left=left,
            fold_sizes=fold_sizes(prepared.record.folds),
            estimated_s=None if compute.scheduler else left_s / max(1, min(compute.workers, left)),
            place=str(compute),
        )
    )


def _measured(experiment: Experiment, stop: threading.Event) -> Generator[Event, None, Mapping[str, _Cost]]:
    """Time a few training steps of the 2D and of the 3D network, if they will run here.

    The sequences change only the first layer: the network that sees most of them stands for all.
    """
    costs: dict[str, _Cost] = {}
    if experiment.compute.scheduler is not None:
        # Its workers may be other computers.
        return costs
    for run in sorted(experiment.runs, key=lambda run: -len(run.configuration.sequences)):
        dimension = run.configuration.dimension
        if dimension in costs or stop.is_set():
            continue
        spec = experiment.spec(run)
        plan = spec.plan()
        hardware = resolve_hardware(plan.config, device=spec.device, threads=spec.threads)
        for event in plan_training(plan, experiment.cohort, hardware=hardware, stop=stop):
            if isinstance(event, Finished):
                costs[dimension] = _Cost(training=event.result, case_s=_case_s(event.result, plan))
            else:
                yield event
    return costs


def _case_s(cost: PlannedTraining, plan: Plan) -> float:
    """Estimate how long it takes to predict and score a case that a run leaves out.

    A pass forwards costs about a third of a training step, voxel for voxel.
    """
    shape = plan.patch_shape[1:] if plan.config.dimension == "2d" else plan.patch_shape
    voxels_a_step = plan.config.batch_size * math.prod(shape)
    n_voxels = cost.cohort_gib * 2**30 / _BYTES_OF_VOXEL / max(1, cost.cases) / len(plan.config.sequences)
    n_passes = _MIRRORED_PASSES if usual_prediction(plan.config).tta else 1
    return _SECONDS_TO_SCORE + n_passes * n_voxels / voxels_a_step * cost.step_s / 3


def _with_cost(event: RunPlanned, costs: Mapping[str, _Cost]) -> RunPlanned:
    measured = costs.get(event.configuration.dimension)
    if measured is None:
        return event
    cost = measured.training
    # The cases are read once for all runs.
    seconds = event.minutes * 60 if event.minutes else (event.iterations or 0) * (cost.step_s + cost.batch_s)
    return replace(
        event,
        estimated_iterations=event.iterations or cost.estimated_iterations,
        estimated_s=seconds + event.validation * measured.case_s,
        memory_gib=cost.memory_gib,
    )
