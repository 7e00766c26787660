"""Reads and writes the table of a cohort, ``cohort.csv``; every mistake is reported with its row."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from unicodedata import normalize

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import FORMULA_STARTS, check_case_name, name_key
from napari_necroseg.core.cohort.csv_table import Table, read_table, short, table_text
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.files import relative_path, write_text
from napari_necroseg.core.images.file_image import image_suffix, is_tiff

COLUMNS = ("case", "ceT1", "T2", "reference", "tumour", "patient", "days_since_rfa", "fold", "status")

# Written only where a TIFF stack needs it.
OPTIONAL_COLUMNS = ("spacing_mm",)
REQUIRED = ("case", "ceT1")

# Columns whose names begin so belong to the user and are left unchanged.
OWN_COLUMNS = ("comment", "note", "remark")
MOST_MISTAKES_SHOWN = 5
FILE_COLUMNS = ("ceT1", "T2", "reference", "tumour")
NUMBER = re.compile(r"[0-9]+([.,][0-9]*)?")
MOST_DAYS = 100_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case, its row number, and the cells of the user's own columns."""

    number: int
    case: CaseFiles
    own: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CohortTable:
    """A cohort as its table has it: the rows, how the file was written, and where it is."""

    rows: tuple[Row, ...]
    layout: Table
    path: Path | None = None

    @property
    def cohort(self) -> Cohort:
        """The cases alone; a patient is written in one way, that of its first row."""
        spelling: dict[str, str] = {}
        cases = []
        for case in (row.case for row in self.rows):
            patient = spelling.setdefault(name_key(case.patient_or_name), case.patient_or_name)
            is_same = patient == case.patient_or_name
            cases.append(case if is_same else replace(case, patient=patient))
        return Cohort(cases=tuple(cases), table=self.path)


def read_cohort(path: str | Path) -> Cohort:
    """Read a cohort; a folder stands for the ``cohort.csv`` in it.

    Commas, semicolons or tabs separate the cells, so that a table saved by a spreadsheet in any country
    can be read; empty rows are skipped; column names are compared without case. Columns whose names begin
    with comment, note or remark belong to the user; any other unknown column is an error, since its name may
    be misspelt, and its values would be lost.

    Raises
    ------
    CohortError
        If the table is missing or malformed, or has wrong rows; with their numbers (the header is row 1).
    """
    return read_cohort_table(Path(path)).cohort


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A file that a table names and that is not there."""

    case: str
    column: str
    # The cell as it stands in the table.
    file: str


def read_cohort_table(path: Path, *, gone: list[Gone] | None = None) -> CohortTable:
    """Read a cohort with its row numbers and own columns; see `read_cohort`.

    If a list for them is given, files that are `gone` are no mistake: they are added to it, their cells count
    as empty, and rows without their ceT1 image are left out.
    """
    path = path / "cohort.csv" if path.is_dir() else path
    if not path.is_file():
        raise CohortError(f"There is no cohort table {path}; make one with: necroseg prepare FOLDER.")
    table = with_known_columns(read_table(path), path.name)
    rows: list[Row] = []
    lost: list[Gone] = [] if gone is None else gone
    mistakes: list[str] = []
    for number, all_cells in table.rows:
        cells = all_cells if gone is None else _present(all_cells, path.parent, gone=lost)
        if all_cells.get("ceT1") and not cells["ceT1"]:
            continue
        own = {column: text for column, text in cells.items() if _is_own(column)}
        try:
            rows.append(Row(number=number, case=case_of_row(cells, path.parent), own=own))
        except CohortError as error:
            name = f" ({short(cells['case'])})" if cells["case"] else ""
            mistakes.append(f"row {number}{name}: {error}")
    mistakes += _mistakes_between(rows)
    if mistakes:
        raise CohortError(_as_sentence(mistakes, path.name))
    if not rows and not lost:
        raise CohortError(f"{path.name} lists no case; add a row, or run necroseg prepare again.")
    return CohortTable(rows=tuple(rows), layout=table, path=path)


def write_cohort(path: Path, cohort: Cohort) -> None:
    """Write a cohort atomically, with paths relative to the table where that is possible.

    Raises CohortError if two cases have the same name, or one has a name that no case may have; nothing is
    written then. Raises ResourceError if the file cannot be written.
    """
    rows = tuple(Row(number=number, case=case) for number, case in enumerate(cohort, start=2))
    write_cohort_table(path, CohortTable(rows=rows, layout=Table(columns=COLUMNS, rows=())))


def write_cohort_table(path: Path, table: CohortTable) -> None:
    """Write a table with the user's own columns, in the layout in which it was read; see `write_cohort`."""
    write_text(path, cohort_text(path, table))


def cohort_text(path: Path, table: CohortTable) -> str:
    """Return the text that `write_cohort_table` writes to `path`."""
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


def _present(cells: Mapping[str, str], folder: Path, *, gone: list[Gone]) -> dict[str, str]:
    """Return the cells of a row without the files that are not there, which are added to `gone`."""
    lost = [column for column in FILE_COLUMNS if cells.get(column) and _found(cells[column], folder) is None]
    gone += [Gone(case=cells.get("case", ""), column=column, file=cells[column]) for column in lost]
    return {column: "" if column in lost else text for column, text in cells.items()}


