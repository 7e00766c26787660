"""Command-line options made from the fields of a configuration, so that both always agree."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from napari_necroseg.core.config import Config
from napari_necroseg.core.errors import SettingsError

# Fields that take several values, and how these are shown in the help.
_LISTS = {"sequences": "ceT1,T2", "around": "X,Y,Z", "configurations": "2d:ceT1,3d:ceT1+T2,..."}


def add_image_options(parser: argparse.ArgumentParser, *, instead_of: str) -> None:
    """Add options for the images of one case, in place of an argument of that name."""
    parser.add_argument(
        "--ceT1", type=Path, metavar="FILE", dest="ce_t1", help=f"instead of {instead_of}: a ceT1 image"
    )
    parser.add_argument(
        "--T2", type=Path, metavar="FILE", dest="t2", help="the T2 image that goes with --ceT1"
    )
    add_spacing_option(parser)


def add_spacing_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the spacing of TIFF files, which `read_spacing` reads."""
    parser.add_argument(
        "--spacing-mm",
        metavar="Z,Y,X",
        help="slice, row and column spacing of TIFF files that do not state theirs",
    )


def read_spacing(text: str | None) -> tuple[float, float, float] | None:
    """Read the spacing that was given, if one was.

    Raises
    ------
    SettingsError
        If these are not three numbers.
    """
    if text is None:
        return None
    try:
        # As in the table's column, too: 4 x 0.7 x 0.7.
        z, y, x = (float(part) for part in re.split(r"\s*[,;x×*]\s*|\s+", text.strip().lower()))
    except ValueError:
        raise SettingsError(f"--spacing-mm wants three numbers such as 4,0.7,0.7, not {text!r}.") from None
    return (z, y, x)


def add_labels_options(parser: argparse.ArgumentParser) -> None:
    """Add options for masks that were drawn in a project, in place of the cohort's."""
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="masks that were drawn or corrected and signed off (the folder labels of a project), in place "
        "of the cohort's",
    )
    parser.add_argument(
        "--unsigned", action="store_true", help="take the masks of --labels that nobody has signed off, too"
    )


def add_options(
    parser: argparse.ArgumentParser,
    of_kind: type[Config],
    names: tuple[str, ...],
    *,
    defaults: Mapping[str, str] | None = None,
) -> None:
    """Add an option ``--name`` for each named field; one that is not given stays out of the namespace.

    Values stay text: the configuration itself reads and checks them, and names what is wrong. A choice of
    yes or no is a flag, ``--no-name`` its contrary. The help names the field's default, or what `defaults`
    says of it.
    """
    for name in names:
        field = of_kind.model_fields[name]
        flag, text = "--" + name.replace("_", "-"), _help(field, (defaults or {}).get(name))
        if field.annotation is bool:
            yes_or_no = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=yes_or_no, default=argparse.SUPPRESS, help=text)
        else:
            parser.add_argument(flag, default=argparse.SUPPRESS, metavar=_metavar(name, field), help=text)


def chosen(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The options that were given, as fields of the configuration; ``a,b`` becomes a list."""
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    for name in _LISTS.keys() & given.keys():
        given[name] = tuple(part.strip() for part in given[name].split(","))
    return given


def in_words(value: object) -> str:
    """Say a value of a configuration as a person types it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(name: str, field: FieldInfo) -> str:
    if name in _LISTS:
        return _LISTS[name]
    values = getattr(field.annotation, "__args__", ())
    if values and all(isinstance(value, str) for value in values):
        return "|".join(values)
    return name.upper()[0]


def _help(field: FieldInfo, shown: str | None) -> str:
    text = (field.description or "").replace("%", "%%")
    default = field.get_default(call_default_factory=True)
    if shown is None and (default is None or isinstance(default, Config)):
        return text
    if shown is None:
        shown = ",".join(map(in_words, default)) if isinstance(default, tuple) else in_words(default)
    return f"{text.rstrip('.')} (default: {shown})."
