"""The folds of a study, stratified by volume, and the checks that no patient is on both sides of one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.case_names import csv_cell, is_among
from napari_necroseg.core.cohort.csv_table import Table, read_table, table_text
from napari_necroseg.core.cohort.duplicates import pairs_alike
from napari_necroseg.core.cohort.seen_cases import Learned, patient_sha256
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.files import write_text
from napari_necroseg.core.study.record import StudyCase

FOLDS_NAME = "folds.csv"
COLUMNS = ("case", "patient", "fold")


def draw_folds(
    volumes_ml: Mapping[str, float], patients: Mapping[str, str], *, folds: int, seed: int
) -> dict[str, int]:
    """Divide cases into folds.

    Patients are sorted by the volume of their target and taken in blocks of as many as there are folds; the
    patients of a block go to a fold each, drawn at random, so that every fold has small and large ones. Those
    left over go to the smallest folds. Folds are numbered from the largest: 26 patients with a case each
    give 5, 5, 4, 4, 4, 4.

    `volumes_ml`: of each case's target. `patients`: of each case; cases of one patient share a fold. `folds`:
    how many. `seed`: of the draw.
    Returns the fold of each case, from 1, in the order of `volumes_ml`.
    Raises `CohortError` if there are fewer patients than folds.
    """
    cases_of: dict[str, list[str]] = defaultdict(list)
    for case in volumes_ml:
        cases_of[patients[case]].append(case)
    if len(cases_of) < folds:
        raise CohortError(
            f"{folds} folds need as many patients, but there are {len(cases_of)}; choose fewer folds."
        )
    random = np.random.default_rng(seed)
    # The mean: a patient does not count as larger for being examined more often.
    size = {
        patient: float(np.mean([volumes_ml[case] for case in cases])) for patient, cases in cases_of.items()
    }
    ordered = sorted(cases_of, key=lambda patient: (-size[patient], patient))
    in_fold: list[list[str]] = [[] for _ in range(folds)]
    for start in range(0, len(ordered), folds):
        block = ordered[start : start + folds]
        # A fold each: the patient with most cases gets the fold with fewest so far, so that folds stay equal
        # in size. Ties are in random order.
        drawn = [block[i] for i in random.permutation(len(block))]
        emptiest = sorted(random.permutation(folds), key=lambda fold: len(in_fold[fold]))
        for patient, fold in zip(sorted(drawn, key=lambda p: -len(cases_of[p])), emptiest, strict=False):
            in_fold[fold] += cases_of[patient]
    numbers = {
        case: number
        for number, cases in enumerate(sorted(in_fold, key=len, reverse=True), start=1)
        for case in cases
    }
    return {case: numbers[case] for case in volumes_ml}


def folds_of_cohort(cohort: Cohort) -> dict[str, int] | None:
    """Return the folds that a cohort's table gives; None if it gives none.

    Raises `CohortError` if only some cases have one.
    """
    missing = [case.name for case in cohort if case.fold is None]
    if len(missing) == len(cohort):
        return None
    if missing:
        raise CohortError(
            f"{len(missing)} of {len(cohort)} cases have no fold in the cohort ({missing[0]} first); fill in "
            "the column for all, or for none."
        )
    return {case.name: int(case.fold or 0) for case in cohort}


def write_folds(path: Path, folds: Mapping[str, int], *, patients: Mapping[str, str]) -> None:
    """Write the folds as a table with a row for each case."""
    rows = tuple(
        (number, {"case": case, "patient": csv_cell(patients[case]), "fold": str(fold)})
        for number, (case, fold) in enumerate(folds.items(), start=2)
    )
    write_text(path, table_text(Table(columns=COLUMNS, rows=rows)))


def read_folds(path: Path, cohort: Cohort) -> dict[str, int]:
    """Read the folds, as they were written or edited.

    Raises `CohortError` if it is no such table, or names other cases than the cohort has.
    """
    table = read_table(path)
    if not {"case", "fold"} <= set(table.columns):
        raise CohortError(f"{path.name} needs the columns {', '.join(COLUMNS)}; remove it to draw new folds.")
    found: dict[str, int] = {}
    for number, row in table.rows:
        # The cohort's spelling of a name counts.
        name = cohort[row["case"]].name if row["case"] in cohort else row["case"]
        if name in found or not _is_fold(row["fold"]):
            raise CohortError(f"{path.name}, row {number}: a case needs one row, and a fold from 1.")
        found[name] = int(row["fold"])
    odd = sorted(set(found) ^ set(cohort.names))
    if odd:
        where = "is not in the cohort" if odd[0] in found else "has no row"
        raise CohortError(f"{path.name}: {odd[0]!r} {where}; mend it, or remove the file to draw new folds.")
    return {name: found[name] for name in cohort.names}


def _is_fold(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6 and int(text) > 0


def check_folds(folds: Mapping[str, int], patients: Mapping[str, str], *, n_folds: int) -> None:
    """Refuse folds that are empty, divide a patient, or are not as many as asked for."""
    used = sorted(set(folds.values()))
    if used != list(range(1, n_folds + 1)):
        raise CohortError(
            f"{n_folds} folds were asked for, but the cases are in the folds {', '.join(map(str, used))}; "
            f"ask for {len(used)} folds, or number them from 1 to {n_folds}."
        )
    fold_of: dict[str, tuple[str, int]] = {}
    for case, fold in folds.items():
        other, its = fold_of.setdefault(patients[case], (case, fold))
        if its != fold:
            raise CohortError(
                f"{other} and {case} are of one patient, but in the folds {its} and {fold}; a patient whom a "
                "network has learned from cannot test it. Put them into one fold."
            )


def fold_sizes(folds: Mapping[str, int]) -> tuple[int, ...]:
    """Return how many cases each fold has."""
    return tuple(sum(fold == number for fold in folds.values()) for number in sorted(set(folds.values())))


def check_images(cases: Mapping[str, StudyCase]) -> None:
    """Refuse a cohort in which two patients share an image: it would be in training and test data.

    A copy whose intensities were rescaled, shifted or rounded is the same image.
    """
    first: dict[str, str] = {}
    for name, case in cases.items():
        for digest in case.images_sha256.values():
            other = first.setdefault(digest, name)
            if cases[other].patient != case.patient:
                raise CohortError(
                    f"{other} and {name} hold the very same image, but are given as two patients; give them "
                    "one patient in the cohort's table, or remove one of them."
                )
    _check_copies(cases)


def check_unseen(
    cases: Mapping[str, StudyCase],
    validation: Iterable[str],
    *,
    learned: Learned,
) -> None:
    """Refuse to score a network on a patient whom it has learned from.

    `cases`: all cases of the study. `validation`: those that the network is to be scored on. `learned`: the
    training data of the network, and of all models that it was fine-tuned from.
    """
    # Models of earlier versions record only the names of their cases.
    patients = {case.patient for name, case in cases.items() if is_among(name, learned.cases)}
    for name in validation:
        case = cases[name]
        is_known = is_among(name, learned.cases) or case.patient in patients
        is_known = is_known or patient_sha256(case.patient) in learned.patients
        if is_known or learned.has_image(case.marks):
            raise CohortError(
                f"{name} cannot test this network: it, or a model that it goes on from, has learned from "
                "this patient. Start from random weights, or from a model that has seen none of them."
            )


def _check_copies(cases: Mapping[str, StudyCase]) -> None:
    owned = [(name, one) for name, case in cases.items() for one in case.images_likeness.values()]
    for first, second in pairs_alike([one for _, one in owned]):
        other, name = owned[first][0], owned[second][0]
        if cases[other].patient != cases[name].patient:
            raise CohortError(
                f"{other} and {name} hold the same image in other intensities, but are given as two "
                "patients; give them one patient in the cohort's table, or remove one of them."
            )
