"""Bring the German texts in line with the code: ``make words``.

It collects what `tr`, `ntr`, `said` and `to_translate` are given, keeps the translations that are there,
drops those of texts that are gone, and writes the ``.po`` that people edit and the ``.mo`` that the program
reads. It exits with 1 while a text has no translation.
"""

import ast
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).parents[1] / "src" / "napari_necroseg"
PO = PACKAGE / "locale" / "de" / "LC_MESSAGES" / "napari_necroseg.po"
# How many arguments are texts: of `ntr` the singular and the plural.
N_TEXTS = {"tr": 1, "said": 1, "to_translate": 1, "ntr": 2}
HEADER = "# German texts of napari-necroseg. After a change: make words"
# One date for ever: the file changes only when a text does.
DATE = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Write both files; 0 if every text is translated."""
    catalog = translated(collected(), known())
    with PO.open("wb") as file:
        write_po(file, catalog, width=110, no_location=False, include_lineno=False, sort_by_file=True)
    with PO.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)
    missing = untranslated(catalog)
    for text in missing:
        print(f"no German for: {text}")
    return 1 if missing else 0


def collected() -> Catalog:
    """Return the texts of the package, none of them translated."""
    catalog = Catalog(
        locale="de",
        project="napari-necroseg",
        header_comment=HEADER,
        creation_date=DATE,
        revision_date=DATE,
        version="1",
        msgid_bugs_address="https://github.com/napari-necroseg/napari-necroseg/issues",
        last_translator="The napari-necroseg maintainers",
        language_team="German",
        fuzzy=False,
    )
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in texts_of(ast.parse(path.read_text(encoding="utf-8"))):
            catalog.add(text, locations=[(path.relative_to(PACKAGE.parents[1]).as_posix(), line)])
    return catalog


def texts_of(tree: ast.AST) -> Iterator[tuple[int, str | tuple[str, ...]]]:
    """Return the lines and texts of the calls in a module; Babel's own way misses those within f-strings."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [one.value for one in node.args[: N_TEXTS.get(name, 0)] if isinstance(one, ast.Constant)]
        if texts and all(texts):
            yield node.lineno, texts[0] if len(texts) == 1 else tuple(texts)


def known() -> Catalog:
    """Return what is translated already."""
    with PO.open("rb") as file:
        return read_po(file, locale="de")


def translated(wanted: Catalog, before: Catalog) -> Catalog:
    """Fill the wanted texts with the translations that there were."""
    for message in wanted:
        old = before.get(message.id) if message.id else None
        if old is not None and isinstance(old.id, str) is isinstance(message.id, str):
            message.string = old.string
    return wanted


def untranslated(catalog: Catalog) -> list[str]:
    """Return the texts without a translation."""
    return [str(one.id) for one in catalog if one.id and not all(_strings(one.string))]


def _strings(string: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string or "",)


if __name__ == "__main__":
    sys.exit(main())
