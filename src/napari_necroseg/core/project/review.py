"""Records how far a case is, and the sign-off of its mask, in ``labels/<case>.review.json``.

This program owns the file. The column ``status`` of ``cohort.csv`` is a person's own remark in any words: it
is shown, but never written or read as a status. The two are independent, and removing a review removes the
sign-off only.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.case_names import LONGEST_NAME, name_among, name_key, names_in
from napari_necroseg.core.config import Config
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.files import file_sha256, read_json, write_text
from napari_necroseg.core.labels_folder import REVIEW_SUFFIX, corrected_path, review_path
from napari_necroseg.core.language import said, to_translate

_MOST_BYTES = 1_000_000

# Ten years: more is a clock that was set, not work.
_MOST_SECONDS = 3.2e8
_MOST_ML = 1e6
_MOST_SLICES = 10_000
Ml = Annotated[float, Field(ge=0, le=_MOST_ML)]
Slice = Annotated[int, Field(ge=0, le=1_000_000)]

# Two threads of a window may change a review: each reads it, and writes it again.
_REVIEWS = threading.Lock()


class Status(StrEnum):
    """How far a case is."""

    UNTOUCHED = to_translate("untouched")
    IN_WORK = to_translate("in work")
    REVIEWED = to_translate("reviewed")


class Changes(Config):
    """How a corrected mask differs from the prediction that it began with; see `core.scoring`."""

    dice: Annotated[
        float | None,
        Field(ge=0, le=1, description="Dice coefficient of the two; none where both are empty."),
    ] = None
    before_ml: Annotated[Ml, Field(description="Volume of the prediction in mL.")]
    after_ml: Annotated[Ml, Field(description="Volume of the mask that was signed off in mL.")]
    slices: Annotated[
        tuple[Slice, ...],
        Field(max_length=_MOST_SLICES, description="Slices on which they differ, counted from 0."),
    ] = ()


class Review(Config):
    """The state of a case's mask, and who signed it off."""

    version: Annotated[Literal[1], Field(description="Version of this file's format.")] = 1
    case: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="Name of the case.")]
    status: Annotated[Status, Field(description="untouched, in work or reviewed.")] = Status.UNTOUCHED
    reader: Annotated[str, Field(max_length=8, description="Initials of the reader, 1 to 8 letters.")] = ""
    seconds: Annotated[
        float, Field(ge=0, le=_MOST_SECONDS, description="Time spent on the case, all sessions together.")
    ] = 0.0
    date: Annotated[AwareDatetime | None, Field(description="When it was signed off.")] = None
    mask_sha256: Annotated[
        str | None, Field(pattern=r"^[0-9a-f]{64}$", description="Of the file that was signed off.")
    ] = None
    changes: Annotated[Changes | None, Field(description="What changed against the prediction.")] = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reader and not self.reader.isalpha():
            raise ValueError(f"the reader's initials are 1 to 8 letters, not {self.reader!r}")
        is_signed = bool(self.reader) and self.date is not None and self.mask_sha256 is not None
        if self.status is Status.REVIEWED and not is_signed:
            raise ValueError(
                "a reviewed mask needs the reader's initials, the date and the SHA-256 of the mask"
            )
        return self

    def worked(self, seconds: float) -> "Review":
        """Return the review after more work on the mask, which is no longer signed off then."""
        return self.changed(
            status=Status.IN_WORK,
            seconds=self.seconds + seconds,
            date=None,
            mask_sha256=None,
            changes=None,
        )

    def signed_off(
        self, mask: Path, *, reader: str, changes: Changes | None = None, date: datetime | None = None
    ) -> "Review":
        """Return the review of a mask file that a reader signs off by initials, now if no date is given.

        Count the time with `worked` first. `changes` says how the mask differs from the prediction, if any.

        Raises SettingsError if the initials are not 1 to 8 letters. Raises FileError if there is no such
        file.
        """
        if not mask.is_file():
            raise FileError(said("There is no mask {name} to sign off; save it first.", name=mask.name))
        reader = reader.strip()
        if not (reader.isalpha() and len(reader) <= 8):
            raise SettingsError(
                said(
                    "The reader's initials are 1 to 8 letters, not {reader!r}; for example AB.", reader=reader
                )
            )
        return self.changed(
            status=Status.REVIEWED,
            reader=reader,
            date=(date or datetime.now(UTC)).replace(microsecond=0),
            mask_sha256=file_sha256(mask),
            changes=changes,
        )


