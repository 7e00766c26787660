"""A case is known to a model by its image, by its patient or by its name, the surest of these."""

import json
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.seen_cases import (
    ImageMark,
    Learned,
    known_by_record,
    known_in_words,
    patient_sha256,
)

HASH = ImageMark(sha256="1" * 64, likeness="")


def case(name: str, patient: str = "") -> CaseFiles:
    return CaseFiles(name=name, sequences={Sequence.CET1: Path("x.nii")}, patient=patient)


LEARNED = Learned(
    cases=frozenset({"case-02"}),
    patients=frozenset({patient_sha256("P1"), patient_sha256("case-02")}),
    images_sha256=frozenset({HASH.sha256}),
)


@pytest.mark.parametrize(
    ("files", "marks", "known"),
    [
        (case("case-01", "P1"), [HASH], "image"),
        (case("case-01", "P1"), [], "patient"),
        (case("case-01", " p1 "), [], "patient"),
        (case("case-02", "Q7"), [], "name"),
        (case("CASE-02"), [], "name"),
        (case("case-03", "case-02"), [], "patient"),
        (case("P1"), [], "patient"),
        (case("case-01"), [], "no"),
        (case("case-01", "P12"), [], "no"),
    ],
)
def test_by_what_a_case_is_known(files, marks, known) -> None:
    assert LEARNED.knows(files, marks) == known
    assert (Learned() | LEARNED).knows(files, marks) == known
    assert Learned().knows(files, marks) == "no"


def test_a_hash_keeps_the_patient_out_of_a_model() -> None:
    assert len(patient_sha256("Müller, Anna")) == 64
    assert patient_sha256("Mu\u0308ller,  anna") == patient_sha256("Müller, Anna")
    assert patient_sha256("P1") != patient_sha256("P2")


@pytest.mark.parametrize(
    ("record", "siblings", "known"),
    [
        ('{"trained_on": "patient"}', (), "patient"),
        ('{"trained_on": "no", "model_cases": ["case-02"], "case": "case-01"}', ("case-02",), "patient"),
        ('{"trained_on": "image", "model_cases": ["case-02"], "case": "case-01"}', ("case-02",), "image"),
        ('{"trained_on": "no", "model_cases": ["case-02"], "case": "case-01"}', ("case-03",), "no"),
        ('{"model_cases": ["case-02"], "case": "case-02"}', (), "name"),
        ('{"trained_on": 1, "model_cases": 2}', ("2",), None),
        ("{}", ("case-02",), None),
    ],
)
def test_what_the_record_beside_a_mask_and_the_table_know(record, siblings, known) -> None:
    assert known_by_record(json.loads(record), siblings=siblings) == known


def test_known_patients_are_said() -> None:
    assert known_in_words({"a": "patient", "b": "no"}, 2) == (
        "1 of the 2 cases (a) is of a patient whom the model was trained on: scores there are too good."
    )
