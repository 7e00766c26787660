"""Names of cases: what may be one, which two are the same, where their files lie, and how they are shown."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
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
    """What two names of one case, or one patient, have in common: they are compared by it everywhere.

    An umlaut may be one character or two (macOS writes two); capitals, blanks around and dots behind do not
    count: not every file system tells such names apart.
    """
    return unicodedata.normalize("NFC", tidy_name(name).casefold())


def is_among(name: str, names: Iterable[str]) -> bool:
    """Whether a name is one of these, however it is written."""
    return name_key(name) in set(map(name_key, names))


def tidy_name(name: str) -> str:
    """The name that a folder, file or cell gives: letters composed, without blanks around or dots behind."""
    return re.sub(r"[\s.]+$", "", unicodedata.normalize("NFC", name).strip())


def check_case_name(name: str) -> str | None:
    """Why a name cannot be that of a case, as the end of a sentence; None if it can."""
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
    """Text as it may go onto a terminal or into a file: invisible characters are spelled out.

    A name of a file may hold line ends, escape sequences that colour or erase a terminal, marks that turn
    the direction of writing, or bytes that are no text at all.
    """
    return "".join(_spelled(char) if _is_invisible(char) else char for char in text)


def in_markdown(text: str) -> str:
    """Text as part of a Markdown file: nothing in it is taken for a link, a tag or the end of a cell."""
    escaped = "".join(f"\\{char}" if char in _MARKDOWN_SPECIAL else char for char in shown(text))
    return " ".join(escaped.split())


def csv_cell(text: str) -> str:
    """Text as a cell of a table: visible, with an apostrophe before what a spreadsheet would compute."""
    visible = shown(text)
    return f"'{visible}" if visible[:1] in tuple(FORMULA_STARTS) else visible


def is_unicode(path: Path) -> bool:
    """Whether a path is text; the names of files may be any bytes, which no table can hold."""
    return not any(unicodedata.category(char) == "Cs" for char in str(path))


def names_in(folder: Path) -> dict[str, str]:
    """What is in a folder: each name by itself and by its `name_key`; nothing if there is no folder."""
    if not folder.is_dir():
        return {}
    names = sorted((path.name for path in folder.iterdir()), reverse=True)
    return {name_key(name): name for name in names} | {name: name for name in names}


def name_among(there: Mapping[str, str], name: str) -> str | None:
    """A name as a folder has it, of its `names_in`: the very same, else the same in other writing."""
    return there.get(name, there.get(name_key(name)))


def named_file(folder: Path, name: str) -> Path:
    """The file of that name in a folder, however the disk has it written; else where it would be.

    Parameters
    ----------
    folder
        Need not exist.
    name
        With its suffix: ``<case>.nii.gz``.
    """
    path = folder / name
    # Names of plain letters can differ from the disk's by their case alone, which costs no listing.
    if path.exists():
        return path
    return folder / (name_among(names_in(folder), name) or name)


def _is_invisible(char: str) -> bool:
    """Whether a character is a control, a direction mark, half a character, unassigned, or ends a line."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
