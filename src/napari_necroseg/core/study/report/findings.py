"""Gathers all that a report says of a study: its record, its runs, and its results."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case_names import listed
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.files import read_text
from napari_necroseg.core.project.model_folder import MODELS_FOLDER, trained_config
from napari_necroseg.core.scoring.statistics import mean
from napari_necroseg.core.study.cases import stored_path
from napari_necroseg.core.study.folds import draw_folds
from napari_necroseg.core.study.record import RunState, StudyRecord, read_states, read_study
from napari_necroseg.core.study.results import (
    SCORES_NAME,
    CaseResult,
    Outcome,
    outcomes_of,
    read_results,
    results_sha256,
)
from napari_necroseg.core.study.run import Run, runs_of, training_of

_PHANTOM = "phantom"
_MOST_OF_A_NOTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A study, finished or not, as a report sees it."""

    folder: Path
    # The records of the study, and of its runs by key.
    record: StudyRecord
    states: Mapping[str, RunState]
    # Of each configuration with scores.
    outcomes: tuple[Outcome, ...]
    # A name for readers, not a path.
    cohort_name: str
    is_phantom: bool
    # Cases whose mask is not the cohort's; 0 if the cohort's table is gone.
    n_other_masks: int

    @property
    def has_drawn_folds(self) -> bool:
        """Whether the folds were drawn, and neither given nor edited."""
        record = self.record
        volumes = {name: case.target_ml for name, case in record.cases.items()}
        try:
            drawn = draw_folds(
                volumes, record.patients, folds=record.config.folds, seed=record.config.fold_seed
            )
        except NecrosegError:
            return False
        return drawn == record.folds

    def training(self, configuration: Configuration) -> TrainConfig:
        """Return the choices of the trainings of a configuration, from one of its models if there is any.

        A start model dictates some of these.
        """
        for run in self.runs_that_are("done"):
            if run.configuration == configuration:
                found = trained_config(self.folder / MODELS_FOLDER / run.key)
                if found is not None:
                    return found
        return training_of(self.record.config, Run(configuration=configuration, fold=1, seed=0))

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs: those of the study's choices, then others that were done."""
        named = runs_of(self.record.config)
        return (*named, *sorted({state.run for state in self.states.values()} - set(named)))

    def runs_that_are(self, state: str) -> tuple[Run, ...]:
        """Return the runs that are ``done``, ``failed``, or not done yet (empty)."""
        return tuple(run for run in self.runs if self.state_of(run) == state)

    def state_of(self, run: Run) -> str:
        """Return ``done``, ``failed``, or nothing if the run waits or was interrupted."""
        return self.states[run.key].state if run.key in self.states else ""

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Those with scores."""
        return tuple(one.configuration for one in self.outcomes)

    @property
    def who(self) -> str:
        """The number of cases, and the cohort, as a phrase."""
        n_cases, n_patients = len(self.record.cases), len(set(self.record.patients.values()))
        cases = f"{n_cases} {'case' if n_cases == 1 else 'cases'}"
        patients = "" if n_patients == n_cases else f" of {n_patients} patients"
        phantoms = " (numerical phantoms, not patients)" if self.is_phantom else ""
        return f"{cases}{patients} of {self.cohort_name}{phantoms}"

    @property
    def mean_dice(self) -> dict[Configuration, float]:
        """Mean Dice coefficient over the patients, by configuration."""
        return {one.configuration: mean(list(one.by_patient("dice").values())) for one in self.outcomes}

    def mismatches(self) -> tuple[str, ...]:
        """Say where the scores and the records of the runs contradict each other."""
        scored = {
            Run(configuration=one.configuration, fold=one.fold, seed=one.seed)
            for outcome in self.outcomes
            for one in outcome.results
        }
        done = set(self.runs_that_are("done"))
        without = [f"{run} is recorded as done and has no scores." for run in sorted(done - scored)]
        unrecorded = [f"{run} has scores and is not recorded as done." for run in sorted(scored - done)]
        results = [one for outcome in self.outcomes for one in outcome.results]
        return (*without, *unrecorded, *changed_scores(results, self.states))


def changed_scores(results: Iterable[CaseResult], states: Mapping[str, RunState]) -> tuple[str, ...]:
    """Name the runs whose scores were changed after scoring, in a sentence; nothing if there are none.

    Records of earlier versions hold no checksum.
    """
    of_run: dict[str, list[CaseResult]] = {}
    for one in results:
        run = Run(configuration=one.configuration, fold=one.fold, seed=one.seed)
        of_run.setdefault(run.key, []).append(one)
    changed = [
        str(state.run)
        for key, state in states.items()
        if state.scores_sha256 and key in of_run and results_sha256(of_run[key]) != state.scores_sha256
    ]
    if not changed:
        return ()
    named = listed(changed)
    return (
        f"The scores of {named} in {SCORES_NAME} are not those that were written when the run was scored: "
        "somebody or something has changed them. `necroseg study` writes them again.",
    )


def find(folder: Path) -> Findings:
    """Read all results in a study's folder.

    Raises `FileError` if it holds no study, or a record or the table of scores is damaged.
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
        n_other_masks=_n_other_masks(folder, record),
    )


def _is_phantom(record: StudyRecord, table: Path) -> bool:
    if any(name.lower().startswith(_PHANTOM) for name in record.cases):
        return True
    from napari_necroseg.core.phantom.phantom import README

    try:
        note = read_text(table.parent / "README.txt", "a note on phantoms", most_bytes=_MOST_OF_A_NOTE)
    except FileError:
        return False
    return note.startswith(README)


def _n_other_masks(folder: Path, record: StudyRecord) -> int:
    try:
        table = read_cohort(folder / record.cohort)
        given = {files.name: files.mask(record.config.target) for files in table}
    except (NecrosegError, ValueError):
        return 0
    used = {name: case.target_file for name, case in record.cases.items() if case.target_file}
    return sum(stored_path(given.get(name), folder) != path for name, path in used.items())
