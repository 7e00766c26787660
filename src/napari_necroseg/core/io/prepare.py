"""From a folder of images to a table of cases: find, pair, open every file once, write ``cohort.csv``."""

import shutil
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.errors import CohortError, NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.io.cohort import read_cohort, write_cohort
from napari_necroseg.core.io.load import load_case
from napari_necroseg.core.io.pairing import find_cases


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The table that was written, how many cases it has, and what is wrong with the folder."""

    cohort: Path
    cases: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        n_problems = len(self.problems)
        remarks = {0: "nothing to remark", 1: "1 remark"}.get(n_problems, f"{n_problems} remarks")
        return f"{self.cases} cases written to {self.cohort}; {remarks}."


def prepare(folder: Path, *, out: Path | None = None) -> Generator[Event]:
    """Find, pair and check the images in a folder, and write the table of cases.

    Rows of an earlier table are kept as a person left them: only their empty cells are filled, new
    cases are added, and the earlier table is kept beside the new one as ``.bak``.

    Parameters
    ----------
    folder
        See `core.io.pairing.find_cases` for the layouts that are understood.
    out
        The table to write; ``cohort.csv`` in the folder if None.

    Yields
    ------
    Event
        `Progress` a case, `Warned` for each problem, then `Finished` with `Prepared`.
    """
    table = out or folder / "cohort.csv"
    earlier = read_cohort(table) if table.exists() else Cohort(cases=())
    yield Started(message=f"Looking for cases in {folder}.")
    pairing = find_cases(folder)
    problems = list(pairing.problems)
    yield from (Warned(message=problem) for problem in problems)
    checked: list[CaseFiles] = []
    for done, files in enumerate(pairing.cases):
        yield Progress(done=done, total=len(pairing.cases), message=f"checking {files.name}")
        try:
            found = check_case(files)
            checked.append(files)
        except NecrosegError as error:
            found = [f"{files.name}: {error} The case was left out."]
        problems += found
        yield from (Warned(message=problem) for problem in found)
    cohort = merged(earlier, checked)
    if not len(cohort):
        raise CohortError(f"No case could be made from {folder}: {problems[0]}")
    _write(table, cohort, earlier)
    yield Finished(result=Prepared(cohort=table, cases=len(cohort), problems=tuple(problems)))


def check_case(files: CaseFiles) -> list[str]:
    """Open every file of a case, and say what looks wrong with it.

    Raises
    ------
    NecrosegError
        If the case cannot be loaded at all.
    """
    case = load_case(files)
    problems = [note for note in case.notes if note.startswith("Check ")]
    if case.reference is not None and not case.reference.voxels.any():
        problems.append("the reference mask is empty.")
    return [f"{files.name}: {problem}" for problem in problems]


def merged(earlier: Cohort, found: list[CaseFiles]) -> Cohort:
    """Return the earlier rows with their empty cells filled, followed by the cases that are new."""
    found_by_name = {case.name: case for case in found}
    kept = [_filled(case, found_by_name.get(case.name)) for case in earlier]
    new = [case for case in found if case.name not in earlier.names]
    return Cohort(cases=(*kept, *new))


def _filled(case: CaseFiles, found: CaseFiles | None) -> CaseFiles:
    if found is None:
        return case
    return replace(
        case,
        sequences={**found.sequences, **case.sequences},
        reference=case.reference or found.reference,
        tumour=case.tumour or found.tumour,
        patient=case.patient or found.patient,
    )


def _write(table: Path, cohort: Cohort, earlier: Cohort) -> None:
    if len(earlier):
        shutil.copy2(table, table.with_name(table.name + ".bak"))
    write_cohort(table, cohort)
