"""What a case may be called: its name becomes that of files, and stands in tables and commands."""

import re
import unicodedata

# Names that Windows refuses as files, whatever their suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# Commas separate names on the command line (--cases A,B).
FORBIDDEN = '/\\:*?"<>|,'
# At the start of a cell a spreadsheet takes these for a formula, a command line a minus for an option.
FORMULA_STARTS = "=+-@"
LONGEST_NAME = 120


def check_case_name(name: str) -> str | None:
    """Why a name cannot be that of a case, as the end of a sentence; None if it can."""
    if not name:
        return "the case has no name"
    bad = next((char for char in name if char in FORBIDDEN or unicodedata.category(char)[0] == "C"), None)
    if bad is not None:
        return f"the case name {name!r} has the character {bad!r}, which a case name cannot have"
    if name[0] in FORMULA_STARTS:
        return f"the case name {name!r} begins with {name[0]!r}, which a spreadsheet or command line misreads"
    if name != name.strip(" .") or RESERVED.fullmatch(name):
        return f"the case name {name!r} cannot be a file name on every system"
    if len(name) > LONGEST_NAME:
        return f"the case name {name[:20] + '...'!r} has {len(name)} characters, more than {LONGEST_NAME}"
    return None


def name_key(name: str) -> str:
    """Return what is equal for names that differ only in letter case or in how an umlaut is composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
