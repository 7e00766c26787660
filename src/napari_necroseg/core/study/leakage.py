"""No image that a network has learned from may test it: by patient, by name, and by the image itself."""

from collections.abc import Iterable, Mapping

from napari_necroseg.core.case_names import is_among
from napari_necroseg.core.cohort.duplicates import pairs_alike
from napari_necroseg.core.cohort.seen_cases import Learned, patient_sha256
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.record import StudyCase


def check_images(cases: Mapping[str, StudyCase]) -> None:
    """Refuse a cohort in which two patients share an image: one of them would test what the other taught.

    A copy whose intensities were rescaled, shifted or rounded is the same image.

    Raises
    ------
    CohortError
        Naming the two cases.
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

    Parameters
    ----------
    cases
        All cases of the experiment.
    validation
        Those that the network is to be scored on.
    learned
        What it, or a model which it was fine-tuned from, has learned from.

    Raises
    ------
    CohortError
        Naming the case.
    """
    # Models of earlier versions name their cases alone.
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
