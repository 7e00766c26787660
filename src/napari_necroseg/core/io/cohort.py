"""The table of a cohort, ``cohort.csv``; a mistake in it is reported with the number of its row."""

import csv
import io
import os
import re
from collections import Counter
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.io.atomic import write_text

COLUMNS = ("case", "ceT1", "T2", "reference", "tumour", "patient", "days_since_rfa", "fold", "status")
REQUIRED = ("case", "ceT1")
# Names that Windows refuses as files, whatever their suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def read_cohort(path: Path) -> Cohort:
    """Read a cohort; a folder stands for the ``cohort.csv`` in it.

    Commas, semicolons or tabs separate the cells, so that a table saved by a spreadsheet in any country
    can be read; empty rows are skipped; unknown columns are ignored.

    Raises
    ------
    CohortError
        If the table is missing or malformed, or a row is wrong: with its number, the header being row 1.
    """
    path = path / "cohort.csv" if path.is_dir() else path
    if not path.is_file():
        raise CohortError(f"There is no cohort table {path}; make one with: necroseg prepare FOLDER.")
    rows = _rows(path)
    cases = tuple(_case(cells, number, path) for number, cells in rows)
    if not cases:
        raise CohortError(f"{path.name} lists no case; run necroseg prepare again or add a row.")
    _check_together([(number, case) for (number, _), case in zip(rows, cases, strict=True)])
    return Cohort(cases=cases)


def write_cohort(path: Path, cohort: Cohort) -> None:
    """Write a cohort atomically, with paths relative to the table where that is possible."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in cohort:
        images = [case.sequences.get(Sequence.CET1), case.sequences.get(Sequence.T2)]
        files = [_relative(file, path.parent) for file in (*images, case.reference, case.tumour)]
        days = "" if case.days_since_rfa is None else f"{case.days_since_rfa:g}"
        fold = "" if case.fold is None else str(case.fold)
        writer.writerow([case.name, *files, case.patient, days, fold, case.status])
    write_text(path, text.getvalue())


def check_case_name(name: str) -> str | None:
    """Why a name cannot be the name of a case, and so of files; None if it can."""
    if not name:
        return "the case has no name"
    if any(char in '/\\:*?"<>|' or ord(char) < 32 for char in name):
        return f"the case name {name!r} has a character that file names cannot have"
    if name != name.strip(" .") or RESERVED.fullmatch(name) or len(name) > 120:
        return f"the case name {name!r} cannot be a file name on every system"
    return None


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="cp1252", errors="replace")
    lines = text.splitlines()
    header = lines[0] if lines else ""
    delimiter = max(",;\t", key=header.count)
    table = list(csv.reader(lines, delimiter=delimiter))
    names = [cell.strip() for cell in table[0]] if table else []
    _check_header(names, path.name)
    return [
        (number, _cells(names, cells, number))
        for number, cells in enumerate(table[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]


def _check_header(names: list[str], file: str) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise CohortError(
            f"{file} is not a cohort table: its first row has no column {' and no column '.join(missing)}. "
            f"The columns are {','.join(COLUMNS)}."
        )
    twice = [name for name, n in Counter(names).items() if n > 1 and name]
    if twice:
        raise CohortError(f"{file} has the column {twice[0]} twice; remove one.")


def _cells(names: list[str], cells: list[str], number: int) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise CohortError(f"Row {number} has {len(cells)} cells, but there are {len(names)} columns.")
    padded = [*cells, *[""] * (len(names) - len(cells))]
    return {name: cell.strip() for name, cell in zip(names, padded, strict=False)}


def _case(cells: dict[str, str], number: int, table: Path) -> CaseFiles:
    name = cells["case"]
    problem = check_case_name(name)
    if problem:
        raise CohortError(f"Row {number}: {problem}.")
    paths = {column: _path(cells, column, number, table) for column in ("ceT1", "T2", "reference", "tumour")}
    if paths["ceT1"] is None:
        raise CohortError(f"Row {number} ({name}): there is no ceT1 file, and every case needs one.")
    sequences = {sequence: path for sequence in Sequence if (path := paths[str(sequence)]) is not None}
    return CaseFiles(
        name=name,
        sequences=sequences,
        reference=paths["reference"],
        tumour=paths["tumour"],
        patient=cells.get("patient", ""),
        days_since_rfa=_days(cells.get("days_since_rfa", ""), number),
        fold=_fold(cells.get("fold", ""), number),
        status=cells.get("status", ""),
    )


def _path(cells: dict[str, str], column: str, number: int, table: Path) -> Path | None:
    text = cells.get(column, "")
    if not text:
        return None
    # A table written on Windows and read elsewhere has backslashes.
    path = table.parent / (text if Path(text).is_absolute() else text.replace("\\", "/"))
    if not path.is_file():
        raise CohortError(f"Row {number} ({cells['case']}): the {column} file {text} does not exist.")
    return path


def _days(text: str, number: int) -> float | None:
    if not text:
        return None
    try:
        days = float(text.replace(",", "."))
    except ValueError:
        days = -1.0
    if not 0 <= days < 1e6:
        raise CohortError(f"Row {number}: days_since_rfa is {text!r}; a number of days from 0 on is needed.")
    return days


def _fold(text: str, number: int) -> int | None:
    if not text:
        return None
    if not (text.isdigit() and int(text) >= 1):
        raise CohortError(f"Row {number}: fold is {text!r}; a whole number from 1 on is needed.")
    return int(text)


def _check_together(rows: list[tuple[int, CaseFiles]]) -> None:
    """Refuse names that two rows share, and patients that stand in two folds."""
    first_row: dict[str, int] = {}
    fold_of_patient: dict[str, tuple[int, int | None]] = {}
    for number, case in rows:
        # Some file systems do not tell upper from lower case.
        other = first_row.setdefault(case.name.casefold(), number)
        if other != number:
            raise CohortError(f"Rows {other} and {number} have the same case name, {case.name!r}.")
        row, fold = fold_of_patient.setdefault(case.patient_or_name, (number, case.fold))
        if fold != case.fold:
            raise CohortError(
                f"Rows {row} and {number} are of one patient but of different folds; a patient must not "
                "stand on both sides of a split."
            )


def _relative(file: Path | None, folder: Path) -> str:
    if file is None:
        return ""
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:
        # Another drive on Windows: there is no relative path.
        return str(file.resolve())
