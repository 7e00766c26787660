import pytest

from napari_necroseg.core.cohort.seen_cases import Learned, patient_sha256
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.study.folds import check_images, check_unseen
from napari_necroseg.core.study.record import StudyCase


def case(patient: str, image: str, fold: int = 1) -> StudyCase:
    return StudyCase(patient=patient, fold=fold, target_ml=1.0, images_sha256={"ceT1": image * 64})


def learned(cases: list[str], images: list[str]) -> Learned:
    return Learned(cases=frozenset(cases), images_sha256=frozenset(images))


CASES = {"a": case("x", "1"), "b": case("x", "2"), "c": case("y", "3")}


def test_a_case_of_a_new_patient_passes() -> None:
    check_unseen(CASES, ["c"], learned=learned(["a", "b"], ["1" * 64, "2" * 64]))


@pytest.mark.parametrize(
    ("cases", "images"),
    [
        (["c"], []),  # by name
        (["a", "b", "c"], ["1" * 64]),
        ([], ["3" * 64]),  # by the image, under whatever name it was learned
        (["somewhere-else"], ["9" * 64, "3" * 64]),
    ],
)
def test_a_case_that_was_learned_is_refused(cases: list[str], images: list[str]) -> None:
    with pytest.raises(CohortError, match="c cannot test this network"):
        check_unseen(CASES, ["c"], learned=learned(cases, images))


def test_another_case_of_the_same_patient_is_refused() -> None:
    with pytest.raises(CohortError, match="b cannot test this network"):
        check_unseen(CASES, ["b"], learned=learned(["a"], ["1" * 64]))


def test_one_image_of_two_patients_is_refused_and_of_one_is_not() -> None:
    check_images({"a": case("x", "1"), "b": case("x", "1")})
    with pytest.raises(CohortError, match="a and b hold the very same image"):
        check_images({"a": case("x", "1"), "b": case("y", "1")})


def test_a_patient_is_known_by_the_hash_that_the_model_keeps() -> None:
    of_another_table = Learned(cases=frozenset({"elsewhere-1"}), patients=frozenset({patient_sha256("Y ")}))
    with pytest.raises(CohortError, match="c cannot test this network"):
        check_unseen(CASES, ["c"], learned=of_another_table)
    check_unseen(CASES, ["b"], learned=of_another_table)
