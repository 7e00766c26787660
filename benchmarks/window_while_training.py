"""How well the window answers while a training runs in it and a person paints (under Xvfb without a screen).

A case with an empty mask, both sequences side by side, and the dock Train are open. A simulated person draws
circles, thirty mouse events a second, sent to the canvas as Qt's own. A timer of 5 ms notes how much later
than due it is served, and so how long a click would wait: first without, then with a training that the dock
started on all cores but one. The start of the training (imports, compiling, reading) is told apart.
Bars, with the training: 50 ms at the 95th percentile, 150 ms at most.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

P95_BAR_MS, MAX_BAR_MS = 50, 150
TIMER_MS = 5
PERSON_MS = 33
EVENTS_A_STROKE = 45
N_CIRCLES = 4
WARM_UP_S = 3.0
STEPS_TO_WARM_UP = 5
N_PHANTOMS = 3
LONGEST_WAIT_S = 300.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", type=Path, nargs="+", help="folders of cases, the first is painted on")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of both measurements")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="necroseg-window-") as folder:
        # Before napari is imported, so that it leaves the person's own settings alone.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        record = measure(Path(folder), options.case, options.seconds)
    print(json.dumps(record) if options.json else in_words(record))


def measure(folder: Path, cases: Sequence[Path] | None, seconds: float) -> dict[str, Any]:
    """Open the window, watch it without and with a training, and close it."""
    import napari

    threads = threads_of_training()
    viewer = napari.Viewer()
    try:
        dock = open_window(viewer, folder, cases)
        watch, person = Watch(), Person(viewer)
        serve(WARM_UP_S)
        alone = observe(watch, person, seconds)
        starting, steps = start_training(dock, watch, threads=threads, seconds=seconds)
        iterations, began = steps[-1].iteration, time.perf_counter()
        training = observe(watch, person, seconds)
        iterations_per_s = (steps[-1].iteration - iterations) / (time.perf_counter() - began)
        if not dock.runner.is_busy:
            raise SystemExit(f"The training ended before it was measured: {dock.panel.message}")
        dock.runner.cancel()
        wait_until(lambda: not dock.runner.is_busy)
        shape = "x".join(map(str, person.layer.data.shape))
    finally:
        viewer.close()
    return {
        "benchmark": "window_while_training",
        "case": cases[0].name if cases else "phantom",
        "shape": shape,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": threads,
        "seconds": seconds,
        "alone": alone,
        "starting_max_ms": float(max(starting)),
        "training": training,
        "iterations_per_s": iterations_per_s,
        "bars_hold": training["p95_ms"] < P95_BAR_MS and training["max_ms"] < MAX_BAR_MS,
    }


def threads_of_training() -> int:
    """All cores but one, as the dock chooses by itself; asked for here without importing torch."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def open_window(viewer: Any, folder: Path, cases: Sequence[Path] | None) -> Any:
    """Show a case and an empty mask to paint on; return the dock Train, with the cohort chosen."""
    from napari_necroseg.core.case import Cohort
    from napari_necroseg.core.cohort.find import find_case
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.core.cohort.table import read_cohort, write_cohort
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort
    from napari_necroseg.layerdata import case_layers, middle_slice
    from napari_necroseg.widgets.shared.workspace import Workspace

    table = folder / "cohort.csv"
    if cases:
        write_cohort(table, Cohort(cases=tuple(find_case(one) for one in cases)))
    else:
        for _event in write_phantom_cohort(folder, cases=N_PHANTOMS):
            pass
    viewer.window.resize(1600, 1000)
    _, dock = viewer.window.add_plugin_dock_widget("napari-necroseg", "Train")
    workspace = Workspace.of(viewer)
    workspace.set_cohort(read_cohort(table), table)
    case = load_case(workspace.cohort.cases[0])
    for _step in workspace.layers.show(case_layers(case), first_slice=middle_slice(case)):
        pass
    workspace.set_case(case, workspace.cohort.cases[0])
    layer = workspace.layers.new_mask(case)
    layer.mode, layer.brush_size = "paint", 10
    viewer.layers.selection.active = layer
    return dock


def start_training(
    dock: Any, watch: "Watch", *, threads: int, seconds: float
) -> tuple[list[float], list[Any]]:
    """Press Train and wait until it is in full swing: delays meanwhile, and the list that its steps go to."""
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.events import TrainingStep

    steps: list[Any] = []
    dock.runner.reported.connect(
        lambda event: steps.append(event) if isinstance(event, TrainingStep) else None
    )
    minutes = math.ceil((seconds + LONGEST_WAIT_S) / 60)
    dock.form.set_config(train_preset("fast", "2d").changed(threads=threads, minutes=minutes))
    watch.begin()
    dock.start_button.click()
    wait_until(lambda: not dock.runner.is_busy or len(steps) >= STEPS_TO_WARM_UP)
    if not dock.runner.is_busy:
        raise SystemExit(f"The training did not start: {dock.panel.message}")
    return watch.end(), steps


