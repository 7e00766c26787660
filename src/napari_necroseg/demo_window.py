"""Opens the window of the demonstration.

Run as ``python -m napari_necroseg.demo_window COHORT CASE PREDICTION RUN``, in a process of its own: Qt
wants the main thread, and ``necroseg demo`` also runs where there is no screen.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DOCKS = ("Cases", "Augmentation preview", "Train", "Predict", "Correct", "Study", "Scores")
SIZE_PX = (1600, 1000)
DOCK_WIDTH_PX = 405
LONGEST_WAIT_S = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window; with ``--picture`` draw it into a PNG file instead and close it."""
    parser = argparse.ArgumentParser(prog="python -m napari_necroseg.demo_window", description=__doc__)
    parser.add_argument("cohort", type=Path, help="cohort.csv")
    parser.add_argument("case", help="name of the case to show")
    parser.add_argument("prediction", type=Path, help="predicted mask of the case")
    parser.add_argument("run", type=Path, help="folder of the model that predicted it")
    parser.add_argument("--picture", type=Path, help="PNG file to draw the window into")
    options = parser.parse_args(argv)
    import napari

    viewer = napari.Viewer(title="napari-necroseg: numerical phantom, not a patient")
    viewer.window.resize(*SIZE_PX)
    docks = open_docks(viewer)
    show_result(viewer, docks, options=options)
    if options.picture:
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(options.picture), canvas_only=False, flash=False)
        viewer.close()
    else:
        napari.run()
    return 0


def open_docks(viewer: Any) -> dict[str, Any]:
    """Open all docks of the plugin, the scores below the others, which share tabs."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication, QTabWidget

    docks: dict[str, Any] = {}
    frames: dict[str, Any] = {}
    for name in DOCKS:
        frames[name], docks[name] = viewer.window.add_plugin_dock_widget("napari-necroseg", name)
    main_window = viewer.window._qt_window
    # At the bottom, six tabs would have no room for their names.
    main_window.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.East)
    for name in DOCKS[1:-1]:
        main_window.tabifyDockWidget(frames["Cases"], frames[name])
    frames["Cases"].raise_()
    right = [frames["Cases"], frames["Scores"]]
    main_window.resizeDocks(right, [DOCK_WIDTH_PX] * 2, Qt.Orientation.Horizontal)
    # Qt distributes the height only among docks that it has laid out already.
    QApplication.processEvents()
    main_window.resizeDocks(right, [580, 320], Qt.Orientation.Vertical)
    return docks


def show_result(viewer: Any, docks: dict[str, Any], *, options: argparse.Namespace) -> None:
    """Open the case, add its predicted mask, and wait until the scores stand in their dock."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.images.read import read_mask_on
    from napari_necroseg.layerdata import Role, case_source, mask_layer
    from napari_necroseg.widgets.shared.workspace import Workspace

    workspace = Workspace.of(viewer)
    workspace.set_cohort(read_cohort(options.cohort), options.cohort)
    workspace.set_run(options.run)
    docks["Cases"].open_case(options.case)
    wait_until(lambda: workspace.case is not None and not workspace.screen.is_busy)
    assert workspace.case is not None
    source = case_source(workspace.case, Role.PREDICTION, run=options.run.name)
    prediction = read_mask_on(options.prediction, workspace.case.grid).volume
    mask = mask_layer(prediction, source, name=f"prediction {options.run.name}")
    workspace.layers.add(mask, is_saved=True)
    wait_until(lambda: docks["Scores"].table.has_scores)


def wait_until(condition: Callable[[], bool]) -> None:
    """Process events of the screen until a condition holds.

    Raises TimeoutError if it does not hold within a minute.
    """
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("The window did not show the result within a minute.")
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
