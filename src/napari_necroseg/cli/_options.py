"""Options that commands share: made from the fields of a configuration, or for cases, images and masks."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import Config, Dimension, Preset, train_preset
from napari_necroseg.core.errors import FileError, SettingsError

# Fields that take several values, and an example of these for the help.
_LISTS = {"sequences": "ceT1,T2", "around": "X,Y,Z", "configurations": "2d:ceT1,3d:ceT1+T2,..."}


def add_image_options(parser: argparse.ArgumentParser, *, instead_of: str) -> None:
    """Add options for the images of one case, as an alternative to the argument `instead_of`."""
    parser.add_argument(
        "--ceT1", type=Path, metavar="FILE", dest="ce_t1", help=f"instead of {instead_of}: a ceT1 image"
    )
    parser.add_argument(
        "--T2", type=Path, metavar="FILE", dest="t2", help="the T2 image that goes with --ceT1"
    )
    add_spacing_option(parser)


def add_spacing_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the spacing of TIFF files; `read_spacing` reads it."""
    parser.add_argument(
        "--spacing-mm",
        metavar="Z,Y,X",
        help="slice, row and column spacing of TIFF files that do not state theirs",
    )


def add_cohort_options(parser: argparse.ArgumentParser, *, has_folds: bool = False) -> None:
    """Add the cohort and the choice among its cases; `read_cases` and `choose_named` read them.

    With `has_folds` the cases may be chosen by the cohort's fold column, too.
    """
    parser.add_argument("cohort", type=Path, metavar="COHORT", help="cohort.csv, or a folder that holds one")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--cases", metavar="A,B", help="use these cases only")
    which.add_argument("--exclude", metavar="A,B", help="leave these cases out")
    if has_folds:
        which.add_argument(
            "--fold", metavar="K/N", help="leave out fold K of the N in the cohort's fold column"
        )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="DIR",
        help="use masks that were drawn or corrected and signed off (the folder labels of a project), in "
        "place of the cohort's",
    )
    parser.add_argument(
        "--unsigned", action="store_true", help="also use masks of --labels that nobody has signed off"
    )


def add_options(
    parser: argparse.ArgumentParser,
    of_kind: type[Config],
    *,
    names: tuple[str, ...],
    defaults: Mapping[str, str] | None = None,
) -> None:
    """Add an option ``--name`` for each named field; one that is not given stays out of the namespace.

    Values stay text: the configuration itself reads and checks them, and says what is wrong. A yes-or-no
    field becomes a flag, with ``--no-name`` as its opposite. The help names the field's default, or the text
    in `defaults`.
    """
    for name in names:
        field = of_kind.model_fields[name]
        flag, text = "--" + name.replace("_", "-"), _help(field, (defaults or {}).get(name))
        if field.annotation is bool:
            yes_or_no = argparse.BooleanOptionalAction
            parser.add_argument(flag, action=yes_or_no, default=argparse.SUPPRESS, help=text)
        else:
            parser.add_argument(flag, default=argparse.SUPPRESS, metavar=_metavar(name, field), help=text)


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


def chosen(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that were given, as fields of the configuration; ``a,b`` becomes a list."""
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    for name in _LISTS.keys() & given.keys():
        given[name] = tuple(part.strip() for part in given[name].split(","))
    return given


def in_words(value: object) -> str:
    """Write a value of a configuration as a person types it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def preset_defaults(names: tuple[str, ...]) -> dict[str, str]:
    """Return what the presets choose for these fields, in words, where they differ."""
    words: dict[str, str] = {}
    for field in set(names) - {"preset", "dimension"}:
        by_preset = {name: _in_both(name, field) for name in get_args(Preset)}
        if len(set(by_preset.values())) > 1 or "3d" in by_preset["fast"]:
            words[field] = ", ".join(f"{name} {values}" for name, values in by_preset.items() if values)
    return words


def _in_both(preset: Preset, field: str) -> str:
    """Say what a preset chooses for a field in 2D and 3D; nothing where it leaves it open."""
    in_2d, in_3d = (getattr(train_preset(preset, network), field) for network in get_args(Dimension))
    words, other = in_words(in_2d), in_words(in_3d)
    return "" if in_2d is None else words + ("" if words == other else f" (3d: {other})")


def read_input(options: argparse.Namespace, given: Path | None) -> Cohort:
    """Read the cases that were named: a table, the folder of one case, or ``--ceT1`` and ``--T2``."""
    from napari_necroseg.core.cohort.find import find_case
    from napari_necroseg.core.cohort.table import read_cohort

    if given is None:
        return Cohort(cases=(_case_of_files(options),))
    if not given.exists():
        raise FileError(f"There is no file or folder {given}.")
    cohort = read_cohort(given) if is_cohort(given) else Cohort(cases=(find_case(given),))
    spacing = read_spacing(options.spacing_mm)
    cases = (replace(case, spacing_mm=case.spacing_mm or spacing) for case in cohort)
    return replace(cohort, cases=tuple(cases))


def is_cohort(path: Path) -> bool:
    """Whether a path is a table of cases, or a folder that holds one, rather than the folder of one case."""
    return path.is_file() or (path / "cohort.csv").is_file()


def _case_of_files(options: argparse.Namespace) -> CaseFiles:
    from napari_necroseg.core.images.file_image import case_name_of, check_is_file

    sequences = {Sequence.CET1: options.ce_t1} | ({Sequence.T2: options.t2} if options.t2 else {})
    for path in sequences.values():
        check_is_file(path)
    return CaseFiles(
        name=case_name_of(options.ce_t1), sequences=sequences, spacing_mm=read_spacing(options.spacing_mm)
    )


def read_spacing(text: str | None) -> tuple[float, float, float] | None:
    """Read the spacing that was given, if one was.

    Raises SettingsError if these are not three numbers.
    """
    if text is None:
        return None
    try:
        # Also as in the column of a table: 4 x 0.7 x 0.7.
        z, y, x = (float(part) for part in re.split(r"\s*[,;x×*]\s*|\s+", text.strip().lower()))
    except ValueError:
        raise SettingsError(f"--spacing-mm wants three numbers such as 4,0.7,0.7, not {text!r}.") from None
    return (z, y, x)


def read_cases(options: argparse.Namespace) -> Cohort:
    """Read the whole cohort, with the masks of ``--labels`` if that was given."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.project.labels import with_corrected

    if options.labels is None and options.unsigned:
        raise SettingsError("--unsigned is about the masks of --labels DIR, which is missing.")
    cohort = read_cohort(options.cohort)
    if options.labels is None:
        return cohort
    return with_corrected(cohort, options.labels, unsigned=options.unsigned)


def choose_named(cohort: Cohort, options: argparse.Namespace) -> Cohort:
    """Return the cases that were named, or all but those that were."""
    if options.cases:
        return cohort.only(split_names(options.cases))
    return cohort.without(split_names(options.exclude)) if options.exclude else cohort


def split_names(text: str) -> tuple[str, ...]:
    """Read ``A,B``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
