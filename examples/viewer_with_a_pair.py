"""Show a pair side by side in napari: ``python viewer_with_a_pair.py ceT1.nii.gz T2.nii.gz``."""

import sys
from pathlib import Path

import napari

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.layerdata import case_layers, middle_slice


def main(cet1: Path, t2: Path) -> napari.Viewer:
    """Open the case in a viewer: upright, in millimetres, both sequences next to each other."""
    case = load_case(CaseFiles(name="my case", sequences={Sequence.CET1: cet1, Sequence.T2: t2}))
    viewer = napari.Viewer()
    for voxels, options, _ in case_layers(case):
        viewer.add_image(voxels, **options)
    viewer.canvas.grid.enabled = True
    viewer.canvas.overlays.scale_bar.visible = True
    viewer.dims.set_current_step(0, middle_slice(case))
    viewer.window.add_plugin_dock_widget("napari-necroseg", "Predict")
    return viewer


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    napari.run()
