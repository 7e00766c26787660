"""Opening the panel imports no library that takes long: those come with the job that needs them."""

import os
import subprocess
import sys

HEAVY = (
    "distributed",
    "jinja2",
    "matplotlib",
    "nibabel",
    "numba",
    "pandas",
    "scipy.ndimage",
    "scipy.spatial",
    "scipy.special",
    "scipy.stats",
    "skimage.measure",
    "skimage.segmentation",
    "tifffile",
    "torch",
)
PROGRAM = """
import sys
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application, viewer, before = QApplication([]), ViewerModel(), set(sys.modules)
from napari_necroseg.widgets.panel.dock import STEPS, Panel
panel = Panel(viewer)
for step in STEPS:
    panel.show_step(step)
print([name for name in {heavy!r} if name in set(sys.modules) - before])
panel.shut_down()
"""


def test_no_step_of_the_panel_imports_a_heavy_library_when_it_is_built():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(heavy=HEAVY)],
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
