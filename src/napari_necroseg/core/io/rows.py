"""The rows of ``cohort.csv``: from text to cases and back, with a reason for every cell that is wrong."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.casename import FORMULA_STARTS, check_case_name
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.io.file_image import TIFF_SUFFIXES, image_suffix
from napari_necroseg.core.io.table import short

FILE_COLUMNS = ("ceT1", "T2", "reference", "tumour")
NUMBER = re.compile(r"[0-9]+([.,][0-9]*)?")
MOST_DAYS = 100_000


def case_of_row(cells: Mapping[str, str], folder: Path) -> CaseFiles:
    """Make the case of a row.

    Parameters
    ----------
    cells
        By column name; absent columns count as empty.
    folder
        What paths are relative to.

    Raises
    ------
    CohortError
        With what is wrong, as the end of a sentence that begins with the row.
    """
    name = normalize("NFC", cells.get("case", ""))
    reason = check_case_name(name)
    if reason:
        raise CohortError(reason)
    files = {
        column: _file(text, column, folder) for column in FILE_COLUMNS if (text := cells.get(column, ""))
    }
    if "ceT1" not in files:
        raise CohortError("there is no ceT1 file, and every case needs one")
    _check_different(files)
    return CaseFiles(
        name=name,
        sequences={sequence: files[sequence] for sequence in Sequence if sequence in files},
        reference=files.get("reference"),
        tumour=files.get("tumour"),
        patient=cells.get("patient", ""),
        days_since_rfa=_days(cells.get("days_since_rfa", "")),
        fold=_fold(cells.get("fold", "")),
        status=cells.get("status", ""),
        spacing_mm=_spacing(cells.get("spacing_mm", "")),
    )


def row_of_case(case: CaseFiles, folder: Path) -> dict[str, str]:
    """The cells of a case, files relative to `folder` where that is possible."""
    files: dict[str, Path | None] = {str(sequence): path for sequence, path in case.sequences.items()}
    files |= {"reference": case.reference, "tumour": case.tumour}
    spacing = case.spacing_mm
    return {
        "case": case.name,
        **{column: relative_path(file, folder) for column, file in files.items() if file is not None},
        "patient": case.patient,
        "days_since_rfa": "" if case.days_since_rfa is None else f"{case.days_since_rfa:.10g}",
        "fold": "" if case.fold is None else str(case.fold),
        "status": case.status,
        "spacing_mm": "" if spacing is None else " x ".join(repr(float(length)) for length in spacing),
    }


def relative_path(file: Path, folder: Path) -> str:
    """The way from a folder to a file, with slashes; the absolute path where there is none.

    The folders' own links are resolved, since ``..`` leads through them; the file's own name is kept, also
    where it is a link, since its target may have another name.
    """
    real = file.parent.resolve() / file.name
    try:
        relative = Path(os.path.relpath(real, folder.resolve())).as_posix()
    except ValueError:
        # Another drive on Windows.
        return str(real)
    # Cells are read without blanks around, and a spreadsheet computes what begins like a formula.
    is_misread = relative[0] in FORMULA_STARTS or relative[0].isspace()
    return f"./{relative}" if is_misread else relative


def _file(text: str, column: str, folder: Path) -> Path:
    path = folder / text
    if not os.path.isfile(path) and "\\" in text:  # noqa: PTH113 (Path.is_file raises for impossible names)
        # A table written on Windows and read elsewhere.
        path = folder / text.replace("\\", "/")
    if not os.path.isfile(path):  # noqa: PTH113
        raise CohortError(f"the {column} file {short(text)} does not exist")
    if not image_suffix(path):
        raise CohortError(
            f"the {column} file {short(text)} is neither NIfTI (.nii, .nii.gz, .hdr) nor TIFF (.tif)"
        )
    return path


def _check_different(files: Mapping[str, Path]) -> None:
    """Refuse one file in two columns; only a TIFF stack may hold ceT1 and T2, as two channels."""
    seen: dict[Path, str] = {}
    for column, path in files.items():
        other = seen.setdefault(path.resolve(), column)
        is_channels = column == "T2" and other == "ceT1" and image_suffix(path) in TIFF_SUFFIXES
        if other != column and not is_channels:
            raise CohortError(f"{other} and {column} name the same file, {path.name}")


def _days(text: str) -> float | None:
    if not text:
        return None
    days = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else -1.0
    if not 0 <= days <= MOST_DAYS:
        raise CohortError(f"days_since_rfa is {short(text)!r}, but must be a number of days from 0 on")
    return days


def _fold(text: str) -> int | None:
    if not text:
        return None
    # Spreadsheets and data frames turn a whole number beside empty cells into 1.0.
    whole = re.fullmatch(r"0*([1-9][0-9]{0,5})([.,]0*)?", text)
    if not whole:
        raise CohortError(f"fold is {short(text)!r}, but must be a whole number from 1 on")
    return int(whole[1])


def _spacing(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    parts = [part for part in re.split(r"[\sx×;*]+", text.lower().removesuffix("mm").strip()) if part]
    if len(parts) != 3 or not all(NUMBER.fullmatch(part) for part in parts):
        raise CohortError(
            f"spacing_mm is {short(text)!r}, but must be slice x row x column, such as 4 x 0.7 x 0.7"
        )
    slice_mm, row_mm, column_mm = (float(part.replace(",", ".")) for part in parts)
    return (slice_mm, row_mm, column_mm)
