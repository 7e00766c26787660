"""Holds a case (the paired sequences of one examination, as files or voxels) and a cohort of cases."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from napari_necroseg.core.case_names import listed, name_key
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.volume import Grid, Origin, Volume


class Sequence(StrEnum):
    """An MR sequence that the method knows: contrast-enhanced T1, or native T2."""

    CET1 = "ceT1"
    T2 = "T2"


# Where a mask is from: the cohort's table; a project's labels, signed off or not; or an open layer.
Whose = Literal["cohort", "signed", "unsigned", "layers"]


@dataclass(frozen=True, kw_only=True)
class DrawnMask:
    """A mask that a person drew in a project, beside the one that the cohort's table may name."""

    whose: Literal["signed", "unsigned", "layers"]
    reader: str = ""  # Initials of whoever signed it off.
    is_used: bool = True  # Instead of the cohort's.
    is_first: bool = False  # Whether the cohort's table names no mask of this kind.


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """One row of a cohort: the files of a case."""

    name: str  # Unique in the cohort; safe as a file name.
    # The image file of each sequence that the case has; ceT1 is always there.
    sequences: Mapping[Sequence, Path]
    reference: Path | None = None  # Mask file of the necrosis zone.
    tumour: Path | None = None  # Mask file of the metastasis.
    patient: str = ""  # Cases of one patient are never on both sides of a split.
    days_since_rfa: float | None = None
    fold: int | None = None
    status: str = ""
    # Of slices, rows and columns, for TIFF stacks that do not state it.
    spacing_mm: tuple[float, float, float] | None = None
    # Which of reference and tumour this program wrote: every voxel that is not 0 is inside them.
    own_masks: frozenset[str] = frozenset()
    # The voxels, if they are in memory already (layers of a viewer); the files are not read then.
    loaded: "Case | None" = None
    drawn: Mapping[str, DrawnMask] = field(default_factory=dict)  # By ``reference`` and ``tumour``.

    @property
    def patient_or_name(self) -> str:
        """The patient of the case; the case's name if the cohort names no patient."""
        return self.patient or self.name

    @property
    def shares_file(self) -> bool:
        """Whether ceT1 and T2 are channels of the same TIFF stack."""
        return len({path.resolve() for path in self.sequences.values()}) < len(self.sequences)

    @property
    def paths(self) -> dict[str, Path]:
        """The files by their column in ``cohort.csv``: ceT1, T2, reference and tumour, where they exist."""
        masks = {"reference": self.reference, "tumour": self.tumour}
        found = {str(sequence): self.sequences.get(sequence) for sequence in Sequence} | masks
        return {column: path for column, path in found.items() if path is not None}

    def with_file(self, column: str, path: Path | None) -> "CaseFiles":
        """Return the files with another one in a column of ``cohort.csv``, or with none."""
        if column == "reference":
            return replace(self, reference=path)
        if column == "tumour":
            return replace(self, tumour=path)
        others = {sequence: file for sequence, file in self.sequences.items() if sequence != column}
        return replace(self, sequences=others if path is None else {**others, Sequence(column): path})

    def channel(self, sequence: Sequence) -> int | None:
        """Return which channel of its file an image is, where both share one."""
        return list(Sequence).index(sequence) if self.shares_file else None

    def only_sequences(self, names: Collection[str]) -> "CaseFiles":
        """Return the case with the named images only, so that the others are not read.

        ceT1 always stays, since it defines the grid; so do the channels of a shared file.
        """
        wanted = set(Sequence) if self.shares_file else {Sequence.CET1, *names}
        kept = {sequence: path for sequence, path in self.sequences.items() if sequence in wanted}
        return replace(self, sequences=kept)

    def mask(self, target: str) -> Path | None:
        """Return the mask file of a target, ``reference`` or ``tumour``."""
        return self.reference if target == "reference" else self.tumour

    def missing(self, sequences: Collection[Sequence], target: str) -> tuple[str, ...]:
        """Name the images and the mask that a training needs and this case lacks."""
        images = [str(sequence) for sequence in sequences if sequence not in self.sequences]
        return (*images, *(() if self.mask(target) else (f"{target} mask",)))

    def whose(self, target: str) -> Whose:
        """Return the origin of the mask that is learned and scored against."""
        drawn = self.drawn.get(target)
        return drawn.whose if drawn is not None and drawn.is_used else "cohort"


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Cases that are studied together; their voxels are loaded case by case, never all at once.

    Parameters
    ----------
    cases
        In the order of the table.
    table
        The file that they were read from; None for cases that are in none.
    """

    cases: tuple[CaseFiles, ...]
    table: Path | None = field(default=None, compare=False)

    def __iter__(self) -> Iterator[CaseFiles]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cases, in the order of the table."""
        return tuple(case.name for case in self.cases)

    def __contains__(self, name: str) -> bool:
        """Whether there is a case of that name, whatever its letter case or Unicode form."""
        return name_key(name) in self._by_name

    def __getitem__(self, name: str) -> CaseFiles:
        """Return the case of that name; see `case_names.name_key`."""
        found = self._by_name.get(name, self._by_name.get(name_key(name)))
        if found is None:
            raise CohortError(
                f"There is no case {name!r} in the cohort; it has {listed(self.names, 8) or 'no cases'}."
            )
        return found

    def only(self, names: Iterable[str]) -> "Cohort":
        """Return the cohort of the named cases in the order of the table; an unknown name is an error."""
        wanted = {self[name].name for name in names}
        return replace(self, cases=tuple(case for case in self.cases if case.name in wanted))

    def without(self, names: Iterable[str]) -> "Cohort":
        """Return the cohort without the named cases; an unknown name is an error."""
        unwanted = {self[name].name for name in names}
        return replace(self, cases=tuple(case for case in self.cases if case.name not in unwanted))

    @cached_property
    def _by_name(self) -> dict[str, CaseFiles]:
        """Cases by their exact name, which takes precedence, and by its key."""
        by_key = {name_key(case.name): case for case in reversed(self.cases)}
        return by_key | {case.name: case for case in self.cases}


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """The voxels of one case, all in working order on the ceT1 grid.

    Parameters
    ----------
    sequences
        Images, float32, ``(Z, Y, X)``.
    reference, tumour
        Masks, uint8 with values 0 and 1, ``(Z, Y, X)``; None where the case has none.
    origin
        The ceT1 file; masks are saved onto its grid.
    notes
        Remarks for the user on how the case was read (resampled, replaced, unusual), one sentence each.
    patient
        The patient as the cohort's table names them; empty if it does not.
    """

    name: str
    sequences: Mapping[Sequence, Volume]
    origin: Origin
    reference: Volume | None = None
    tumour: Volume | None = None
    notes: tuple[str, ...] = ()
    patient: str = ""

    @property
    def grid(self) -> Grid:
        """The working grid of the ceT1 image, which all volumes of the case share."""
        return self.sequences[Sequence.CET1].grid

    def mask(self, target: str) -> Volume | None:
        """Return the mask of a target, ``reference`` or ``tumour``."""
        return self.reference if target == "reference" else self.tumour
