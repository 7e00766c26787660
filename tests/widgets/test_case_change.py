"""The screen itself while the case changes: no picture of it mixes two cases, or swaps the sequences."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.volume import Origin, Volume
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view.geometry import panes_of
from napari_necroseg.widgets.view.view import View

# The brightness in the middle of each image: ceT1, T2.
GREYS = {"a": (60, 120), "b": (180, 240)}
SHOTS = 50


@pytest.fixture
def grey_case(make_grid):
    """Make a case whose images are from black to white, with a grey of its own in the middle."""

    def make(name, shape):
        volumes = {}
        for sequence, grey in zip((Sequence.CET1, Sequence.T2), GREYS[name], strict=True):
            voxels = np.zeros(shape, np.float32)
            voxels[:, ::2] = 255
            voxels[:, shape[1] // 4 : -shape[1] // 4, shape[2] // 4 : -shape[2] // 4] = grey
            volumes[sequence] = Volume(voxels, make_grid(shape))
        mask = np.zeros(shape, np.uint8)
        mask[:, 2:6, 2:6] = 1
        origin = Origin(make_grid(shape))
        return Case(name=name, sequences=volumes, origin=origin, reference=Volume(mask, make_grid(shape)))

    return make


def greys_on_screen(viewer):
    """Take a picture of the screen, and return how bright the middles of both panes are in it."""
    canvas = viewer.window._qt_viewer.canvas.native
    picture = QApplication.primaryScreen().grabWindow(0).toImage()
    greys = []
    for share in (0.25, 0.75):
        at = canvas.mapToGlobal(QPoint(round(share * canvas.width()), round(0.45 * canvas.height())))
        greys.append(picture.pixelColor(at).red())
    return tuple(greys)


def test_fifty_pictures_of_the_screen_during_case_changes_show_one_case_each(
    make_napari_viewer, grey_case, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.setGeometry(0, 0, 1000, 700)
    QTest.qWaitForWindowExposed(viewer.window._qt_window)
    View.of(viewer)
    workspace = Workspace.of(viewer)
    cases = [grey_case("a", (6, 40, 36)), grey_case("b", (9, 48, 40))]
    list(workspace.layers.show(case_layers(cases[0]), first_slice=2))
    # The panes have their sizes before the first frame, which would else be magnified.
    drawn = viewer.window._qt_viewer.canvas.grid_cameras[0]._2D_camera.rect.width
    assert drawn == pytest.approx(panes_of(viewer)[0].width / viewer.scene.camera.zoom, rel=0.05)
    qtbot.waitUntil(lambda: _name_of(greys_on_screen(viewer)) == "a")
    seen = []
    while len(seen) < SHOTS:
        cases.reverse()
        wanted = cases[0]
        workspace.screen.start(workspace.layers.show(case_layers(wanted), first_slice=2))
        while workspace.screen.is_busy:
            QApplication.processEvents()
            seen.append(greys_on_screen(viewer))
        for _ in range(3):
            QApplication.processEvents()
            seen.append(greys_on_screen(viewer))
        qtbot.waitUntil(lambda: _name_of(greys_on_screen(viewer)) == cases[0].name)
        assert [pane.sequence.name for pane in panes_of(viewer)] == ["ceT1", "T2"]
    names = [_name_of(greys) for greys in seen]
    assert "" not in names, sorted(set(seen))
    assert {"a", "b"} == set(names)


def _name_of(greys):
    """Return the case whose two images are seen, each in its pane; empty for anything else."""
    found = [
        name for name, own in GREYS.items() if max(abs(a - b) for a, b in zip(own, greys, strict=True)) < 15
    ]
    return found[0] if found else ""