def sign_off(
    labels: Path, case: str, *, mask: Path, reader: str, seconds: float, changes: Changes | None
) -> Review:
    """Sign off the mask of a case, and count `seconds` more of work; see `Review.signed_off`."""
    with _REVIEWS:
        review = read_review(labels, case).worked(seconds)
        review = review.signed_off(mask, reader=reader, changes=changes)
        write_review(labels, review)
    return review


def add_work(labels: Path, case: str, *, seconds: float) -> None:
    """Add time to a case whose mask was changed; it is no longer signed off then."""
    with _REVIEWS:
        write_review(labels, read_review(labels, case).worked(seconds))


def add_time(labels: Path, case: str, *, seconds: float) -> None:
    """Add time to a case while its mask is being changed; a sign-off stays for now."""
    with _REVIEWS:
        review = read_review(labels, case)
        status = Status.IN_WORK if review.status is Status.UNTOUCHED else review.status
        write_review(labels, review.changed(status=status, seconds=review.seconds + seconds))


def write_review(labels: Path, review: Review) -> None:
    """Write the review of a case beside its mask, atomically."""
    write_text(review_path(labels, review.case), review.model_dump_json(indent=2) + "\n")


def read_review(labels: Path, case: str) -> Review:
    """Read the review of a case; without a file, that of an untouched case.

    `FileError` if the file is damaged, of another case, or has values out of bounds.
    """
    path = review_path(labels, case)
    if not path.exists():
        return Review(case=case)
    return _checked(read_json(path, "a review of this case", most_bytes=_MOST_BYTES), case, path=path)


def statuses(cohort: Cohort, labels: Path) -> dict[str, Status]:
    """Return how far each case is, in the order of the table.

    A case is reviewed if its mask is the one that was signed off, bit for bit. It is in work if there is
    another mask, or a review that says so or cannot be read (`read_review` says why); otherwise it is
    untouched. Strokes that are journalled but not saved do not count.
    """
    there = names_in(labels)
    return {name: _status(name, labels, there=there) for name in cohort.names}


def is_signed_off(labels: Path, case: str) -> bool:
    """Whether the mask of a case is the one that was signed off, bit for bit."""
    return _status(case, labels, there=names_in(labels)) is Status.REVIEWED


def next_case(
    cohort: Cohort,
    of_case: Mapping[str, Status],
    *,
    after: str | None = None,
    status: Status | None = None,
    backwards: bool = False,
) -> str | None:
    """Return the next case of the table after a case, or the first one of all; None if there is none.

    After the last case comes the first; the case `after` itself is never returned. With a `status`, only
    cases with it in `of_case` (see `statuses`) count.
    """
    names = list(reversed(cohort.names)) if backwards else list(cohort.names)
    start = 0 if after is None else names.index(cohort[after].name) + 1
    turned = names[start:] + names[:start]
    wanted = (name for name in turned if name != after and status in (None, of_case.get(name)))
    return next(wanted, None)


def _checked(choices: dict[str, Any], case: str, *, path: Path) -> Review:
    unknown = sorted(set(choices) - set(Review.model_fields))
    if unknown:
        raise _no_review(path, f"it has an unknown entry {unknown[0][:40]!r}.")
    try:
        review = Review.checked(**choices)
    except SettingsError as error:
        raise _no_review(path, str(error)) from None
    if name_key(review.case) != name_key(case):
        raise _no_review(path, f"it is of the case {review.case!r}.")
    return review


def _status(case: str, labels: Path, *, there: Mapping[str, str]) -> Status:
    mask_name = name_among(there, f"{case}.nii.gz")
    if name_among(there, f"{case}{REVIEW_SUFFIX}") is not None:
        try:
            review = read_review(labels, case)
            if (
                review.status is Status.REVIEWED
                and file_sha256(corrected_path(labels, case)) == review.mask_sha256
            ):
                return Status.REVIEWED
        except (FileError, OSError):
            return Status.IN_WORK
        if review.status is not Status.UNTOUCHED:
            return Status.IN_WORK
    return Status.UNTOUCHED if mask_name is None else Status.IN_WORK


def _no_review(path: Path, reason: str) -> FileError:
    return FileError(f"{path.name} is no review of this case: {reason} Move it away to review the case anew.")
