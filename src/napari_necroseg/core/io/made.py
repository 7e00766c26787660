"""What the JSON beside a mask says of how it was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from napari_necroseg.core.casename import is_among
from napari_necroseg.core.io.provenance import provenance_of

# Whether a model has learned from a case: from one of its images, from another case of its patient, from a
# case of its name, or not.
Known = Literal["image", "patient", "name", "no"]
_KNOWN: tuple[Known, ...] = get_args(Known)


def known_of(mask: Path, *, siblings: Sequence[str] = ()) -> Known | None:
    """Return whether the model behind a mask has learned from the case; None where nothing says so."""
    return known_by_record(provenance_of(mask).record, siblings=siblings)


def known_by_record(record: Mapping[str, object], *, siblings: Sequence[str] = ()) -> Known | None:
    """Return the same from the record of a mask.

    `siblings` are other cases of its patient, which the model may not have been told when it predicted: a
    single case was given to it, or the model is of an earlier version.
    """
    listed = record.get("model_cases")
    cases = [str(name) for name in listed] if isinstance(listed, list) else []
    known = next((known for known in _KNOWN if record.get("trained_on") == known), None)
    if known in (None, "no", "name") and any(is_among(name, cases) for name in siblings):
        return "patient"
    if known is not None or not isinstance(listed, list):
        return known
    # Records of earlier versions name the model's cases alone.
    return "name" if is_among(str(record.get("case")), cases) else "no"


def known_in_words(known: Mapping[str, Known | None], total: int) -> str:
    """Say which cases, of so many, are no test of the model that predicted them; nothing if all are.

    Parameters
    ----------
    known
        By the case's name.
    total
        Number of cases that were scored or predicted.
    """
    images, patients, names = (
        [case for case, how in known.items() if how == kind] for kind in ("image", "patient", "name")
    )
    sentences = []
    if images:
        be = "is" if len(images) == 1 else "are"
        sentences.append(
            f"{_some(images, total)} {be} among those that the model was trained on: scores there are too "
            "good."
        )
    if patients:
        be = "is" if len(patients) == 1 else "are"
        sentences.append(
            f"{_some(patients, total)} {be} of a patient whom the model was trained on: scores there are too "
            "good."
        )
    if names:
        have = "has" if len(names) == 1 else "have"
        sentences.append(
            f"{_some(names, total)} {have} the name of a case that the model was trained on: if that is the "
            "same, scores there are too good."
        )
    return " ".join(sentences)


def _some(cases: Sequence[str], total: int) -> str:
    named = ", ".join(cases[:3]) + (", ..." if len(cases) > 3 else "")
    return f"The case {named}" if total == 1 else f"{len(cases)} of the {total} cases ({named})"
