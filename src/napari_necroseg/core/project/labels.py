"""Puts masks drawn in a project in place of the cohort's: signed-off ones, unless all are wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort, DrawnMask
from napari_necroseg.core.case_names import listed, name_among, names_in
from napari_necroseg.core.errors import CohortError, FileError, NecrosegError
from napari_necroseg.core.files import check_readable, file_sha256
from napari_necroseg.core.images.read import read_mask_on
from napari_necroseg.core.labels_folder import TUMOUR_SUFFIX, corrected_path, review_path
from napari_necroseg.core.project.review import Status, read_review
from napari_necroseg.core.volume import Grid, Voxels

# The end of a mask's file name, after the case's name.
_SUFFIXES = {"reference": "", "tumour": TUMOUR_SUFFIX}


def saved_voxels(labels: Path, case: str, *, grid: Grid) -> Voxels | None:
    """Read a case's saved mask, ``(Z, Y, X)``; None if there is none that can be read on its grid."""
    path = corrected_path(labels, case)
    if not path.exists():
        return None
    try:
        mask = read_mask_on(path, grid, is_own=True)
    except NecrosegError:
        return None
    return None if mask.was_resampled else np.ascontiguousarray(mask.volume.voxels)


def with_corrected(cohort: Cohort, labels: Path, *, unsigned: bool = False) -> Cohort:
    """Put a project's masks in place of the cohort's; a case without one keeps its own.

    In the folder `labels`, ``<case>.nii.gz`` is a reference and ``<case>_tumour.nii.gz`` a tumour. With
    `unsigned`, masks that nobody has signed off are used, too. A sign-off is of the reference, and holds as
    long as the file is the same bit for bit; tumours are never signed off. `CohortError` if none of the cases
    has a mask that counts, `FileError` if a signed-off mask cannot be read.
    """
    found = marked(cohort, labels, unsigned=unsigned)
    _check_unsigned(found, labels)
    if not any(one.is_used for files in found for one in files.drawn.values()):
        raise CohortError(_nothing_counts(found, labels))
    return found


def marked(cohort: Cohort, labels: Path, *, unsigned: bool = False) -> Cohort:
    """Like `with_corrected`, without its errors; masks that are not used are marked as drawn, too."""
    # The folder is listed once: asking for each case takes long on a network drive.
    there = names_in(labels)
    return replace(
        cohort, cases=tuple(_marked(files, labels, there=there, unsigned=unsigned) for files in cohort)
    )


def drawn_cases(cohort: Cohort, labels: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the cases with a signed-off mask, and of those with one that is not signed off."""
    found = [(files.name, [one.whose for one in files.drawn.values()]) for files in marked(cohort, labels)]
    signed = tuple(name for name, whose in found if "signed" in whose)
    return signed, tuple(name for name, whose in found if "unsigned" in whose)


def masks_in_words(cohort: Cohort, target: str, *, doing: str = "Learning from") -> tuple[str, ...]:
    """Say for which cases a drawn mask replaces the cohort's, and which drawn masks are not used.

    `target` is ``reference`` or ``tumour``; `doing` begins each sentence with what the masks are used for.
    """
    drawn = [(files.name, files.drawn[target]) for files in cohort if target in files.drawn]
    instead = "" if target == "reference" else " tumour"
    sentences = []
    for whose, words in (
        ("signed", "signed-off masks of the labels"),
        ("unsigned", "masks of the labels that nobody has signed off"),
        ("layers", "masks of open layers"),
    ):
        names = [_named(name, one) for name, one in drawn if one.is_used and one.whose == whose]
        if names:
            sentences.append(f"{doing} {words}, not the cohort's{instead} masks: {', '.join(names)}.")
    left = [name for name, one in drawn if not one.is_used]
    if left:
        sentences.append(
            f"The masks in labels of {', '.join(left)} are not used: nobody has signed them off as they are "
            "now, so the masks of the cohort's table count instead. To use them, add --unsigned (in a dock: "
            "tick the masks in work)."
        )
    return tuple(sentences)


def _marked(files: CaseFiles, labels: Path, *, there: Mapping[str, str], unsigned: bool) -> CaseFiles:
    drawn: dict[str, DrawnMask] = {}
    paths: dict[str, Path] = {}
    for role, suffix in _SUFFIXES.items():
        name = name_among(there, f"{files.name}{suffix}.nii.gz")
        if name is None:
            continue
        path = labels / name
        reader = _reader(labels, files.name, mask=path) if role == "reference" else ""
        is_used = bool(reader) or unsigned
        is_first = getattr(files, role) is None
        drawn[role] = DrawnMask(
            whose="signed" if reader else "unsigned", reader=reader, is_used=is_used, is_first=is_first
        )
        if is_used:
            paths[role] = path
    if not drawn:
        return files
    return replace(
        files,
        reference=paths.get("reference", files.reference),
        tumour=paths.get("tumour", files.tumour),
        own_masks=files.own_masks | set(paths),
        drawn=drawn,
    )


def _reader(labels: Path, case: str, *, mask: Path) -> str:
    """Return the initials of whoever signed off exactly this mask; empty if nobody did."""
    if not review_path(labels, case).exists():
        return ""
    try:
        review = read_review(labels, case)
        if review.status is not Status.REVIEWED:
            return ""
        stat = mask.stat()
        sha256 = _sha256(mask, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
    except (FileError, OSError):
        return ""
    return review.reader if sha256 == review.mask_sha256 else ""


@lru_cache(maxsize=4096)
def _sha256(mask: Path, *_stamp: int) -> str:
    """Hash each file once until it changes: a dock asks at every change of a form."""
    return file_sha256(mask)


def _check_unsigned(cohort: Cohort, labels: Path) -> None:
    """Refuse a signed-off mask that cannot be read: nobody can tell whether it was changed since."""
    there = names_in(labels)
    for files in cohort:
        drawn = files.drawn.get("reference")
        name = name_among(there, f"{files.name}.nii.gz")
        is_left = drawn is not None and not drawn.is_used
        if is_left and name is not None and review_path(labels, files.name).exists():
            check_readable(labels / name)


def _named(name: str, drawn: DrawnMask) -> str:
    remarks = [drawn.reader, "the cohort has none" if drawn.is_first else ""]
    remark = ", ".join(one for one in remarks if one)
    return f"{name} ({remark})" if remark else name


def _nothing_counts(cohort: Iterable[CaseFiles], labels: Path) -> str:
    cases = list(cohort)
    left = [files.name for files in cases if files.drawn]
    if not left:
        return (
            f"{labels} holds no mask of any of the {len(cases)} cases; a case's corrected mask is called "
            "CASE.nii.gz, with the name of the case in place of CASE."
        )
    named = listed(left)
    return (
        f"{labels} has masks of {len(left)} of the {len(cases)} cases ({named}), but none of them is signed "
        "off as it is now (a mask changed after its sign-off counts as unsigned, and tumours cannot be "
        "signed off). Sign them off in the dock Correct, or use them as they are with --unsigned."
    )
