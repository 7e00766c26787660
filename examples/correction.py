"""Show a pair in napari with the dock Correct beside it: ``python correction.py ceT1.nii.gz T2.nii.gz``."""

# %% The plugin's reader shows both sequences upright, in millimetres.
import sys

import napari

viewer = napari.Viewer()
viewer.open(sys.argv[1:], plugin="napari-necroseg")
viewer.canvas.grid.enabled = True
viewer.canvas.overlays.scale_bar.visible = True

# %% In the dock Cases a folder opens as a project; in Correct its masks are drawn, kept safe and signed off.
viewer.window.add_plugin_dock_widget("napari-necroseg", "Cases")
viewer.window.add_plugin_dock_widget("napari-necroseg", "Correct")
napari.run()
