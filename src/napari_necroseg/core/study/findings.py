"""All that is known of an experiment when its results are written up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.io.cohort import read_cohort
from napari_necroseg.core.scoring.numbers import mean
from napari_necroseg.core.study.outcomes import Outcome, outcomes_of
from napari_necroseg.core.study.record import RunState, StudyRecord, read_states, read_study
from napari_necroseg.core.study.results import read_results
from napari_necroseg.core.study.runs import Run, runs_of

SCORES_NAME = "scores.csv"
_PHANTOM = "phantom"
_ADDRESS = re.compile(r"\b\w+://\S+")
_ABSOLUTE_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\"]+[\\/])+")


@dataclass(frozen=True, kw_only=True)
class Findings:
    """An experiment, done in full or in part.

    Parameters
    ----------
    folder
        Of the experiment.
    record, states
        What it is, and how each run went, by key.
    outcomes
        Of each configuration of which there is a score.
    cohort_name
        For people; no path.
    is_phantom
        Whether the cases are numerical phantoms.
    has_own_folds
        Whether the cohort's table assigned the folds; None where that table is gone.
    """

    folder: Path
    record: StudyRecord
    states: Mapping[str, RunState]
    outcomes: tuple[Outcome, ...]
    cohort_name: str
    is_phantom: bool
    has_own_folds: bool | None

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs: those that the experiment names, then others that were done."""
        named = runs_of(self.record.config)
        return (*named, *sorted({state.run for state in self.states.values()} - set(named)))

    def runs_that_are(self, state: str) -> tuple[Run, ...]:
        """Return the runs that are ``done``, ``failed``, or not done yet (empty)."""
        return tuple(run for run in self.runs if self.state_of(run) == state)

    def state_of(self, run: Run) -> str:
        """Return ``done``, ``failed``, or nothing where a run waits or was interrupted."""
        return self.states[run.key].state if run.key in self.states else ""

    @property
    def configurations(self) -> tuple[str, ...]:
        """Those with scores."""
        return tuple(one.configuration for one in self.outcomes)

    @property
    def who(self) -> str:
        """How many cases of which cohort."""
        n_cases, n_patients = len(self.record.cases), len(set(self.record.patients.values()))
        cases = f"{n_cases} {'case' if n_cases == 1 else 'cases'}"
        patients = "" if n_patients == n_cases else f" of {n_patients} patients"
        phantoms = " (numerical phantoms, not patients)" if self.is_phantom else ""
        return f"{cases}{patients} of {self.cohort_name}{phantoms}"

    @property
    def mean_dice(self) -> dict[str, float]:
        """Mean Dice coefficient over the patients, by configuration."""
        return {one.configuration: mean(list(one.by_patient("dice").values())) for one in self.outcomes}

    def mismatches(self) -> tuple[str, ...]:
        """Say where the table of scores and the records of the runs contradict each other."""
        scored = {
            Run(configuration=one.configuration, fold=one.fold, seed=one.seed)
            for outcome in self.outcomes
            for one in outcome.results
        }
        done = set(self.runs_that_are("done"))
        without = [f"{run} is recorded as done and has no scores." for run in sorted(done - scored)]
        unrecorded = [f"{run} has scores and is not recorded as done." for run in sorted(scored - done)]
        return (*without, *unrecorded)


def find(folder: Path) -> Findings:
    """Read all that an experiment's folder holds of its results.

    Raises
    ------
    FileError
        If it holds no study, or a record or the table of scores is damaged.
    """
    record = read_study(folder)
    scores = folder / SCORES_NAME
    outcomes = outcomes_of(record, read_results(scores) if scores.exists() else ())
    table = (folder / record.cohort).resolve()
    return Findings(
        folder=folder,
        record=record,
        states=read_states(folder),
        outcomes=outcomes,
        cohort_name=table.parent.name if table.stem == "cohort" else table.stem,
        is_phantom=_is_phantom(record, table),
        has_own_folds=_has_own_folds(table),
    )


def title_of(configuration: str) -> str:
    """Return a configuration as a heading: ``2D ceT1+T2``."""
    return Configuration.parse(configuration).title


def without_places(text: str) -> str:
    """Return a message without what tells where it was written: folders and addresses."""
    return _ABSOLUTE_PATH.sub("", _ADDRESS.sub("(address)", text))


def _is_phantom(record: StudyRecord, table: Path) -> bool:
    if any(name.lower().startswith(_PHANTOM) for name in record.cases):
        return True
    from napari_necroseg.core.phantom.cohort import README

    note = table.parent / "README.txt"
    try:
        with note.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(README)) == README
    except OSError:
        return False


def _has_own_folds(table: Path) -> bool | None:
    try:
        return any(case.fold is not None for case in read_cohort(table))
    except NecrosegError:
        return None
