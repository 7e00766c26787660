"""The table of a cohort, ``cohort.csv``: read with the row of every mistake, written with relative paths."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.casename import check_case_name, name_key
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.files import write_text
from napari_necroseg.core.io.rows import case_of_row, row_of_case
from napari_necroseg.core.io.table import Table, read_table, short, table_text

COLUMNS = ("case", "ceT1", "T2", "reference", "tumour", "patient", "days_since_rfa", "fold", "status")
# Written only where a TIFF stack needs it.
OPTIONAL_COLUMNS = ("spacing_mm",)
REQUIRED = ("case", "ceT1")
# Columns that begin so are a person's own and are left alone.
OWN_COLUMNS = ("comment", "note", "remark")
MOST_MISTAKES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case, its row number, and the cells of columns that are a person's own."""

    number: int
    case: CaseFiles
    own: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CohortTable:
    """A cohort as its table has it: the rows, and how the file was written."""

    rows: tuple[Row, ...]
    layout: Table

    @property
    def cohort(self) -> Cohort:
        """The cases alone; a patient is written in one way, that of its first row."""
        spelling: dict[str, str] = {}
        cases = []
        for case in (row.case for row in self.rows):
            patient = spelling.setdefault(name_key(case.patient_or_name), case.patient_or_name)
            is_same = patient == case.patient_or_name
            cases.append(case if is_same else replace(case, patient=patient))
        return Cohort(cases=tuple(cases))


def read_cohort(path: Path) -> Cohort:
    """Read a cohort; a folder stands for the ``cohort.csv`` in it.

    Commas, semicolons or tabs separate the cells, so that a table saved by a spreadsheet in any country
    can be read; empty rows are skipped; column names are compared without case. Columns that begin with
    comment, note or remark are a person's own; any other unknown column is an error, since it may be a
    misspelt one whose values would be lost.

    Raises
    ------
    CohortError
        If the table is missing or malformed, or rows are wrong: with their numbers, the header being row 1.
    """
    return read_cohort_table(path).cohort


def read_cohort_table(path: Path) -> CohortTable:
    """Read a cohort with its row numbers and own columns; see `read_cohort`."""
    path = path / "cohort.csv" if path.is_dir() else path
    if not path.is_file():
        raise CohortError(f"There is no cohort table {path}; make one with: necroseg prepare FOLDER.")
    table = _with_known_columns(read_table(path), path.name)
    rows: list[Row] = []
    mistakes: list[str] = []
    for number, cells in table.rows:
        own = {column: text for column, text in cells.items() if _is_own(column)}
        try:
            rows.append(Row(number=number, case=case_of_row(cells, path.parent), own=own))
        except CohortError as error:
            name = f" ({short(cells['case'])})" if cells["case"] else ""
            mistakes.append(f"row {number}{name}: {error}")
    mistakes += _mistakes_between(rows)
    if mistakes:
        raise CohortError(_as_sentence(mistakes, path.name))
    if not rows:
        raise CohortError(f"{path.name} lists no case; add a row, or run necroseg prepare again.")
    return CohortTable(rows=tuple(rows), layout=table)


def write_cohort(path: Path, cohort: Cohort) -> None:
    """Write a cohort atomically, with paths relative to the table where that is possible.

    Raises
    ------
    CohortError
        If two cases have the same name, or one has a name that no case may have; nothing is written then.
    ResourceError
        If the file cannot be written.
    """
    rows = tuple(Row(number=number, case=case) for number, case in enumerate(cohort, start=2))
    write_cohort_table(path, CohortTable(rows=rows, layout=Table(columns=COLUMNS, rows=())))


def write_cohort_table(path: Path, table: CohortTable) -> None:
    """Write a table with its own columns, in the layout that it was read in; see `write_cohort`."""
    write_text(path, cohort_text(path, table))


def cohort_text(path: Path, table: CohortTable) -> str:
    """The text that `write_cohort_table` would write to `path`."""
    folder = path.parent
    cells = tuple((row.number, row_of_case(row.case, folder) | row.own) for row in table.rows)
    names = ((row.number, check_case_name(row.case.name)) for row in table.rows)
    mistakes = [f"row {number}: {reason}" for number, reason in names if reason]
    mistakes += _mistakes_between(table.rows)
    if mistakes:
        raise CohortError(_as_sentence(mistakes, path.name))
    own = [column for column in table.layout.columns if _is_own(column)]
    optional = [column for column in OPTIONAL_COLUMNS if any(row[column] for _, row in cells)]
    return table_text(replace(table.layout, columns=(*COLUMNS, *optional, *own), rows=cells))


def _with_known_columns(table: Table, file: str) -> Table:
    """Rename columns that differ in case only; refuse a table that lacks one or has a foreign one."""
    known = {name_key(column): column for column in (*COLUMNS, *OPTIONAL_COLUMNS)}
    new_name = {column: known.get(name_key(column), column) for column in table.columns}
    missing = [column for column in REQUIRED if column not in new_name.values()]
    if missing:
        raise CohortError(
            f"{file} is not a cohort table: its first row has no column {' and no column '.join(missing)}. "
            f"The columns are {','.join(COLUMNS)}."
        )
    for column in new_name.values():
        if column not in known.values() and not _is_own(column):
            close = difflib.get_close_matches(short(name_key(column)), known, n=1)
            meant = f"rename it if you mean {known[close[0]]!r}, or " if close else ""
            raise CohortError(
                f"{file} has a column {short(column)!r} that is not known; {meant}let its name begin with "
                f"{OWN_COLUMNS[0]!r} if it is your own. The columns are {','.join(COLUMNS)}."
            )
    rows = tuple((n, {new_name[column]: text for column, text in cells.items()}) for n, cells in table.rows)
    return replace(table, columns=tuple(new_name.values()), rows=rows)


def _is_own(column: str) -> bool:
    return name_key(column).startswith(OWN_COLUMNS)


def _mistakes_between(rows: Iterable[Row]) -> list[str]:
    """Names that two rows share, patients in two folds, and one image given for two patients."""
    mistakes: list[str] = []
    row_of_name: dict[str, Row] = {}
    row_of_patient: dict[str, Row] = {}
    row_of_image: dict[Path, Row] = {}
    for row in rows:
        case = row.case
        # Some file systems do not tell upper from lower case.
        same_name = row_of_name.setdefault(name_key(case.name), row)
        same_patient = row_of_patient.setdefault(name_key(case.patient_or_name), row)
        same_image = row_of_image.setdefault(case.sequences[Sequence.CET1].resolve(), row)
        if same_name is not row:
            mistakes.append(f"rows {same_name.number} and {row.number} have the same case name, {case.name}")
        if same_patient.case.fold != case.fold:
            mistakes.append(
                f"rows {same_patient.number} and {row.number} are of one patient ({case.patient_or_name}), "
                f"but of fold {_shown(same_patient.case.fold)} and {_shown(case.fold)}; a patient must stand "
                "in one fold"
            )
        if row_of_patient[name_key(same_image.case.patient_or_name)] is not same_patient and same_name is row:
            mistakes.append(
                f"rows {same_image.number} and {row.number} name the same ceT1 file, so they are of one "
                "patient; give both the same patient"
            )
    return mistakes


def _shown(fold: int | None) -> str:
    return "none" if fold is None else str(fold)


def _as_sentence(mistakes: list[str], file: str) -> str:
    shown = "; ".join(mistakes[:MOST_MISTAKES_SHOWN])
    more = len(mistakes) - MOST_MISTAKES_SHOWN
    return f"{file}, {shown}{f'; and {more} more mistakes' if more > 0 else ''}."
