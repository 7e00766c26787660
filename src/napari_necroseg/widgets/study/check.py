"""Whether a study can be done, as far as that can be told before any image is read."""

from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.folds import FOLDS_NAME, check_folds, folds_of_cohort, read_folds
from napari_necroseg.core.study.runs import runs_of, training_of
from napari_necroseg.widgets.shared.case_list import lacks

_MOST_NAMED = 4


def check_study(
    config: StudyConfig, cohort: Cohort | None, *, table: Path | None, folder: Path | None
) -> Cohort:
    """Return the cohort; refuse what cannot be done.

    Raises
    ------
    CohortError
        If there is no cohort with a table, cases lack what a configuration needs, or the folds are not as
        they must be.
    """
    if cohort is None or not len(cohort):
        raise CohortError("Open a cohort in the dock Cases first.")
    if table is None:
        raise CohortError(
            "What is open is a pair of files, not a cohort; open a folder of cases or a cohort.csv in the "
            "dock Cases."
        )
    _check_cases(config, cohort)
    patients = {case.name: case.patient_or_name for case in cohort}
    n_patients = len(set(patients.values()))
    if n_patients < config.folds:
        raise CohortError(
            f"{config.folds} folds need at least {config.folds} patients, but the cohort has {n_patients}; "
            "choose fewer folds."
        )
    folds = known_folds(cohort, folder)
    if folds is not None:
        check_folds(folds, patients, config.folds)
    return cohort


def known_folds(cohort: Cohort, folder: Path | None) -> dict[str, int] | None:
    """Return the folds that the table in a study's folder gives, else the cohort's; None where none does.

    Raises
    ------
    CohortError
        If a table is not as it must be.
    """
    written = None if folder is None else folder / FOLDS_NAME
    return read_folds(written, cohort) if written and written.is_file() else folds_of_cohort(cohort)


def _check_cases(config: StudyConfig, cohort: Cohort) -> None:
    trainings = [training_of(config, run) for run in runs_of(config)[:: config.folds]]
    missing = {
        case.name: what for case in cohort for training in trainings if (what := lacks(case, training))
    }
    if not missing:
        return
    named = [f"{name} (no {' and no '.join(what)})" for name, what in missing.items()]
    more = ", ..." if len(named) > _MOST_NAMED else ""
    raise CohortError(
        f"{len(named)} of {len(cohort)} cases lack what these configurations need: "
        f"{', '.join(named[:_MOST_NAMED])}{more}. Add the files to the cohort, take those cases out of its "
        "table, or untick configurations."
    )