def with_known_columns(table: Table, file: str) -> Table:
    """Rename columns that differ in case only; raise an error for a missing or an unknown one."""
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
    """Return mistakes between rows: a name used twice, a patient in two folds, an image of two patients."""
    mistakes: list[str] = []
    row_of_name: dict[str, Row] = {}
    row_of_patient: dict[str, Row] = {}
    row_of_image: dict[Path, Row] = {}
    for row in rows:
        case = row.case
        # Some file systems ignore upper and lower case.
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


def case_of_row(cells: Mapping[str, str], folder: Path) -> CaseFiles:
    """Make a case from the cells of a row, with paths relative to `folder`; missing columns count as empty.

    A `CohortError` names the mistake as the end of a sentence that begins with the row.
    """
    name = normalize("NFC", cells.get("case", ""))
    reason = check_case_name(name)
    if reason:
        raise CohortError(reason)
    files = {
        column: _file(text, column, folder=folder)
        for column in FILE_COLUMNS
        if (text := cells.get(column, ""))
    }
    if "ceT1" not in files:
        raise CohortError("there is no ceT1 file, and every case needs one")
    _check_different(files)
    return CaseFiles(
        name=name,
        sequences={sequence: files[sequence] for sequence in Sequence if sequence in files},
        reference=files.get("reference"),
        tumour=files.get("tumour"),
        patient=cells.get("patient", ""),
        days_since_rfa=_days(cells.get("days_since_rfa", "")),
        fold=_fold(cells.get("fold", "")),
        status=cells.get("status", ""),
        spacing_mm=_spacing(cells.get("spacing_mm", "")),
    )


def row_of_case(case: CaseFiles, folder: Path) -> dict[str, str]:
    """Return the cells of a case, with paths relative to `folder` where that is possible."""
    spacing = case.spacing_mm
    return {
        "case": case.name,
        **{column: _path_cell(file, folder) for column, file in case.paths.items()},
        "patient": case.patient,
        "days_since_rfa": "" if case.days_since_rfa is None else f"{case.days_since_rfa:.10g}",
        "fold": "" if case.fold is None else str(case.fold),
        "status": case.status,
        "spacing_mm": "" if spacing is None else " x ".join(repr(float(length)) for length in spacing),
    }


def _path_cell(file: Path, folder: Path) -> str:
    """Return the path of a file as a cell: its own name is kept, also where it is a link to another name."""
    path = relative_path(file.parent.resolve() / file.name, folder)
    # Cells are read without surrounding blanks, and a spreadsheet computes what looks like a formula.
    is_misread = path[0] in FORMULA_STARTS or path[0].isspace()
    return f"./{path}" if is_misread else path


def _found(text: str, folder: Path) -> Path | None:
    """Return the file that a cell names; None if there is none."""
    # The second is for a table written on Windows and read elsewhere.
    for path in (folder / text, folder / text.replace("\\", "/")):
        if os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for impossible names)
            return path
    return None


def _file(text: str, column: str, *, folder: Path) -> Path:
    path = _found(text, folder)
    if path is None:
        raise CohortError(f"the {column} file {short(text)} does not exist")
    if not image_suffix(path):
        raise CohortError(
            f"the {column} file {short(text)} is neither NIfTI (.nii, .nii.gz, .hdr) nor TIFF (.tif)"
        )
    return path


def _check_different(files: Mapping[str, Path]) -> None:
    """Raise an error for a file in two columns; only a TIFF stack may hold both ceT1 and T2, as channels."""
    seen: dict[Path, str] = {}
    for column, path in files.items():
        other = seen.setdefault(path.resolve(), column)
        is_channels = column == "T2" and other == "ceT1" and is_tiff(path)
        if other != column and not is_channels:
            raise CohortError(f"{other} and {column} name the same file, {path.name}")


def _days(text: str) -> float | None:
    if not text:
        return None
    days = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else -1.0
    if not 0 <= days <= MOST_DAYS:
        raise CohortError(f"days_since_rfa is {short(text)!r}, but must be a number of days from 0 on")
    return days


def _fold(text: str) -> int | None:
    if not text:
        return None
    # Spreadsheets and data frames write a whole number as 1.0 if the column has empty cells.
    whole = re.fullmatch(r"0*([1-9][0-9]{0,5})([.,]0*)?", text)
    if not whole:
        raise CohortError(f"fold is {short(text)!r}, but must be a whole number from 1 on")
    return int(whole[1])


def _spacing(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    parts = [part for part in re.split(r"[\sx×;*]+", text.lower().removesuffix("mm").strip()) if part]
    if len(parts) != 3 or not all(NUMBER.fullmatch(part) for part in parts):
        raise CohortError(
            f"spacing_mm is {short(text)!r}, but must be slice x row x column, such as 4 x 0.7 x 0.7"
        )
    slice_mm, row_mm, column_mm = (float(part.replace(",", ".")) for part in parts)
    return (slice_mm, row_mm, column_mm)
