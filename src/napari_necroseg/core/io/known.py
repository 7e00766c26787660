"""Who is known to a model: whose image, patient or name is that of a case which it has learned from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.casename import is_among, name_key
from napari_necroseg.core.files import voxels_sha256
from napari_necroseg.core.io.likeness import alike, likeness
from napari_necroseg.core.io.made import Known

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
