"""A run of an experiment as it is handed to a process: what is to be done, and where its files are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import PredictConfig
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.study.record import StudyCase
from napari_necroseg.core.study.runs import Run


@dataclass(frozen=True, kw_only=True)
class Unit:
    """All that a process needs to know to do a run; it can be pickled.

    Parameters
    ----------
    run, config
        Which one, of which experiment.
    cohort
        All cases of the experiment.
    cases
        Their patients, folds and images.
    out
        Folder of the experiment.
    device
        Torch's name of the device, or ``auto``.
    threads
        CPU threads; all but one if None.
    prediction
        How its network is applied.
    """

    run: Run
    config: StudyConfig
    cohort: Cohort
    cases: Mapping[str, StudyCase]
    out: Path
    device: str
    threads: int | None
    prediction: PredictConfig

    @property
    def validation(self) -> tuple[str, ...]:
        """The cases that are left out, and scored."""
        return tuple(name for name, case in self.cases.items() if case.fold == self.run.fold)

    @property
    def model(self) -> Path:
        """The folder of its model."""
        return self.out / "models" / self.run.key

    @property
    def predictions(self) -> Path:
        """The folder of its predictions, which other folds share."""
        return self.out / "predictions" / self.run.out_of_fold


def state_path(out: Path, run: Run) -> Path:
    """Return where it is written how a run went."""
    return out / "runs" / f"{run.key}.json"


def scores_path(out: Path, run: Run) -> Path:
    """Return where the scores of a run are."""
    return out / "runs" / f"{run.key}.csv"
