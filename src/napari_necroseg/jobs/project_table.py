"""Looks again at the folder of a project for what is new or doubtful, and changes its table when asked."""

import threading
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.jobs.cases import OpenedCohort
from napari_necroseg.jobs.opening import present

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_necroseg.core.cohort.doubts import Doubt
    from napari_necroseg.core.cohort.find import Gap
    from napari_necroseg.core.project.case_states import CaseState

# What this program writes into a project.
_OWN_FOLDERS = (LABELS_FOLDER, "predictions", "models", "study")


@dataclass(frozen=True, kw_only=True)
class Rescanned:
    """What the folder of a project holds beside its table."""

    cohort: Cohort
    # Cases that the table does not have.
    new: tuple[CaseFiles, ...] = ()
    # Images that cases lack and that may be chosen.
    gaps: tuple["Gap", ...] = ()
    doubts: tuple["Doubt", ...] = ()


@dataclass(frozen=True, kw_only=True)
class LookedAt:
    """What each case of a cohort has, by its name."""

    cohort: Cohort
    states: "Mapping[str, CaseState]"


@dataclass(frozen=True, kw_only=True)
class Mended:
    """A project whose table was changed for a case."""

    project: OpenedCohort
    case: str


def rescan(cohort: Cohort, table: Path | None, *, stop: threading.Event) -> Iterator[Event]:
    """Look anew at the folder of a project, and for images that are not what they are taken for."""
    from napari_necroseg.core.cohort.doubts import doubts_of
    from napari_necroseg.core.cohort.find import find_cases

    new: tuple[CaseFiles, ...] = ()
    gaps: tuple[Gap, ...] = ()
    if table is not None:
        try:
            pairing = yield from find_cases(table.parent)
            new = _new_cases(pairing.cases, cohort, table=table)
            gaps = (*_open_gaps(pairing.gaps, cohort), *_unlisted_t2(pairing.cases, cohort))
        except NecrosegError:
            # A table may name images from anywhere: its own folder need not hold any.
            pass
    doubts: list[Doubt] = []
    for files in cohort:
        if stop.is_set():
            return
        doubts += doubts_of(files, by_folder=False)
    yield Finished(result=Rescanned(cohort=cohort, new=new, gaps=gaps, doubts=tuple(doubts)))


def look_at(cohort: Cohort, folder: Path | None, *, open_case: str, stop: threading.Event) -> Iterator[Event]:
    """Look at what each case has: masks, sign-offs, predictions, work that is not saved."""
    from napari_necroseg.core.project.case_states import look_at_cases

    states = yield from look_at_cases(cohort, folder, open_case=open_case)
    yield Finished(result=LookedAt(cohort=cohort, states=states))


def remember_case(folder: Path, case: str, *, stop: threading.Event) -> Iterator[Event]:
    """Remember for the next start which project and case are open."""
    from napari_necroseg.core.project.remembered import remember_project

    yield Finished(result=remember_project(folder, case))


def add_cases(table: Path, new: SequenceOf[CaseFiles], *, stop: threading.Event) -> Iterator[Event]:
    """Add cases to a table; every row that is there stays."""
    from napari_necroseg.core.cohort.edit_table import add_to_table

    add_to_table(table, new)
    yield _mended(table, new[0].name)


def mend(table: Path, gap: "Gap", *, path: Path, stop: threading.Event) -> Iterator[Event]:
    """Take a file for the image that a case lacks; a case that is not in the table is added to it."""
    from napari_necroseg.core.cohort.edit_table import add_to_table, put_into_table
    from napari_necroseg.core.images.read import read_grid

    # Raises an error, before anything is written, if that is no image.
    read_grid(path, channel=None)
    known = present(table)[0] if table.exists() else Cohort(cases=())
    if gap.case in known:
        put_into_table(table, gap.case, files={str(gap.sequence): path})
    else:
        case = CaseFiles(name=gap.case, sequences={}, patient=gap.patient)
        for column, file in (*gap.certain.items(), (str(gap.sequence), path)):
            case = case.with_file(column, file)
        add_to_table(table, [case])
    yield _mended(table, gap.case)


def swap(table: Path, files: CaseFiles, *, stop: threading.Event) -> Iterator[Event]:
    """Exchange ceT1 and T2 in the row of a case."""
    from napari_necroseg.core.cohort.edit_table import put_into_table

    cet1, t2 = files.sequences[Sequence.CET1], files.sequences[Sequence.T2]
    put_into_table(table, files.name, files={"ceT1": t2, "T2": cet1})
    yield _mended(table, files.name)


def leave_out(table: Path, case: str, *, column: str, stop: threading.Event) -> Iterator[Event]:
    """Empty a cell of the row of a case."""
    from napari_necroseg.core.cohort.edit_table import put_into_table

    put_into_table(table, case, files={column: None})
    yield _mended(table, case)


def _mended(table: Path, case: str) -> Finished[Mended]:
    cohort, gone = present(table)
    project = OpenedCohort(cohort=cohort, path=table, problems=gone, first=case, compared=True)
    return Finished(result=Mended(project=project, case=case))


def _new_cases(found: tuple[CaseFiles, ...], cohort: Cohort, *, table: Path) -> tuple[CaseFiles, ...]:
    """Return the cases that a table lacks, without masks that this program wrote."""
    known = {path.resolve() for files in cohort for path in files.sequences.values()}
    names = {name_key(name) for name in cohort.names}
    own = [(table.parent / name).resolve() for name in _OWN_FOLDERS]

    def is_own(path: Path | None) -> bool:
        return path is not None and any(path.resolve().is_relative_to(folder) for folder in own)

    new = (
        files
        for files in found
        if not (name_key(files.name) in names or is_own(files.sequences[Sequence.CET1]))
        and files.sequences[Sequence.CET1].resolve() not in known
    )
    return tuple(
        replace(
            files,
            reference=None if is_own(files.reference) else files.reference,
            tumour=None if is_own(files.tumour) else files.tumour,
        )
        for files in new
    )


def _open_gaps(gaps: tuple["Gap", ...], cohort: Cohort) -> tuple["Gap", ...]:
    """Return the gaps that the table does not fill."""
    used = {path.resolve() for files in cohort for path in files.paths.values()}
    left = []
    for gap in gaps:
        is_listed = gap.case in cohort
        if gap.sequence is Sequence.CET1:
            is_filled = is_listed or any(path.resolve() in used for path in gap.candidates)
        else:
            is_filled = not is_listed or Sequence.T2 in cohort[gap.case].sequences
        if not is_filled:
            left.append(gap)
    return tuple(left)


def _unlisted_t2(found: tuple[CaseFiles, ...], cohort: Cohort) -> Iterator["Gap"]:
    """Yield the cases whose T2 image lies in their folder, but not in the table."""
    from napari_necroseg.core.cohort.find import Gap

    rows = {files.sequences[Sequence.CET1].resolve(): files for files in cohort}
    for files in found:
        row = rows.get(files.sequences[Sequence.CET1].resolve())
        t2 = files.sequences.get(Sequence.T2)
        if row is not None and t2 is not None and Sequence.T2 not in row.sequences:
            yield Gap(case=row.name, folder=t2.parent, sequence=Sequence.T2, candidates=(t2,))
