"""Reads and writes tables as the spreadsheets of any country save them, whatever separates the cells."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from napari_necroseg.core.case_names import name_key, shown
from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.files import read_bytes

DELIMITERS = ",;\t"
LARGEST_TABLE_BYTES = 32_000_000

# Spreadsheets end at 16,384 columns and 1,048,576 rows; no study has more cases than the last number.
MOST_COLUMNS = 16_384
MOST_LINES = 2**20
MOST_ROWS = 50_000
_MOST_SHOWN = 120
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells by column name."""

    # The names in the first row, without surrounding blanks.
    columns: tuple[str, ...]
    # For each row that is not empty its number in a spreadsheet, where the header is row 1, and its cells.
    rows: tuple[tuple[int, dict[str, str]], ...]
    # How the file was written, so that it can be written back in the same way.
    delimiter: str = ","
    has_mark: bool = False


def read_table(path: Path) -> Table:
    """Read a table of text; an error says what is wrong with it, and where."""
    text = _text(path)
    first_line = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    records = _records(text.removeprefix(BYTE_ORDER_MARK), delimiter, file=path.name)
    columns = _columns(next(records, (1, []))[1], path.name)
    rows = [
        (number, _cells(columns, cells, where=f"{path.name}, row {number}"))
        for number, cells in islice(records, MOST_ROWS + 1)
    ]
    if len(rows) > MOST_ROWS:
        raise CohortError(f"{path.name} has more than {MOST_ROWS:,} rows, so it is no table of cases.")
    has_mark = text.startswith(BYTE_ORDER_MARK)
    return Table(columns=columns, rows=tuple(rows), delimiter=delimiter, has_mark=has_mark)


def table_text(table: Table) -> str:
    """Return the table as text, with line ends as on all systems but Windows."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    writer.writerow(table.columns)
    for _, cells in table.rows:
        writer.writerow([cells.get(column, "") for column in table.columns])
    return (BYTE_ORDER_MARK if table.has_mark else "") + text.getvalue()


def _records(text: str, delimiter: str, *, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and cells of the first row, which names the columns, and of all that are not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begun = 1
    try:
        for number, record in enumerate(reader, start=1):
            if number == 1 or any(cell.strip() for cell in record):
                yield number, record
            if number > MOST_LINES:
                raise CohortError(f"{file} has more than {MOST_LINES:,} rows, so it is no table of cases.")
            begun = reader.line_num + 1
    except csv.Error as error:
        raise CohortError(
            f"{file} is not a table that can be read: {error}, in what begins on line {begun}; is a "
            "quotation mark never closed there? Mend it, or save the table as CSV again."
        ) from None


def _columns(first_row: list[str], file: str) -> tuple[str, ...]:
    """Return the names of the columns, without the empty cells that spreadsheets leave after the last one."""
    names = [cell.strip() for cell in first_row]
    columns = tuple(names[: max((n for n, name in enumerate(names, start=1) if name), default=0)])
    if not columns:
        raise CohortError(f"{file} is no table: its first row is empty, but must name the columns.")
    if len(columns) > MOST_COLUMNS:
        raise CohortError(f"{file} is no table of cases: its first row names {len(columns):,} columns.")
    twice = [name for name, n in Counter(map(name_key, columns)).items() if n > 1]
    if twice:
        raise CohortError(f"{file} has the column {short(twice[0]) or 'without a name'} twice; remove one.")
    return columns


def short(text: str) -> str:
    """Return a cell for a message: without control characters, and cut off if it is long."""
    visible = shown(text[:_MOST_SHOWN])
    return visible if len(text) <= _MOST_SHOWN else f"{visible}..."


def _text(path: Path) -> str:
    try:
        content = read_bytes(path, kind="a table of cases", most_bytes=LARGEST_TABLE_BYTES)
    except FileError as error:
        raise CohortError(str(error)) from None
    for encoding in ("utf-8", "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return BYTE_ORDER_MARK + text if encoding == "utf-16" else text
    raise CohortError(f"{path.name} is not a text file; save the table as CSV (UTF-8).")


def _cells(columns: tuple[str, ...], cells: list[str], *, where: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise CohortError(
            f"{where}: it has {len(cells)} cells, but there are {len(columns)} columns; put a cell that "
            "holds a comma or semicolon in quotation marks."
        )
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    return {name: cell.strip() for name, cell in zip(columns, padded, strict=False)}
