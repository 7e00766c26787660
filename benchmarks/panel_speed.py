"""How fast the panel is, in a real window: its first opening, the change of case, a first mask, the brush.

- opening: the longest gap of a 10 ms timer from the moment the panel is asked for until all its parts stand,
  less that of an empty dock. Each is opened in a process of its own, in turns.
- next, other: wall time from the press to the drawn frame with both sequences, for the next case, which is
  read ahead, and for one that is not; less a plain script that adds the same layers to a napari window, and
  for one that is not read ahead less the reading, too.
- click: from the click on the zone to the drawn contour.
- brush: from the move of the mouse to the drawn stroke, against the same layers in a plain napari window.

The threshold of a prediction is measured by ``prediction.py``, painting while a training runs by
``window_while_training.py``. The figures are medians; the machine should be idle.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BARS = {"opening_ms": 100, "next_ms": 700, "other_ms": 700, "click_ms": 500}
MAIN_BUTTON = "necroseg-main"
SIZE_PX = (1600, 1000)
TIMER_MS = 10
# Longer than reading ahead takes.
READ_AHEAD_S = 6.0
PANEL_STANDS_S = 60.0
BUSY_LOAD = 0.5
STROKE_MOVES = 20
MOST_CASES = 6


def main() -> None:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="folder of at least three cases with references")
    parser.add_argument("--repetitions", type=int, default=5, help="openings, and most cases (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--part", choices=("panel", "empty", "plain"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        plain = options.part == "plain"
        print(json.dumps(plain_script(options.cases) if plain else longest_gap(options.part)))
        return
    record = measure(options.cases, options.repetitions)
    print(json.dumps(record) if options.json else in_words(record))
    sys.exit(any(record[name] > bar for name, bar in BARS.items()))


def measure(cases: Path, repetitions: int) -> dict[str, Any]:
    """Measure everything, each against its peer."""
    load = os.getloadavg()[0]
    record: dict[str, Any] = {
        "benchmark": "panel_speed",
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ.get(name, "all") for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")},
        "load_before": round(load, 2),
        "is_idle": load < BUSY_LOAD,
    }
    with tempfile.TemporaryDirectory() as folder:
        # Before napari is imported: nothing of the person's own is read or changed.
        os.environ["NECROSEG_CONFIG"] = str(Path(folder) / "config")
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        record |= openings(cases, repetitions)
        project = Path(shutil.copytree(cases, Path(folder) / "cases"))
        before = in_a_process(cases, "plain")
        record |= Visit(project, repetitions).measure()
        after = in_a_process(cases, "plain")
        for name in before:
            record[name] = statistics.median(before[name] + after[name])
    record["next_ms"] = record["next_whole_ms"] - record["plain_ms"]
    record["other_ms"] = record["other_whole_ms"] - record["plain_ms"] - record["reading_ms"]
    return record


def in_a_process(cases: Path, part: str) -> dict[str, Any]:
    """Measure a part of it in a process of its own."""
    command = [sys.executable, __file__, str(cases), "--part", part]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def openings(cases: Path, repetitions: int) -> dict[str, Any]:
    """Open the panel and an empty dock in turns, each in a new process."""
    gaps: dict[str, list[float]] = {"panel": [], "empty": []}
    for _ in range(repetitions):
        for what, found in gaps.items():
            found.append(in_a_process(cases, what)["gap_ms"])
    panel, empty = (statistics.median(found) for found in gaps.values())
    return {"opening_ms": panel - empty, "panel_gap_ms": panel, "empty_gap_ms": empty}


def longest_gap(what: str) -> dict[str, float]:
    """Open the panel or an empty dock in a window that stands, and watch a timer meanwhile."""
    import napari
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QWidget
    from real_window import serve

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE_PX)
    serve(2.0)
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(TIMER_MS)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    serve(0.2)
    if what == "empty":
        viewer.window.add_dock_widget(QWidget(), name="empty")
        serve(3.0)
    else:
        _dock, panel = viewer.window.add_plugin_dock_widget("napari-necroseg", "Panel")
        end = time.monotonic() + PANEL_STANDS_S
        while panel.is_being_built and time.monotonic() < end:
            serve(0.1)
        serve(1.0)
    timer.stop()
    gaps = np.diff(ticks) * 1e3
    viewer.close()
    return {"gap_ms": float(gaps.max()) - TIMER_MS}


class Frames:
    """Waits for a drawn frame that shows what is wanted."""

    def __init__(self, viewer: Any) -> None:
        self._canvas = viewer.window._qt_viewer.canvas
        self._wanted: Callable[[], bool] | None = None
        self._drawn_s = 0.0
        self._canvas._scene_canvas.events.draw.connect(self._on_draw)

    def seconds_until(self, wanted: Callable[[], bool], act: Callable[[], object]) -> float:
        """Act, and return the wall time until the end of the first frame in which something is so."""
        from real_window import serve

        self._wanted, self._drawn_s = wanted, 0.0
        begun, end = time.perf_counter(), time.monotonic() + PANEL_STANDS_S
        act()
        while not self._drawn_s:
            if time.monotonic() > end:
                raise TimeoutError("The frame was never drawn.")
            serve(0.001)
        return self._drawn_s - begun

    def _on_draw(self, _event: Any) -> None:
        if self._wanted is not None and self._canvas.native.updatesEnabled() and self._wanted():
            self._wanted, self._drawn_s = None, time.perf_counter()


def plain_script(folder: Path) -> dict[str, list[float]]:
    """Read cases, add the same layers to a napari window as a script does, and draw with its brush."""
    import napari
    from napari.layers import Labels, Layer
    from real_window import serve

    from napari_necroseg import find_cases, run
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.layerdata import case_layers

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE_PX)
    serve(2.0)
    frames = Frames(viewer)
    found: dict[str, list[float]] = {"plain_ms": [], "reading_ms": [], "plain_brush_ms": []}
    for files in run(find_cases(folder)).cases[:MOST_CASES]:
        begun = time.perf_counter()
        case = load_case(files)
        found["reading_ms"].append(1e3 * (time.perf_counter() - begun))
        data = case_layers(case)
        viewer.layers.clear()
        serve(0.5)

        def add(data: Any = data) -> None:
            viewer.canvas.grid.enabled = True
            for layer in data:
                viewer.add_layer(Layer.create(*layer))

        found["plain_ms"].append(
            1e3 * frames.seconds_until(lambda data=data: len(viewer.layers) == len(data), add)
        )
        serve(0.5)
    image = viewer.layers[0]
    places = {name: getattr(image, name) for name in ("scale", "translate", "units", "axis_labels")}
    mask = viewer.add_layer(Labels(np.zeros(image.data.shape, np.uint8), **places))
    serve(0.5)
    found["plain_brush_ms"] = [1e3 * seconds for seconds in _stroke(viewer, mask, frames)]
    viewer.close()
    return found


class Visit:
    """A reader at the panel."""

    def __init__(self, project: Path, repetitions: int) -> None:
        import napari
        from real_window import Person

        from napari_necroseg.widgets.shared.workspace import Workspace

        self.repetitions = repetitions
        self.viewer = napari.Viewer()
        self.viewer.window.resize(*SIZE_PX)
        self.workspace = Workspace.of(self.viewer)
        self.person = Person(self.viewer, answer="Discard")
        self.frames = Frames(self.viewer)
        _dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-necroseg", "Panel")
        self.person.wait_until(lambda: not self.panel.is_being_built, "panel")
        with self.person.with_folder(project):
            self._press_main()
            self._wait_for_case("")

    def measure(self) -> dict[str, Any]:
        """Go on to the last case and back, then click in each, and paint."""
        times: dict[str, list[float]] = {"click": [], "next": [], "other": []}
        cohort = self.workspace.cohort
        assert cohort is not None
        n = min(len(cohort.cases) - 1, self.repetitions, MOST_CASES)
        for name, sign in (("next", "▶"), ("other", "◀")):
            times[name] += [self._change_case(sign) for _ in range(n)]
        for _ in range(n):
            times["click"] += self._click()
            before = self._case()
            self.person.press(self._button("▶"))
            self._wait_for_case(before)
        brush_ms = 1e3 * statistics.median(self._paint())
        ms = {name: 1e3 * statistics.median(found) for name, found in times.items()}
        self.person.leave()
        self.viewer.close()
        record = {"next_whole_ms": ms["next"], "other_whole_ms": ms["other"], "click_ms": ms["click"]}
        return record | {"worst_click_ms": 1e3 * max(times["click"]), "brush_ms": brush_ms}

    def _change_case(self, sign: str) -> float:
        """Press the button of the header, and wait for the frame with both sequences of the other case."""
        from real_window import serve

        serve(READ_AHEAD_S)
        before = self._case()
        button = self._button(sign)
        seconds = self.frames.seconds_until(
            lambda: self._shows_both_but_of(before), lambda: self.person.press(button)
        )
        self._wait_for_case(before)
        return seconds

    def _click(self) -> list[float]:
        """Click on the zone, and wait for the frame with its contour; nothing where there is a mask."""
        from clicks import innermost
        from real_window import serve

        from napari_necroseg.core.language import tr

        case = self.workspace.case
        assert case is not None
        if case.reference is None or self._main().text() != tr("Click on the zone"):
            return []
        self._press_main()
        voxel = innermost(np.asarray(case.reference.voxels) > 0)
        self.person.scroll_to(self._image(), voxel[0])
        serve(0.5)
        seconds = self.frames.seconds_until(
            lambda: self._mask_size() > 0, lambda: self.person.point_at(self._image(), voxel)
        )
        serve(1.0)
        return [seconds]

    def _paint(self) -> list[float]:
        """Draw a stroke on the mask in hand; seconds from each move of the mouse to the frame."""
        # What is mask already would not grow by a move.
        self.workspace.in_hand.data = np.zeros_like(self.workspace.in_hand.data)
        return _stroke(self.viewer, self.workspace.in_hand, self.frames)

    def _button(self, sign: str) -> Any:
        """Return the button of the header that leads to the next or the previous case."""
        return next(one for one in self.panel.header.children() if _text_of(one) == sign)

    def _press_main(self) -> None:
        self.person.wait_until(lambda: self._main().isEnabled(), "main button")
        self.person.press(self._main())

    def _main(self) -> Any:
        return self.person.widget_named(MAIN_BUTTON)

    def _wait_for_case(self, earlier: str) -> None:
        from real_window import serve

        self.person.wait_until(lambda: self._case() not in ("", earlier), "case")
        self.person.wait_until(lambda: not self.workspace.screen.is_busy, "whole case")
        serve(1.0)

    def _case(self) -> str:
        return "" if self.workspace.case is None else self.workspace.case.name

    def _shows_both_but_of(self, earlier: str) -> bool:
        """Whether both sequences of another case are there; the workspace may learn of it later."""
        from napari_necroseg.layerdata import Role, source_of

        sources = [source_of(layer.metadata) for layer in self.viewer.layers if layer.visible]
        roles = {source.role for source in sources if source and source.case != earlier}
        return {Role.CET1, Role.T2} <= roles

    def _mask_size(self) -> int:
        from clicks import mask_size

        return mask_size(self.viewer, self._case())

    def _image(self) -> Any:
        from clicks import ce_t1

        return ce_t1(self.viewer)


def _stroke(viewer: Any, layer: Any, frames: Frames) -> list[float]:
    """Draw a stroke with a real mouse; seconds from each move to the frame that shows it."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from real_window import place_of

    canvas = viewer.window._qt_viewer.canvas.native
    rows, columns = layer.data.shape[1:]
    # Two columns a move, so that each of them draws something new, and about the middle: what lies beside the
    # patient is not on the screen.
    first = columns // 2 - STROKE_MOVES
    path = [place_of(viewer, layer, (0, rows // 2, first + 2 * number)) for number in range(STROKE_MOVES)]
    viewer.layers.selection.active = layer
    layer.mode, layer.brush_size = "paint", 5
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=path[0])
    seconds = []
    for place in path[1:]:
        drawn = int(np.count_nonzero(layer.data))
        seconds.append(
            frames.seconds_until(
                lambda drawn=drawn: int(np.count_nonzero(layer.data)) > drawn,
                lambda place=place: _drag(canvas, place),
            )
        )
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=place)
    layer.mode = "pan_zoom"
    return seconds


def _drag(canvas: Any, place: Any) -> None:
    """Move with the button held; Qt's own test moves hold none."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    left = Qt.MouseButton.LeftButton
    where = QPointF(canvas.mapToGlobal(place))
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(place),
        where,
        Qt.MouseButton.NoButton,
        left,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas, event)


def _text_of(widget: Any) -> str:
    text = getattr(widget, "text", None)
    return text() if callable(text) else ""


def in_words(record: dict[str, Any]) -> str:
    """Say the figures, and which bars hold."""
    lines = [
        f"{record['cores']} cores, OMP_NUM_THREADS {record['threads']['OMP_NUM_THREADS']}, load before "
        f"{record['load_before']:.2f}" + ("" if record["is_idle"] else ": NOT IDLE, the figures say little"),
        f"first opening: longest gap {record['panel_gap_ms']:.0f} ms, of an empty dock "
        f"{record['empty_gap_ms']:.0f} ms",
        f"next case: {record['next_whole_ms']:.0f} ms to the frame; another one "
        f"{record['other_whole_ms']:.0f} ms; a plain script {record['plain_ms']:.0f} ms; reading "
        f"{record['reading_ms']:.0f} ms",
        f"click on the zone to contour: {record['click_ms']:.0f} ms, at most "
        f"{record['worst_click_ms']:.0f} ms",
        f"brush, move to frame: {record['brush_ms']:.0f} ms; plain napari {record['plain_brush_ms']:.0f} ms",
    ]
    for name, bar in BARS.items():
        verdict = "met" if record[name] <= bar else "missed"
        lines.append(f"{name}: {record[name]:.0f} (bar: {bar}; {verdict})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
