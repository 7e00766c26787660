"""Adds cases to a table and files to its rows; every other cell stays as the person wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from napari_necroseg.core.case import CaseFiles
from napari_necroseg.core.case_names import check_case_name, name_key
from napari_necroseg.core.cohort.csv_table import Table, read_table, table_text
from napari_necroseg.core.cohort.table import COLUMNS, OPTIONAL_COLUMNS, row_of_case, with_known_columns
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.files import back_up, write_text


def add_to_table(path: Path, cases: Iterable[CaseFiles]) -> None:
    """Add cases to a table, which is made if there is none; an earlier one is kept as ``.bak-1``, ...

    Rows whose files are gone stay. Raises CohortError for a name that is taken or that no case may have.
    """
    table = _read(path)
    taken = {name_key(cells.get("case", "")) for _, cells in table.rows}
    rows = list(table.rows)
    for case in cases:
        reason = check_case_name(case.name)
        if reason is None and name_key(case.name) in taken:
            reason = f"{path.name} has a case {case.name!r} already"
        if reason is not None:
            raise CohortError(f"The case was not added: {reason}; rename its folder.")
        taken.add(name_key(case.name))
        rows.append((0, row_of_case(case, path.parent)))
    _write(path, replace(table, rows=tuple(rows)))


def put_into_table(path: Path, case: str, *, files: Mapping[str, Path | None]) -> None:
    """Put files into the row of a case by their columns, or empty these; the earlier table is kept as above.

    Raises CohortError if the table has no such case.
    """
    table = _read(path)
    cells = dict.fromkeys(files, "")
    for column, file in files.items():
        if file is not None:
            named = CaseFiles(name=case, sequences={}).with_file(column, file)
            cells[column] = row_of_case(named, path.parent)[column]
    if not any(_is_row_of(row, case) for _, row in table.rows):
        raise CohortError(f"{path.name} has no case {case!r}; add it first.")
    rows = tuple((number, row | cells if _is_row_of(row, case) else row) for number, row in table.rows)
    _write(path, replace(table, rows=rows))


def _is_row_of(cells: dict[str, str], case: str) -> bool:
    return name_key(normalize("NFC", cells.get("case", ""))) == name_key(case)


def _read(path: Path) -> Table:
    if not path.exists():
        return Table(columns=COLUMNS, rows=())
    return with_known_columns(read_table(path), path.name)


def _write(path: Path, table: Table) -> None:
    known = (*COLUMNS, *OPTIONAL_COLUMNS)
    used = [column for column in known if any(cells.get(column) for _, cells in table.rows)]
    more = tuple(column for column in used if column not in table.columns)
    text = table_text(replace(table, columns=(*table.columns, *more)))
    if path.exists():
        back_up(path)
    write_text(path, text)