class Watch:
    """Notes how much later than due a timer is served."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer

        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.setInterval(TIMER_MS)
        self._timer.timeout.connect(self._on_time)
        self._late_ms: list[float] = []
        self._due = 0.0

    def begin(self) -> None:
        """Forget what was, and watch."""
        self._late_ms = []
        self._aim()

    def end(self) -> list[float]:
        """Stop watching; return the delays in ms, one for every 5 ms."""
        self._timer.stop()
        # While the window stands still the timer comes only once, but a click might come at any moment of it.
        return [
            late for longest in self._late_ms for late in np.arange(longest, 0, -TIMER_MS).tolist() or [0.0]
        ]

    def _on_time(self) -> None:
        self._late_ms.append((time.perf_counter() - self._due) * 1e3)
        self._aim()

    def _aim(self) -> None:
        self._due = time.perf_counter() + TIMER_MS / 1e3
        self._timer.start()


class Person:
    """Draws a circle with a mouse, erases it, draws a wider one; counts what napari made of it."""

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtCore import QTimer

        canvas = viewer.window._qt_viewer.canvas
        self.layer = viewer.layers.selection.active
        self.painted = self.drawn = 0
        self._widget = canvas.native
        self._number = 0
        self._timer = QTimer()
        self._timer.setInterval(PERSON_MS)
        self._timer.timeout.connect(self._move)
        # Emitted for each piece of a stroke; `paint` comes only at its end.
        self.layer.events.labels_update.connect(self._on_paint)
        canvas.events.draw.connect(self._on_draw)

    def begin(self) -> None:
        """Take the mouse, and an empty mask: napari does nothing where a label is already."""
        self.layer.data = np.zeros_like(self.layer.data)
        self.layer.mode = "paint"
        self.painted = self.drawn = self._number = 0
        self._timer.start()

    def end(self) -> None:
        """Let go of it."""
        self._timer.stop()
        self._send("MouseButtonRelease")

    def _move(self) -> None:
        stroke, place = divmod(self._number, EVENTS_A_STROKE)
        if place == 0:
            self.layer.mode = "paint" if stroke % 2 == 0 else "erase"
        kinds = {0: "MouseButtonPress", EVENTS_A_STROKE - 1: "MouseButtonRelease"}
        self._send(kinds.get(place, "MouseMove"))
        self._number += 1

    def _send(self, kind: str) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        # The left pane is the one with the mask itself.
        width, height = self._widget.width(), self._widget.height()
        angle = 2 * math.pi * self._number / EVENTS_A_STROKE
        radius = height * (0.08 + 0.04 * (self._number // EVENTS_A_STROKE // 2 % N_CIRCLES))
        place = QPointF(width / 4 + radius * math.cos(angle), height / 2 + radius * math.sin(angle))
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == "MouseMove" else left
        held = none if kind == "MouseButtonRelease" else left
        everywhere = QPointF(self._widget.mapToGlobal(place.toPoint()))
        event = QMouseEvent(
            getattr(QEvent.Type, kind), place, everywhere, button, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(self._widget, event)

    def _on_paint(self, _event: Any) -> None:
        self.painted += 1

    def _on_draw(self, _event: Any) -> None:
        self.drawn += 1


def observe(watch: Watch, person: Person, seconds: float) -> dict[str, float]:
    """Let the person paint for a while, and watch the window."""
    person.begin()
    serve(WARM_UP_S)
    watch.begin()
    painted, drawn = person.painted, person.drawn
    serve(seconds)
    late_ms = watch.end()
    painted, drawn = person.painted - painted, person.drawn - drawn
    person.end()
    if not painted:
        raise SystemExit("Nothing was painted: the mouse events did not reach the mask.")
    return {
        "p50_ms": float(np.median(late_ms)),
        "p95_ms": float(np.percentile(late_ms, 95)),
        "max_ms": float(max(late_ms)),
        "edits_per_s": painted / seconds,
        "frames_per_s": drawn / seconds,
    }


def serve(seconds: float) -> None:
    """Serve the window for a while, as `napari.run` does."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    loop, timer = QEventLoop(), QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setSingleShot(True)
    timer.timeout.connect(loop.quit)
    timer.start(round(seconds * 1e3))
    loop.exec()


def wait_until(condition: Callable[[], bool]) -> None:
    """Serve the window until something is so.

    Raises
    ------
    TimeoutError
        If it is not so within five minutes.
    """
    end = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"The window did not get there within {LONGEST_WAIT_S:.0f} s.")
        serve(0.1)


def in_words(record: dict[str, Any]) -> str:
    """Say the figures and whether the bars hold."""
    lines = [
        f"{name}: {part['p50_ms']:.1f} ms at the median, {part['p95_ms']:.1f} ms at the 95th percentile, "
        f"{part['max_ms']:.0f} ms at most; {part['edits_per_s']:.0f} edits and {part['frames_per_s']:.0f} "
        "pictures a second"
        for name, part in (("without training", record["alone"]), ("with training", record["training"]))
    ]
    lines.append(f"while it started: {record['starting_max_ms']:.0f} ms at most")
    lines.append(
        f"training: {record['iterations_per_s']:.2f} iterations/s with {record['threads']} threads on "
        f"{record['cores']} cores; case {record['case']}, {record['shape']} voxels"
    )
    verdict = "hold" if record["bars_hold"] else "do not hold"
    lines.append(f"the bars ({P95_BAR_MS} ms at the 95th percentile, {MAX_BAR_MS} ms at most) {verdict}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
