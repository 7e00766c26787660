"""Whether a study can be done, as far as that can be told before any image is read."""

from pathlib import Path

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.cohort import check_cases, decide_folds, without_voxels
from napari_necroseg.core.study.folds import FOLDS_NAME


def check_cohort(cohort: Cohort | None, table: Path | None) -> Cohort:
    """Return the open cohort.

    Raises
    ------
    CohortError
        If there is none that has a table.
    """
    if cohort is None or not len(cohort):
        raise CohortError("Open a cohort in the dock Cases first.")
    if table is None:
        raise CohortError(
            "What is open is a pair of files, not a cohort; open a folder of cases or a cohort.csv in the "
            "dock Cases."
        )
    return cohort


def check_study(config: StudyConfig, cohort: Cohort, folder: Path) -> None:
    """Refuse cases that lack what a configuration needs, and folds that are not as they must be.

    Raises
    ------
    NecrosegError
        With what is wrong, and what to do.
    """
    check_cases(config, without_voxels(cohort))
    try:
        # Volumes decide who goes to which fold, not whether there can be folds.
        decide_folds(config, cohort, dict.fromkeys(cohort.names, 0.0), folder)
    except CohortError as error:
        if (folder / FOLDS_NAME).is_file():
            raise CohortError(
                f"{error} The folds are those in {folder.name}/{FOLDS_NAME}, which Check or a person has "
                "written: give the study another name, or remove that file to draw the folds anew."
            ) from error
        raise


def check_same_cohort(table: Path | None, of_study: Path) -> None:
    """Refuse to go on with a study of another cohort than the one that is open.

    Raises
    ------
    CohortError
        Naming the study's cohort; nothing is known of one whose table is gone.
    """
    if table is not None and of_study.is_file() and table.resolve() != of_study:
        raise CohortError(
            f"This study is of another cohort, {of_study}: open that in the dock Cases to go on."
        )
