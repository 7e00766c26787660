"""How images, outlines and time spans are shown everywhere: colours, intensities, words."""

import numpy as np

from napari_necroseg.core.language import Said, said
from napari_necroseg.core.volume import Voxels

# Green against blue, as in the paper: light enough on a dark image, and told apart with any of the common
# colour vision deficiencies; see tools/colour_vision.py for these and the other colours of contours.
REFERENCE_COLOUR = "#22c55e"
PREDICTION_COLOUR = "#459dff"

# Percentiles that are shown as black and as white: MR images have a few very bright voxels.
_DISPLAY_PERCENTILES = (2.0, 99.7)


def display_range(voxels: Voxels) -> tuple[float, float]:
    """Return the intensities to show as black and as white; they always differ."""
    low, high = np.percentile(voxels, _DISPLAY_PERCENTILES)
    if high <= low:
        low, high = float(voxels.min()), float(voxels.max())
    return float(low), float(high) if high > low else float(low) + 1.0


def duration(seconds: float) -> Said:
    """Return a time span in words."""
    if seconds < 90:
        return said("{n:.0f} s", n=seconds)
    if seconds < 90 * 60:
        return said("{n:.0f} min", n=seconds / 60)
    if seconds < 48 * 3600:
        return said("{n:.1f} h", n=seconds / 3600)
    return said("{n:.1f} days", n=seconds / 86_400)
