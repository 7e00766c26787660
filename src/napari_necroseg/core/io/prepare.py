"""From a folder of images to a table of cases: find, pair, check, and write ``cohort.csv``."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import back_up
from napari_necroseg.core.io.checking import check_case
from napari_necroseg.core.io.cohort import (
    COLUMNS,
    CohortTable,
    Row,
    cohort_text,
    read_cohort_table,
    write_cohort_table,
)
from napari_necroseg.core.io.merging import merge
from napari_necroseg.core.io.pairing import UNDERSTOOD, find_cases, unused_sentence
from napari_necroseg.core.io.table import Table
from napari_necroseg.core.io.twins import find_twins
from napari_necroseg.core.output import check_out_file


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a case of the table has."""

    case: str
    has_t2: bool
    has_reference: bool
    has_tumour: bool


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The table of a cohort.

    Parameters
    ----------
    cohort
        The file.
    cases
        How many cases it has.
    problems
        A sentence for each thing that is missing, ambiguous, doubtful or left out.
    listing
        What each case has, in the order of the table.
    earlier
        Where the earlier table went, if this one took its place.
    """

    cohort: Path
    cases: int
    problems: tuple[str, ...]
    listing: tuple[Listed, ...]
    earlier: Path | None = None

    def __str__(self) -> str:
        width = max(4, *(len(one.case) for one in self.listing))
        lines = [f"{'case':{width}}  ceT1  T2   reference  tumour"]
        for one in self.listing:
            t2, reference, tumour = (
                "yes" if has else "-" for has in (one.has_t2, one.has_reference, one.has_tumour)
            )
            lines.append(f"{one.case:{width}}  yes   {t2:3}  {reference:9}  {tumour}".rstrip())
        problems = {0: "no problems", 1: "1 problem"}.get(
            len(self.problems), f"{len(self.problems)} problems"
        )
        n_cases = "1 case" if self.cases == 1 else f"{self.cases} cases"
        kept = f" The earlier table is now {self.earlier.name}." if self.earlier else ""
        return "\n".join([*lines, f"{n_cases}, {problems}. The table is {self.cohort}.{kept}"])


def prepare(folder: Path, *, out: Path | None = None) -> Generator[Event]:
    """Find, pair and check the images in a folder, and write the table of cases.

    A table that is there already is added to, see `core.io.merging`; if that changes it, the earlier one
    is kept beside it as ``cohort.csv.bak-1``, ``.bak-2``, ...

    Parameters
    ----------
    folder
        See `core.io.pairing.find_cases` for the layouts that are understood.
    out
        The table to write, or the folder for it; ``cohort.csv`` in `folder` if None.

    Yields
    ------
    Event
        `Progress` while searching and checking, `Warned` for each problem, then `Finished` with `Prepared`.

    Raises
    ------
    CohortError
        If no case is found, or an earlier table has a mistake; nothing is written then.
    """
    path = _table_path(folder, out)
    check_out_file(path)
    yield Started(message=f"Looking for cases in {folder}.")
    earlier = _read_earlier(path)
    pairing = yield from find_cases(folder)
    problems = list(pairing.problems)
    yield from (Warned(message=problem) for problem in problems)
    twins = yield from find_twins(_all_cases(earlier, pairing.cases))
    checked: list[CaseFiles] = []
    for done, case in enumerate(pairing.cases):
        yield Progress(done=done, total=len(pairing.cases), message=f"checking {case.name}")
        result = check_case(case, root=folder)
        checked += [result.case] if result.case is not None else []
        problems += result.problems
        yield from (Warned(message=problem) for problem in result.problems)
    merged = merge(earlier, checked)
    more = [*merged.notes, *twins, *unused_sentence(pairing.unused, folder)]
    yield from (Warned(message=problem) for problem in more)
    if not checked:
        raise CohortError(_no_case(folder, problems))
    backup = _write(path, earlier, replace(earlier, rows=merged.rows))
    yield Finished(result=_prepared(path, merged.rows, (*problems, *more), backup))


def _all_cases(earlier: CohortTable, found: tuple[CaseFiles, ...]) -> tuple[CaseFiles, ...]:
    """Return the cases of the table, and those that were found and are not among them."""
    rows = earlier.cohort
    images = {case.sequences[Sequence.CET1].resolve() for case in rows}
    new = (case for case in found if case.sequences[Sequence.CET1].resolve() not in images)
    return (*rows, *(case for case in new if case.name not in rows))


def _table_path(folder: Path, out: Path | None) -> Path:
    if out is None:
        return folder / "cohort.csv"
    return out / "cohort.csv" if out.is_dir() else out


def _read_earlier(path: Path) -> CohortTable:
    """Return the earlier table, which must be faultless: a cell that cannot be read would be lost."""
    if not path.exists():
        return CohortTable(rows=(), layout=Table(columns=COLUMNS, rows=()))
    try:
        return read_cohort_table(path)
    except CohortError as error:
        raise CohortError(
            f"There is a table already, and it cannot be added to. {error} Mend it, move it away, or choose "
            "another file with --out."
        ) from None


def _write(path: Path, earlier: CohortTable, new: CohortTable) -> Path | None:
    """Write the table unless it says the same as before; return where the earlier one went."""
    if not earlier.rows:
        write_cohort_table(path, new)
        return None
    if cohort_text(path, new) == cohort_text(path, earlier):
        return None
    backup = back_up(path)
    write_cohort_table(path, new)
    return backup


def _prepared(path: Path, rows: tuple[Row, ...], problems: tuple[str, ...], backup: Path | None) -> Prepared:
    listing = tuple(
        Listed(
            case=row.case.name,
            has_t2=Sequence.T2 in row.case.sequences,
            has_reference=row.case.reference is not None,
            has_tumour=row.case.tumour is not None,
        )
        for row in rows
    )
    return Prepared(cohort=path, cases=len(rows), problems=problems, listing=listing, earlier=backup)


def _no_case(folder: Path, problems: list[str]) -> str:
    shown = " ".join(problems[:3]) + (
        f" (And {len(problems) - 3} more problems.)" if len(problems) > 3 else ""
    )
    return f"No case with a ceT1 image was found in {folder}, so no table was written. {shown} {UNDERSTOOD}"
