"""The runs of an experiment: one network, trained without one fold, from one seed."""

from dataclasses import asdict, dataclass
from typing import Any

from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.plan import fine_tuned
from napari_necroseg.core.project.models import trained_config


@dataclass(frozen=True, kw_only=True, order=True)
class Run:
    """One training of an experiment.

    Parameters
    ----------
    configuration
        As text, such as ``2d:ceT1+T2``.
    fold
        The one that is left out, from 1.
    seed
        Of the weights and of all random draws, from 0.
    """

    configuration: str
    fold: int
    seed: int

    @property
    def key(self) -> str:
        """Its name, and that of its files."""
        return f"{Configuration.parse(self.configuration).file_name}_fold-{self.fold}_seed-{self.seed}"

    @property
    def names(self) -> dict[str, Any]:
        """Configuration, fold and seed by name."""
        return asdict(self)

    @property
    def out_of_fold(self) -> str:
        """Folder of the predictions that all folds of this configuration and seed share."""
        return f"{Configuration.parse(self.configuration).file_name}_seed-{self.seed}"

    def __str__(self) -> str:
        remark = f", seed {self.seed}" if self.seed else ""
        return f"{self.configuration} fold {self.fold}{remark}"


def runs_of(config: StudyConfig) -> tuple[Run, ...]:
    """Return all runs: a whole configuration with one seed first, so that early results can be compared."""
    return tuple(
        Run(configuration=name, fold=fold, seed=seed)
        for seed in range(config.seeds)
        for name in config.configurations
        for fold in range(1, config.folds + 1)
    )


def training_of(config: StudyConfig, run: Run) -> TrainConfig:
    """Return the choices of a run's training."""
    configuration = Configuration.parse(run.configuration)
    length = {"minutes": config.minutes_per_run, "steps": config.steps_per_run}
    return train_preset(config.preset, configuration.dimension).changed(
        sequences=configuration.sequences,
        target=config.target,
        seed=run.seed,
        device=config.device,
        threads=config.threads,
        **{name: value for name, value in length.items() if value is not None},
    )


def tuned_training_of(config: StudyConfig, run: Run) -> TrainConfig:
    """Return the same with whatever the model takes for granted that the runs go on from."""
    training = training_of(config, run)
    learned = None if config.start_from is None else trained_config(config.start_from)
    return training if learned is None else fine_tuned(training, learned)
