"""What the JSON beside a mask says of how it was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from napari_necroseg.core.casename import is_among
from napari_necroseg.core.io.provenance import provenance_of

# Whether a model has learned from a case: from one of its images, from a case of its name, or not.
Known = Literal["image", "name", "no"]
_KNOWN: tuple[Known, ...] = get_args(Known)


def known_of(mask: Path) -> Known | None:
    """Return whether the model behind a mask has learned from the case; None where nothing says so."""
    return known_by_record(provenance_of(mask).record)


def known_by_record(record: Mapping[str, object]) -> Known | None:
    """Return the same from the record of a mask."""
    for known in _KNOWN:
        if record.get("trained_on") == known:
            return known
    # Records of earlier versions name the model's cases alone.
    cases = record.get("model_cases")
    if not isinstance(cases, list):
        return None
    return "name" if is_among(str(record.get("case")), map(str, cases)) else "no"


def known_in_words(known: Mapping[str, Known | None], total: int) -> str:
    """Say which cases, of so many, are no test of the model that predicted them; nothing if all are.

    Parameters
    ----------
    known
        By the case's name.
    total
        Number of cases that were scored or predicted.
    """
    images, names = ([case for case, how in known.items() if how == kind] for kind in ("image", "name"))
    sentences = []
    if images:
        be = "is" if len(images) == 1 else "are"
        sentences.append(
            f"{_some(images, total)} {be} among those that the model was trained on: scores there are too "
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
