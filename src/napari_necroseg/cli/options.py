"""Command-line options made from the fields of a configuration, so that both always agree."""

import argparse
from typing import Any

from pydantic.fields import FieldInfo

from napari_necroseg.core.config import Config


def add_options(parser: argparse.ArgumentParser, of_kind: type[Config], names: tuple[str, ...]) -> None:
    """Add an option ``--name`` for each named field; one that is not given stays out of the namespace.

    Values stay text: the configuration itself reads and checks them, and names what is wrong.
    """
    for name in names:
        field = of_kind.model_fields[name]
        parser.add_argument(
            "--" + name.replace("_", "-"),
            default=argparse.SUPPRESS,
            metavar=_metavar(name, field),
            help=_help(field),
        )


def chosen(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The options that were given, as fields of the configuration; ``a,b`` becomes a list for sequences."""
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    if "sequences" in given:
        given["sequences"] = tuple(part.strip() for part in given["sequences"].split(","))
    return given


def _metavar(name: str, field: FieldInfo) -> str:
    if name == "sequences":
        return "ceT1,T2"
    values = getattr(field.annotation, "__args__", ())
    if values and all(isinstance(value, str) for value in values):
        return "|".join(values)
    return name.upper()[0]


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("%", "%%")
    default = field.get_default(call_default_factory=True)
    if default is None or isinstance(default, Config):
        return text
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    return f"{text.rstrip('.')} (default: {shown})."
