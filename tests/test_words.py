"""The words of the panel: all of them can be translated, and all of them are."""

import ast
import copy
import gettext
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_necroseg
from napari_necroseg.core import language
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.language import LOCALES, number, said, set_language, shown, tr

PACKAGE = Path(napari_necroseg.__file__).parent
PO = LOCALES / "de" / "LC_MESSAGES" / "napari_necroseg.po"
# Calls whose first arguments (as many) are shown; in the panel and the view each goes through `tr` or `ntr`.
SHOWING = {
    "QLabel": 1,
    "QPushButton": 1,
    "QToolButton": 1,
    "QCheckBox": 1,
    "QRadioButton": 1,
    "QGroupBox": 1,
    "WrappedLabel": 1,
    "Section": 1,
    "button": 2,
    "browse_button": 1,
    "addAction": 1,
    "addItem": 1,
    "addMenu": 1,
    "ask_folder": 2,
    "say": 1,
    "warn": 1,
    "setText": 1,
    "setTitle": 1,
    "setToolTip": 1,
    "setAccessibleName": 1,
    "setPlaceholderText": 1,
    "setSuffix": 1,
    "setPrefix": 1,
    "setWindowTitle": 1,
    "setInformativeText": 1,
    "setStatusTip": 1,
}
NAMED = ("text", "help", "help_text", "title", "tooltip")
TRANSLATED = ("tr", "ntr", "said", "to_translate")
# Not words: symbols, signs of a unit, letters of the orientation.
SYMBOL = re.compile(r"^(?:[^A-Za-z]*|\W*(?:mm|mL|cm|px|%|[RLAPHFSI]|ceT1|T2)\W*)$")


def trees(*folders: str, of: str = "") -> dict[str, ast.AST]:
    """The modules in these folders that have a text in their source."""
    paths = [path for folder in folders for path in sorted((PACKAGE / folder).rglob("*.py"))]
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {name: ast.parse(text) for name, text in sources.items() if of in text}


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def texts_of(tree: ast.AST) -> Iterator[str]:
    """The texts that a module marks for the catalogue."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in TRANSLATED and node.args:
            n_texts = 2 if name_of(node) == "ntr" else 1
            for text in node.args[:n_texts]:
                if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                    yield text.value


def bare_words(node: ast.AST) -> Iterator[str]:
    """The words in an expression that no translation sees."""
    if isinstance(node, ast.Call):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and not SYMBOL.match(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (word for part in (node.body, node.orelse) for word in bare_words(part))
    elif isinstance(node, ast.BoolOp | ast.BinOp | ast.JoinedStr):
        yield from (word for part in ast.iter_child_nodes(node) for word in bare_words(part))


def shown_by(call: ast.Call) -> list[ast.expr]:
    named = [keyword.value for keyword in call.keywords if keyword.arg in NAMED]
    return call.args[: SHOWING.get(name_of(call), 0)] + named


def test_no_text_of_the_panel_and_the_view_is_shown_untranslated():
    found = [
        f"{name}:{node.lineno}: {word!r}"
        for name, tree in trees("widgets/panel", "widgets/view").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node) not in TRANSLATED
        for part in shown_by(node)
        for word in bare_words(part)
    ]
    assert found == []


def test_the_check_sees_a_text_that_is_not_translated():
    tree = ast.parse('box.setText(f"{n} cases")\nbutton("▶", tr("Next"))\nlabel.say("ok" if n else tr("No"))')
    words = [
        word
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for part in shown_by(node)
        for word in bare_words(part)
    ]
    assert words == [" cases", "ok"]


def catalogue() -> dict[object, str]:
    with PO.with_suffix(".mo").open("rb") as file:
        found: dict[object, str] = vars(gettext.GNUTranslations(file))["_catalog"]
        return found


def known_texts() -> set[str]:
    return {key[0] if isinstance(key, tuple) else str(key) for key in catalogue()}


def test_every_text_that_is_marked_has_a_german_one():
    singular = known_texts()
    missing = [
        f"{name}: {text}"
        for name, tree in trees(".", of="language import").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node) in TRANSLATED
        for text in list(texts_of(ast.Expression(body=node)))[:1]
        if text not in singular
    ]
    assert sorted(set(missing)) == []


def test_a_german_text_takes_the_same_values_as_the_english_one():
    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    wrong = {
        key: text
        for key, text in catalogue().items()
        if key and not fields(text) <= fields(key[0] if isinstance(key, tuple) else str(key)) | {"n"}
    }
    assert wrong == {}


def test_the_compiled_texts_are_those_that_people_edit():
    pofile = pytest.importorskip("babel.messages.pofile", reason="make installs Babel")
    edited: dict[object, str] = {}
    with PO.open("rb") as file:
        for message in pofile.read_po(file, locale="de"):
            if isinstance(message.id, str):
                edited[message.id] = message.string
            else:
                edited |= {(message.id[0], number): text for number, text in enumerate(message.string)}
    compiled = catalogue()
    assert {key: text for key, text in edited.items() if key and text} == {
        key: text for key, text in compiled.items() if key
    }


def test_the_language_of_the_computer_rules_if_none_is_chosen(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "de_AT.UTF-8")
    assert set_language("system") == "de"
    assert set_language("en") == "en"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert set_language("system") == "en"


def test_numbers_have_the_sign_of_the_language():
    assert tr("{volume:.2f} mL", volume=8.5) == "8.50 mL"
    set_language("de")
    assert (tr("{volume:.2f} mL", volume=8.5), number(1.25, 1)) == ("8,50 mL", "1,2")
    assert language.language() == "de"


def test_a_message_of_the_core_is_english_and_is_shown_in_the_language_of_the_person():
    reason = said("Permission denied")
    message = said("{path} could not be written: {reason}", path="a.nii.gz", reason=reason)
    assert message == "a.nii.gz could not be written: Permission denied"
    set_language("de")
    assert shown(message) == "a.nii.gz konnte nicht geschrieben werden: Zugriff verweigert"
    assert shown(FileError(message)) == shown(copy.deepcopy(message)) == shown(message)
    assert str(FileError(message)) == "a.nii.gz could not be written: Permission denied"
    assert shown("case-07.nii") == "case-07.nii"
