"""Open a case, look at its grid, save a mask onto it: ``python geometry.py my-study/case-01``."""

# %% A case has both sequences and its masks on one grid, upright: (slice, row, column).
import sys

import numpy as np

from napari_necroseg import load_case, save_mask

case = load_case(sys.argv[1])
cet1 = case.sequences["ceT1"]
print(case.name, cet1.voxels.shape, "voxels of", cet1.grid.spacing_mm, "mm")
print(*case.notes, sep="\n")

# %% Points in the patient are right, anterior, superior in mm.
brightest = np.unravel_index(cet1.voxels.argmax(), cet1.voxels.shape)
print("The brightest voxel lies at", cet1.grid.to_world_mm(brightest).round(1))

# %% A mask is saved in the axis order, and with the affine, of the ceT1 file.
bright = cet1.voxels > np.quantile(cet1.voxels, 0.99)
save_mask("bright.nii.gz", bright, case)
