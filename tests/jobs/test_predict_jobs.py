"""The jobs of predictions."""

from dataclasses import replace

import numpy as np

from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.project.case_files import CaseOutput, write_case
from napari_necroseg.core.volume import Grid, Origin
from napari_necroseg.jobs.predict import about_mask


def test_a_mask_that_is_left_alone_is_told_apart(tmp_path):
    grid = Grid((3, 4, 5), np.diag((-4.0, -1.0, -1.0, 1.0)) @ np.eye(4)[[0, 2, 1, 3]])
    mask = np.zeros(grid.shape, np.uint8)
    record = {"case": "a", "models": [{"model": "m", "sha256": "one"}]}
    output = CaseOutput(path=tmp_path / "a.nii.gz", mask=mask, origin=Origin(grid), record=record)
    write_case(output)
    assert about_mask(output.path, {"one"}) == ""
    assert (
        about_mask(output.path, {"two"}) == " by another model; remove it to predict the case with this one"
    )
    assert about_mask(output.path, {"one", "two"}) != ""
    write_case(replace(output, record=record | {"corrected_by_hand": True}))
    assert about_mask(output.path, {"one"}) == ", corrected by hand"
    save_mask(output.path, mask + 1, output.origin)
    assert about_mask(output.path, {"one"}) == ", which was changed after it was written"
