"""Score a predicted mask against a reference: ``python score_two_masks.py REFERENCE PREDICTION``."""

import sys
from pathlib import Path

from napari_necroseg.core.grids.orient import to_working
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.scoring.scores import Scores, score_masks


def main(reference_path: Path, prediction_path: Path) -> Scores:
    """Read both masks, bring them to one axis order, and print their scores."""
    reference = to_working(read_mask(reference_path).volume)
    prediction = to_working(read_mask(prediction_path).volume)
    scores = score_masks(reference.voxels, prediction.voxels, reference.grid)
    print(scores)
    return scores


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
