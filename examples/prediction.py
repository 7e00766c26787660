"""Outline a case with a model: ``python prediction.py my-study/models/example my-study/case-01``."""

# %% A model is applied as its preset wants it, unless a PredictConfig is given.
import sys

import numpy as np

from napari_necroseg import load_case, load_model, predict, run, save_mask

model, case = load_model(sys.argv[1]), load_case(sys.argv[2])
prediction = run(predict(model, case))

# %% Labels, probability and uncertainty lie on the case's own grid.
volume_ml = np.count_nonzero(prediction.labels.voxels) * case.grid.voxel_ml
print(f"{volume_ml:.2f} mL, surest voxel {prediction.probability.voxels.max():.2f}")
save_mask(f"{case.name}_prediction.nii.gz", prediction.labels, case)
