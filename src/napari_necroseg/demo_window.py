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

from napari_necroseg.window import open_panel

SIZE_PX = (1600, 1000)
LONGEST_WAIT_S = 60.0
_SETTLING_S = 1.0


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
    show_result(open_panel(viewer), options=options)
    if options.picture:
        options.picture.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(options.picture), canvas_only=False, flash=False)
        viewer.close()
    else:
        napari.run()
    return 0


def show_result(panel: Any, *, options: argparse.Namespace) -> None:
    """Open the case in the panel, with its predicted mask."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.images.read import read_mask_on
    from napari_necroseg.layerdata import Role, case_source, mask_layer

    workspace = panel.workspace
    wait_until(lambda: "model" in panel.steps)
    workspace.set_cohort(read_cohort(options.cohort), options.cohort)
    workspace.set_run(options.run)
    panel.steps["cases"].cases.choose(options.case)
    wait_until(lambda: workspace.case is not None and not workspace.screen.is_busy)
    assert workspace.case is not None
    if not workspace.layers.find(workspace.case.name, [Role.PREDICTION]):
        source = case_source(workspace.case, Role.PREDICTION, run=options.run.name)
        prediction = read_mask_on(options.prediction, workspace.case.grid).volume
        mask = mask_layer(prediction, source, name=f"prediction {options.run.name}")
        workspace.layers.add(mask, is_saved=True)
    end = time.monotonic() + _SETTLING_S
    wait_until(lambda: time.monotonic() > end)


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
