"""Who is known to a model: whose image, patient or name is that of a case that it has learned from."""

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Literal, get_args

from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.case_names import is_among, listed, name_key
from napari_necroseg.core.cohort.duplicates import alike, likeness
from napari_necroseg.core.files import voxels_sha256

# Whether a model has learned from a case: from one of its images, from another case of its patient, from a
# case of its name, or not.
Known = Literal["image", "patient", "name", "no"]
_KNOWN: tuple[Known, ...] = get_args(Known)
_PATIENT = b"napari-necroseg patient\n"


@dataclass(frozen=True, kw_only=True)
class ImageMark:
    """What an image is recognised by: the SHA-256 of its voxels, and its `likeness`."""

    sha256: str
    likeness: str


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What one or more models have learned from, those that they were fine-tuned from included.

    Parameters
    ----------
    cases
        Names.
    patients
        As `patient_sha256`; none of models of earlier versions.
    images_sha256, likenesses
        Of every image; models of earlier versions have fewer of them, or none.
    """

    cases: frozenset[str] = frozenset()
    patients: frozenset[str] = frozenset()
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
        """Whether one of these images was learned from, or is a copy in other intensities."""
        marks = tuple(marks)
        if any(mark.sha256 in self.images_sha256 for mark in marks):
            return True
        return any(alike(mark.likeness, self.likenesses) is not None for mark in marks)

    def knows(self, case: Case | CaseFiles, marks: Iterable[ImageMark] = ()) -> Known:
        """Say by what a case is known; the surest comes first.

        A table's patient is surer than a name, since names such as case-01 are given everywhere; where no
        table names a patient, a case is its own.
        """
        if self.has_image(marks):
            return "image"
        if case.patient and patient_sha256(case.patient) in self.patients:
            return "patient"
        if is_among(case.name, self.cases):
            return "name"
        return "patient" if patient_sha256(case.name) in self.patients else "no"


def patient_sha256(patient: str) -> str:
    """Return the SHA-256 of a patient as a table names them, in one form of letters and case.

    It keeps the table's names out of a model that is handed on. Whoever guesses a name can still check it.
    """
    normal = name_key(" ".join(patient.split()))
    return hashlib.sha256(_PATIENT + normal.encode("utf-8", "surrogatepass")).hexdigest()


def marks_of(case: Case, sequences: Iterable[Sequence]) -> Mapping[Sequence, ImageMark]:
    """Return what the images of a case are recognised by."""
    return {
        sequence: ImageMark(
            sha256=voxels_sha256(case.sequences[sequence]), likeness=likeness(case.sequences[sequence])
        )
        for sequence in sequences
        if sequence in case.sequences
    }


def known_by_record(record: Mapping[str, object], *, siblings: Several[str] = ()) -> Known | None:
    """Return whether the model behind a mask has learned from its case; None where the record says nothing.

    `siblings` are other cases of its patient, which the model may not have been told when it predicted: a
    single case was given to it, or the model is of an earlier version.
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
    """Say which cases, of so many, are no test of the model that predicted them; nothing if all are.

    Parameters
    ----------
    known
        By the case's name.
    total
        Number of cases that were scored or predicted.
    """
    images, patients, names = (
        [case for case, how in known.items() if how == kind] for kind in ("image", "patient", "name")
    )
    sentences = []
    if images:
        be = "is" if len(images) == 1 else "are"
        sentences.append(
            f"{_some(images, total)} {be} among those that the model was trained on: scores there are too "
            "good."
        )
    if patients:
        be = "is" if len(patients) == 1 else "are"
        sentences.append(
            f"{_some(patients, total)} {be} of a patient whom the model was trained on: scores there are too "
            "good."
        )
    if names:
        have = "has" if len(names) == 1 else "have"
        sentences.append(
            f"{_some(names, total)} {have} the name of a case that the model was trained on: if that is the "
            "same, scores there are too good."
        )
    return " ".join(sentences)


def _some(cases: Several[str], total: int) -> str:
    named = listed(cases)
    return f"The case {named}" if total == 1 else f"{len(cases)} of the {total} cases ({named})"
