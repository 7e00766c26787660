"""Starts a training: makes the plan from cases and choices, and finds the hardware that it runs on."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.events import Event
from napari_necroseg.core.network.device import Hardware, resolve_hardware
from napari_necroseg.core.network.model import Model, load_model
from napari_necroseg.core.network.stopping import Controls
from napari_necroseg.core.plan import Plan, fine_tuned, make_plan, may_validate, watched
from napari_necroseg.core.training.train import OnExisting, train_planned

_NONE = Cohort(cases=())


def train(
    cohort: Cohort,
    config: TrainConfig | None = None,
    *,
    out: str | Path,
    start_from: Model | str | Path | None = None,
    validation: Cohort | None = None,
    left_out: Cohort = _NONE,
    on_existing: OnExisting = "refuse",
    controls: Controls | None = None,
) -> Generator[Event, None, None]:
    """Train a network on a cohort; the plan is made from the configuration.

    Parameters
    ----------
    cohort
        The cases to train on; each must have the chosen sequences and the target mask.
    config
        The settings; the preset ``fast`` in 2D if None.
    out
        A new or empty folder for the model, or one with the interrupted training that is to be resumed.
    start_from
        A trained model, or its folder, whose weights to start from (fine-tuning). It decides how the network
        sees its images; network and sequences of the configuration must be its own.
    validation
        Cases to predict and score now and then. If None, a fine-tuning watches a few of its start model's own
        cases in `left_out`, so that forgetting shows.
    left_out
        Other cases of the same study: each that shares a patient or an image with a training case is named.
    on_existing
        What to do if `out` holds an interrupted training: refuse, resume it, or resume it if there is one.
    controls
        To stop, pause, or keep the model as it is, from another thread.

    Yields
    ------
    Event
        `Started`, `Progress` while cases are loaded, `Warned`, `TrainingStep` at most ten times a second,
        `Validated`, `Checkpointed`, `Paused`, and `Finished` with a `TrainedRun`. A stopped training has no
        `Finished`.

    Raises
    ------
    FileError
        If `out` is not empty, holds nothing that could be resumed, or another program trains there.
    CohortError
        If a case lacks an image or the mask, an image has one value everywhere, no case shows the target, or
        a case is trained and validated on.
    ModelError
        If the start model or the checkpoint is damaged, or of another network.
    SettingsError
        If the checkpoint is of another training, or there is no device of that name.
    ResourceError
        If this computer lacks the device, memory or disk space.
    NecrosegError
        If the loss is no longer a number.
    """
    prepared = prepare_training(config or train_preset("fast", "2d"), cohort, start_from=start_from)
    rows = {files.name: files for files in (*left_out, *cohort)}
    everything = Cohort(cases=tuple(rows.values()))
    yield from prepared.train(
        everything,
        run=Path(out),
        validation=prepared.to_watch(everything) if validation is None else validation,
        on_existing=on_existing,
        controls=controls,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedTraining:
    """A training that is planned for this computer, with the start model if there is one."""

    plan: Plan
    hardware: Hardware
    model: Model | None

    def train(
        self,
        cohort: Cohort,
        *,
        run: Path,
        validation: Cohort | None = None,
        on_existing: OnExisting = "refuse",
        controls: Controls | None = None,
    ) -> Generator[Event, None, None]:
        """Train as planned; the arguments are those of `train_planned`."""
        return train_planned(
            self.plan,
            cohort,
            run=run,
            hardware=self.hardware,
            model=self.model,
            validation=validation,
            on_existing=on_existing,
            controls=controls,
        )

    def to_watch(self, cohort: Cohort) -> Cohort:
        """Return a few cases of the start model that are left out now: they show what it forgets."""
        if self.model is None:
            return _NONE
        others = may_validate(cohort, cohort.only(self.plan.cases), config=self.plan.config)
        return others.only(watched(others.names, self.model.cases))


def prepare_training(
    config: TrainConfig,
    cohort: Cohort,
    *,
    start_from: Model | str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
) -> PreparedTraining:
    """Load the model to start from, fit the configuration to it, and make the plan.

    `device` and `threads` replace those of the configuration.
    """
    model = load_model(Path(start_from)) if isinstance(start_from, str | Path) else start_from
    if model is not None:
        config = fine_tuned(config, model.config)
    hardware = resolve_hardware(config, device=device, threads=threads)
    return PreparedTraining(plan=make_plan(config, cohort), hardware=hardware, model=model)
