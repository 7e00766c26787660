"""Tells whether a model has seen a case in training, by its images, its patient or its name."""

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Literal, get_args

from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.case_names import is_among, listed, name_key
from napari_necroseg.core.cohort.duplicates import alike, likeness
from napari_necroseg.core.files import voxels_sha256

# Whether a model was trained on a case: on one of its images, another case of its patient, a case of its
# name, or none of these.
Known = Literal["image", "patient", "name", "no"]
_KNOWN: tuple[Known, ...] = get_args(Known)
_PATIENT = b"napari-necroseg patient\n"
# How a case is known, and the sentence on that: the verb for one case and for several, and the rest.
_IN_WORDS = (
    ("image", ("is", "are"), "among those that the model was trained on: scores there"),
    ("patient", ("is", "are"), "of a patient whom the model was trained on: scores there"),
    (
        "name",
        ("has", "have"),
        "the name of a case that the model was trained on: if that is the same, scores there",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ImageMark:
    """The marks by which an image is recognised: the SHA-256 of its voxels, and its `likeness`."""

    sha256: str
    likeness: str


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The cases that one or more models were trained on, including those of their start models."""

    cases: frozenset[str] = frozenset()
    # As `patient_sha256`; models of earlier versions have none.
    patients: frozenset[str] = frozenset()
    # Of every image; models of earlier versions have fewer, or none.
    images_sha256: frozenset[str] = frozenset()
    likenesses: tuple[str, ...] = ()

    def __or__(self, other: "Learned") -> "Learned":
        return Learned(
            cases=self.cases | other.cases,
            patients=self.patients | other.patients,
            images_sha256=self.images_sha256 | other.images_sha256,
            likenesses=(*self.likenesses, *other.likenesses),
        )

    def has_image(self, marks: Iterable[ImageMark]) -> bool:
        """Whether one of these images was trained on, as it is or with other intensities."""
        marks = tuple(marks)
        if any(mark.sha256 in self.images_sha256 for mark in marks):
            return True
        return any(alike(mark.likeness, self.likenesses) is not None for mark in marks)

    def knows(self, case: Case | CaseFiles, marks: Iterable[ImageMark] = ()) -> Known:
        """Return by what a case is known, the most certain first.

        The patient of a table is more certain than a name, since names such as case-01 are used everywhere. A
        case without a patient in the table counts as its own patient.
        """
        if self.has_image(marks):
            return "image"
        if case.patient and patient_sha256(case.patient) in self.patients:
            return "patient"
        if is_among(case.name, self.cases):
            return "name"
        return "patient" if patient_sha256(case.name) in self.patients else "no"


def patient_sha256(patient: str) -> str:
    """Return the SHA-256 of a patient's name in the table, whatever its letter case and Unicode form.

    It keeps the names out of a model that is handed on; a guessed name can still be checked.
    """
    normal = name_key(" ".join(patient.split()))
    return hashlib.sha256(_PATIENT + normal.encode("utf-8", "surrogatepass")).hexdigest()


def marks_of(case: Case, sequences: Iterable[Sequence]) -> Mapping[Sequence, ImageMark]:
    """Return the marks of the images of a case."""
    return {
        sequence: ImageMark(
            sha256=voxels_sha256(case.sequences[sequence]), likeness=likeness(case.sequences[sequence])
        )
        for sequence in sequences
        if sequence in case.sequences
    }


def known_by_record(record: Mapping[str, object], *, siblings: Several[str] = ()) -> Known | None:
    """Return whether the model of a mask was trained on its case; None if the record does not tell.

    `siblings` are other cases of the patient. The model may not have known them when it predicted, because it
    was given a single case or is of an earlier version.
    """
    listed = record.get("model_cases")
    cases = [str(name) for name in listed] if isinstance(listed, list) else []
    known = next((known for known in _KNOWN if record.get("trained_on") == known), None)
    if known in (None, "no", "name") and any(is_among(name, cases) for name in siblings):
        return "patient"
    if known is not None or not isinstance(listed, list):
        return known
    # Records of earlier versions name the model's cases alone.
    return "name" if is_among(str(record.get("case")), cases) else "no"


def known_in_words(known: Mapping[str, Known | None], total: int) -> str:
    """Say which of the cases are no test of the model that predicted them; nothing if all are.

    `known` is by the name of a case; `total` is the number of cases that were scored or predicted.
    """
    sentences = []
    for kind, verbs, what in _IN_WORDS:
        cases = [case for case, how in known.items() if how == kind]
        if cases:
            sentences.append(f"{_some(cases, total)} {verbs[len(cases) > 1]} {what} are too good.")
    return " ".join(sentences)


def _some(cases: Several[str], total: int) -> str:
    named = listed(cases)
    return f"The case {named}" if total == 1 else f"{len(cases)} of the {total} cases ({named})"
