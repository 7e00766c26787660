"""Checks, compares and shows the names of cases, and finds the files named after them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Names that Windows refuses as files, whatever their suffix.
RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])(\s*\..*)?", re.IGNORECASE
)

# Commas separate names on the command line (--cases A,B).
FORBIDDEN = '/\\:*?"<>|,'

# At the start of a cell a spreadsheet takes these for a formula, a command line a minus for an option.
FORMULA_STARTS = "=+-@"
LONGEST_NAME = 120

# File names have at most 255 bytes; "_uncertainty.nii.gz" and the name of a temporary file are added.
_MOST_BYTES = 200
_MARKDOWN_SPECIAL = "\\`*_[]<>|#$"


def name_key(name: str) -> str:
    """Return the key by which names of cases and patients are compared everywhere.

    Letter case, surrounding blanks, trailing dots and the Unicode form do not count: an umlaut may be one
    character or two (macOS writes two), and not every file system tells such names apart.
    """
    return unicodedata.normalize("NFC", tidy_name(name).casefold())


def is_among(name: str, names: Iterable[str]) -> bool:
    """Whether one of the names has the same `name_key`."""
    return name_key(name) in set(map(name_key, names))


def tidy_name(name: str) -> str:
    """Return a name with composed letters, without surrounding blanks or trailing dots."""
    return re.sub(r"[\s.]+$", "", unicodedata.normalize("NFC", name).strip())


def check_case_name(name: str) -> str | None:
    """Return why a name cannot be that of a case, as the end of a sentence; None if it can."""
    if not name:
        return "the case has no name"
    bad = next((char for char in name if char in FORBIDDEN or _is_invisible(char)), None)
    if bad is not None:
        return f"the case name {name!r} has the character {bad!r}, which a case name cannot have"
    if name[0] in FORMULA_STARTS:
        return f"the case name {name!r} begins with {name[0]!r}, which a spreadsheet or command line misreads"
    is_tidy = unicodedata.normalize("NFC", name) == tidy_name(name)
    if not is_tidy or name[0] == "." or RESERVED.fullmatch(name):
        return f"the case name {name!r} cannot be a file name on every system"
    return _why_too_long(name)


def _why_too_long(name: str) -> str | None:
    n_bytes = len(name.encode())
    if len(name) <= LONGEST_NAME and n_bytes <= _MOST_BYTES:
        return None
    size = f"{len(name)} characters" if len(name) > LONGEST_NAME else f"{n_bytes} bytes"
    most = LONGEST_NAME if len(name) > LONGEST_NAME else _MOST_BYTES
    return f"the case name {name[:20] + '...'!r} has {size}, more than {most}"


def shown(text: str) -> str:
    """Return text that is safe on a terminal and in a file: invisible characters are escaped.

    The name of a file may hold line ends, escape sequences that colour or erase a terminal, marks that
    reverse the direction of writing, or bytes that are not text.
    """
    return "".join(_spelled(char) if _is_invisible(char) else char for char in text)


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return the first names as a sentence lists them, with an ellipsis if there are more."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def in_markdown(text: str) -> str:
    """Return text for a Markdown file, escaped so that it makes no link, tag or end of a cell."""
    escaped = "".join(f"\\{char}" if char in _MARKDOWN_SPECIAL else char for char in shown(text))
    return " ".join(escaped.split())


def csv_cell(text: str) -> str:
    """Return text for a cell of a table, with an apostrophe before anything that looks like a formula."""
    visible = shown(text)
    return f"'{visible}" if visible[:1] in tuple(FORMULA_STARTS) else visible


def is_unicode(path: Path) -> bool:
    """Whether a path is text: names of files may be any bytes, which no table can hold."""
    return not any(unicodedata.category(char) == "Cs" for char in str(path))


def names_in(folder: Path) -> dict[str, str]:
    """Return the names in a folder, by themselves and by their `name_key`; none if there is no folder."""
    if not folder.is_dir():
        return {}
    names = sorted((path.name for path in folder.iterdir()), reverse=True)
    return {name_key(name): name for name in names} | {name: name for name in names}


def name_among(there: Mapping[str, str], name: str) -> str | None:
    """Return a name as `names_in` has it: the same one, else one with the same key, else None."""
    return there.get(name, there.get(name_key(name)))


def named_file(folder: Path, name: str) -> Path:
    """Return the file in a folder whose name has the same `name_key`, or the path that it would have."""
    path = folder / name
    # This costs no listing of the folder.
    if path.exists():
        return path
    return folder / (name_among(names_in(folder), name) or name)


def _is_invisible(char: str) -> bool:
    """Whether a character is a control, a direction mark, a surrogate, unassigned, or a line end."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
