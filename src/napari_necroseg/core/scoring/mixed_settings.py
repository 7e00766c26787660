"""Says which of several predictions were made with other settings than most: their mean mixes two methods."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from napari_necroseg.core.case_names import listed

# Of a prediction's record: the settings that change its outline, and how a sentence names them.
_SETTINGS = {
    "model": "model",
    "threshold": "threshold",
    "smallest_share": "smallest share of a part",
    "min_volume_ml": "least volume of a part",
    "largest": "largest part only",
    "fill_holes": "filled holes",
    "tta": "mirrored passes",
    "slice_smoothing_mm": "smoothing across slices",
}


def mixed_in_words(records: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence for each setting that differs between predictions; none where all agree.

    `records`: of each case's prediction; settings that a record does not name are passed over.
    """
    sentences = []
    for key, name in _SETTINGS.items():
        values = {case: repr(record[key]) for case, record in records.items() if key in record}
        (usual, n_usual), *others = Counter(values.values()).most_common() or [("", 0)]
        for value, _ in others:
            cases = [case for case, its in values.items() if its == value]
            sentences.append(
                f"{listed(cases)} {'was' if len(cases) == 1 else 'were'} predicted with another setting "
                f"({name} {value.strip(chr(39))}) than {n_usual} others ({usual.strip(chr(39))})."
            )
    return tuple(sentences)
