"""Puts the panel's texts and numbers into the language of the person: English or German.

Only what is shown in the panel and in reports is translated. Files, logs, ``--json`` and the command line
stay English with decimal points. `tools/words.py` collects the texts: what `tr`, `ntr`, `said` and
`to_translate` are given must be written out where they are called.
"""

import gettext
import locale
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

DOMAIN = "napari_necroseg"
LOCALES = Path(__file__).parents[1] / "locale"
LANGUAGES = ("en", "de")
_now = "en"
_texts: gettext.NullTranslations = gettext.NullTranslations()


class Said(str):
    """An English message that knows its text before the values were filled in, so that it can be translated.

    It is a plain string for all that does not know of it: files, logs, other processes.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, *, template: str = "", values: Mapping[str, Any] | None = None) -> "Said":
        """Make a message of its English text; `template` and `values` are those of `said`."""
        made = super().__new__(cls, text)
        made.template, made.values = template or text, values or {}
        return made


def said(template: str, **values: Any) -> Said:
    """Return a message of the core, in English; `shown` puts it into the language of the person."""
    return Said(template.format(**values) if values else template, template=template, values=values)


def shown(message: object) -> str:
    """Return a message or an error in the language of the person; what is not known stays as it is."""
    if isinstance(message, BaseException):
        message = message.args[0] if len(message.args) == 1 else str(message)
    if isinstance(message, Said):
        return tr(message.template, **message.values)
    return _texts.gettext(str(message)) if message else ""


def to_translate(text: str) -> str:
    """Return the text as it is: marks a constant that is translated by `tr` or `shown` later."""
    return text


def set_language(wanted: str) -> str:
    """Choose the language, ``system``, ``de`` or ``en``, and return the one that is used now."""
    global _now, _texts  # noqa: PLW0603  # One window has one language, as it has one locale.
    _now = _of_system() if wanted == "system" else wanted if wanted in LANGUAGES else "en"
    _texts = gettext.translation(DOMAIN, localedir=str(LOCALES), languages=[_now], fallback=True)
    return _now


def language() -> str:
    """Return the language that is used now."""
    return _now


def tr(text: str, **values: object) -> str:
    """Return a text in the language of the person, its ``{names}`` filled with values.

    Numbers get the decimal sign of the language: ``tr("{volume:.1f} mL", volume=8.5)`` is "8,5 mL" in German.
    """
    found = _texts.gettext(text) if text else ""
    return found.format(**_in_language(values)) if values else found


def ntr(one: str, many: str, n: int, **values: object) -> str:  # noqa: PLR0917  # gettext's order
    """Return the text for `n` things, filled with values and ``{n}``."""
    return _texts.ngettext(one, many, n).format(n=n, **_in_language(values))


def number(value: float, decimals: int = 0) -> str:
    """Return a number with the decimal sign of the language, without a sign for thousands."""
    return _with_sign(f"{value:.{decimals}f}")


class _Number(float):
    """A number that is written with the decimal sign of the language."""

    def __format__(self, spec: str) -> str:
        return _with_sign(super().__format__(spec))

    def __str__(self) -> str:
        return _with_sign(super().__str__())


def _in_language(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _one_in_language(value) for name, value in values.items()}


def _one_in_language(value: object) -> object:
    if isinstance(value, float):
        return _Number(value)
    return shown(value) if isinstance(value, Said) else value


def _with_sign(text: str) -> str:
    return text.replace(".", ",") if _now == "de" else text


def _of_system() -> str:
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not named:
        with suppress(ValueError):
            named = locale.getlocale()[0] or ""
    return "de" if named.lower().startswith(("de", "german")) else "en"
