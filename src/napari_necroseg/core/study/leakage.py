"""No image that a network has learned from may test it: by patient, by name, and by the image itself."""

from collections.abc import Collection, Mapping

from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.record import StudyCase


def check_images(cases: Mapping[str, StudyCase]) -> None:
    """Refuse a cohort in which two patients share an image: one of them would test what the other taught.

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


def check_unseen(
    cases: Mapping[str, StudyCase],
    validation: Collection[str],
    *,
    learned_cases: Collection[str],
    learned_images: Collection[str],
) -> None:
    """Refuse to score a network on a patient whom it has learned from.

    Parameters
    ----------
    cases
        All cases of the experiment.
    validation
        Those that the network is to be scored on.
    learned_cases, learned_images
        Names, and SHA-256 of the images, that it or a model which it was fine-tuned from has learned from.

    Raises
    ------
    CohortError
        Naming the case.
    """
    learned_patients = {cases[name].patient for name in learned_cases if name in cases}
    for name in validation:
        case = cases[name]
        is_known = name in learned_cases or case.patient in learned_patients
        if is_known or set(case.images_sha256.values()) & set(learned_images):
            raise CohortError(
                f"{name} cannot test this network: it, or a model that it goes on from, has learned from "
                "this patient. Start from random weights, or from a model that has seen none of them."
            )
