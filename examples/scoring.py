"""Score a predicted mask against a reference: ``python scoring.py CET1 REFERENCE PREDICTION``."""

# %% Both masks are brought onto the grid of the ceT1 image.
import sys

from napari_necroseg import load_case, score_masks

cet1, reference, prediction = sys.argv[1:]
case = load_case({"ceT1": cet1, "reference": reference})
other = load_case({"ceT1": cet1, "reference": prediction})
print(score_masks(case.reference, other.reference, tolerance_mm=2.0))
