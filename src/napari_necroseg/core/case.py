"""A case: the paired sequences of one follow-up examination, as paths or voxels; a cohort: many cases."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.volume import Grid, Origin, Volume


class Sequence(StrEnum):
    """An MR sequence that the method knows: contrast-enhanced T1, or native T2."""

    CET1 = "ceT1"
    T2 = "T2"


# Whose a mask is: that of the cohort's table; one of a project's labels, signed off or not; or open layers.
Whose = Literal["cohort", "signed", "unsigned", "layers"]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A mask that a person drew in a project, beside the one that the cohort's table names.

    Parameters
    ----------
    whose
        Whether it is signed off, or open layers.
    reader
        Initials of who signed it off.
    is_used
        Whether it is taken; the cohort's is otherwise.
    is_first
        Whether the cohort's table names no mask.
    """

    whose: Literal["signed", "unsigned", "layers"]
    reader: str = ""
    is_used: bool = True
    is_first: bool = False


@dataclass(frozen=True, kw_only=True)
class CaseFiles:
    """One row of a cohort: where the files of a case are.

    Parameters
    ----------
    name
        Unique in the cohort; safe as a file name.
    sequences
        The image file of each sequence that the case has; ceT1 is always there.
    reference, tumour
        Mask files of the necrosis zone and of the metastasis, where they exist.
    patient
        Cases with the same patient never stand on both sides of a split; the case's name if unknown.
    days_since_rfa, fold, status
        The columns of ``cohort.csv`` of that name.
    spacing_mm
        Slice, row and column spacing, for TIFF stacks that do not state theirs.
    own_masks
        Which of ``reference`` and ``tumour`` this program wrote: whatever is not 0 in them is inside.
    loaded
        The voxels, where they are in memory already (the layers of a viewer): the files are not read then.
    drawn
        What a person drew of it, by ``reference`` and ``tumour``.
    """

    name: str
    sequences: Mapping[Sequence, Path]
    reference: Path | None = None
    tumour: Path | None = None
    patient: str = ""
    days_since_rfa: float | None = None
    fold: int | None = None
    status: str = ""
    spacing_mm: tuple[float, float, float] | None = None
    own_masks: frozenset[str] = frozenset()
    loaded: "Case | None" = None
    drawn: Mapping[str, Drawn] = field(default_factory=dict)

    @property
    def patient_or_name(self) -> str:
        """The patient that the case belongs to: its own if the cohort names none."""
        return self.patient or self.name

    @property
    def shares_file(self) -> bool:
        """Whether one TIFF stack holds ceT1 and T2 as its channels."""
        return len({path.resolve() for path in self.sequences.values()}) < len(self.sequences)

    def only_sequences(self, names: Collection[str]) -> "CaseFiles":
        """Return the files without the images that are not named, which then cannot fail.

        ceT1 stays in any case, since it says where the voxels lie; so does what stands in the same file.
        """
        wanted = set(Sequence) if self.shares_file else {Sequence.CET1, *names}
        kept = {sequence: path for sequence, path in self.sequences.items() if sequence in wanted}
        return replace(self, sequences=kept)

    def whose(self, target: str) -> Whose:
        """Return whose the mask is that is learned from and scored against."""
        drawn = self.drawn.get(target)
        return drawn.whose if drawn is not None and drawn.is_used else "cohort"


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Cases that are studied together; their voxels are loaded one by one, never all at once."""

    cases: tuple[CaseFiles, ...]

    def __iter__(self) -> Iterator[CaseFiles]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def names(self) -> tuple[str, ...]:
        """The cases' names, in the order of the table."""
        return tuple(case.name for case in self.cases)

    def __contains__(self, name: str) -> bool:
        """Whether there is a case of that name, however it is written."""
        return name_key(name) in self._by_name

    def __getitem__(self, name: str) -> CaseFiles:
        """Return the case of that name, however it is written; see `case_names.name_key`."""
        found = self._by_name.get(name, self._by_name.get(name_key(name)))
        if found is None:
            raise CohortError(f"There is no case {name!r} in the cohort; it has {_some(self.names)}.")
        return found

    def only(self, names: Iterable[str]) -> "Cohort":
        """Return the cohort of the named cases, in the order of the table; an unknown name is an error."""
        wanted = {self[name].name for name in names}
        return replace(self, cases=tuple(case for case in self.cases if case.name in wanted))

    def without(self, names: Iterable[str]) -> "Cohort":
        """Return the cohort without the named cases; an unknown name is an error."""
        unwanted = {self[name].name for name in names}
        return replace(self, cases=tuple(case for case in self.cases if case.name not in unwanted))

    @cached_property
    def _by_name(self) -> dict[str, CaseFiles]:
        """By the key of the name and by the name itself, which counts first."""
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
        What the user should know of how the case was read (resampled, replaced, unusual), one sentence each.
    patient
        As the cohort's table names them; empty if none does.
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


def _some(names: tuple[str, ...], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, ..." if len(names) > most else shown or "no cases"
