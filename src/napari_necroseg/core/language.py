"""Puts the panel's texts and numbers into the language of the person: English or German.

Only what is shown in the panel and in reports is translated. Files, logs, ``--json`` and the command line
stay English with decimal points.
"""

import gettext
import locale
import os
from contextlib import suppress
from pathlib import Path

DOMAIN = "napari_necroseg"
LOCALES = Path(__file__).parents[1] / "locale"
LANGUAGES = ("en", "de")
_now = "en"
_texts: gettext.NullTranslations = gettext.NullTranslations()


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
    """Return a text in the language of the person, its ``{names}`` filled with values."""
    found = _texts.gettext(text)
    return found.format(**values) if values else found


def ntr(one: str, many: str, n: int, **values: object) -> str:  # noqa: PLR0917  # gettext's order
    """Return the text for `n` things, filled with values and ``{n}``."""
    return _texts.ngettext(one, many, n).format(n=n, **values)


def number(value: float, decimals: int = 0) -> str:
    """Return a number with the decimal sign of the language, without a sign for thousands."""
    text = f"{value:.{decimals}f}"
    return text.replace(".", ",") if _now == "de" else text


def _of_system() -> str:
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not named:
        with suppress(ValueError):
            named = locale.getlocale()[0] or ""
    return "de" if named.lower().startswith(("de", "german")) else "en"
