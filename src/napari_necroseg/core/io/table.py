"""A table as spreadsheets of any country save it: whatever separates its cells."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.errors import CohortError

DELIMITERS = ",;\t"
LARGEST_TABLE_BYTES = 32_000_000
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells by column name.

    Parameters
    ----------
    columns
        As the first row has them, without blanks around.
    rows
        The number that a spreadsheet shows for the row (the header is row 1), and its cells; empty rows
        are left out.
    delimiter, has_mark
        How the file was written, so that it can be written back alike.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]
    delimiter: str = ","
    has_mark: bool = False


def read_table(path: Path) -> Table:
    """Read a table of text.

    Raises
    ------
    CohortError
        If it is no text, has no header, a column twice, or a row with more cells than columns.
    """
    text = _text(path)
    first_line = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    try:
        records = list(
            csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=""), delimiter=delimiter)
        )
    except csv.Error as error:
        raise CohortError(
            f"{path.name} is not a table that can be read: {error}. Save it as CSV again."
        ) from None
    columns = tuple(cell.strip() for cell in records[0]) if records else ()
    while columns and not columns[-1]:
        columns = columns[:-1]
    if not columns:
        raise CohortError(f"{path.name} is no table: its first row is empty, but must name the columns.")
    twice = [name for name, n in Counter(name.casefold() for name in columns).items() if n > 1]
    if twice:
        raise CohortError(f"{path.name} has the column {twice[0] or 'without a name'} twice; remove one.")
    rows = [
        (number, _cells(columns, cells, f"{path.name}, row {number}"))
        for number, cells in enumerate(records[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]
    has_mark = text.startswith(BYTE_ORDER_MARK)
    return Table(columns=columns, rows=tuple(rows), delimiter=delimiter, has_mark=has_mark)


def table_text(table: Table) -> str:
    """The table as text; lines end as spreadsheets write them on all systems but Windows."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    writer.writerow(table.columns)
    for _, cells in table.rows:
        writer.writerow([cells.get(column, "") for column in table.columns])
    return (BYTE_ORDER_MARK if table.has_mark else "") + text.getvalue()


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TABLE_BYTES:
            raise CohortError(f"{path.name} is too large for a table of cases; name the right file.")
        content = path.read_bytes()
    except OSError as error:
        raise CohortError(f"{path} could not be read: {error.strerror}.") from None
    for encoding in ("utf-8", "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return BYTE_ORDER_MARK + text if encoding == "utf-16" else text
    raise CohortError(f"{path.name} is not a text file; save the table as CSV (UTF-8).")


def _cells(columns: tuple[str, ...], cells: list[str], where: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise CohortError(
            f"{where}: it has {len(cells)} cells, but there are {len(columns)} columns; put a cell that "
            "holds a comma or semicolon in quotation marks."
        )
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    return {name: cell.strip() for name, cell in zip(columns, padded, strict=False)}
