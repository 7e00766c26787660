"""What the JSON beside a mask says of how it was made."""

import json
from collections.abc import Sequence
from pathlib import Path

from napari_necroseg.core.io.file_image import image_stem

# Names and settings; anything larger is something else.
_MOST_BYTES = 10_000_000


def record_path(mask: Path) -> Path:
    """Return where the record of a mask's making stands."""
    return mask.with_name(f"{image_stem(mask)}.json")


def was_trained_on(mask: Path) -> bool:
    """Whether a predicted mask is of a case that its model has learned from; False where nothing says so."""
    path = record_path(mask)
    try:
        if path.stat().st_size > _MOST_BYTES:
            return False
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("trained_on") is True


def trained_on_in_words(cases: Sequence[str], total: int) -> str:
    """Say that some cases, of so many, are no test of the model that predicted them."""
    some = ", ".join(cases[:3]) + (", ..." if len(cases) > 3 else "")
    are = "is" if len(cases) == 1 else "are"
    which = "The case is" if total == 1 else f"{len(cases)} of the {total} cases {are}"
    return f"{which} among those that the model was trained on ({some}): scores there are too good."
