"""How fast the Augmentation preview follows a slider, in a real window (under Xvfb where there is no screen).

A slider is moved every 16 ms. For each of its values: the time until the picture shows it or a later one.
Bars: 50 ms at the 95th percentile for the slice, 250 ms from the release of the slider to the whole patch,
and no moment of 100 ms in which the window does not answer.
"""

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np
import torch

SHAPE = (20, 320, 320)
SLICE_BAR_MS, PATCH_BAR_MS, GAP_BAR_MS = 50, 250, 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a shorter drag")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    import napari

    viewer = napari.Viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-necroseg", "Augmentation preview")
    add_layers(viewer)
    for choice, name in (
        (dock.choice.cet1, "ceT1"),
        (dock.choice.t2, "T2"),
        (dock.choice.reference, "reference"),
    ):
        choice.choose(viewer.layers[name])
    # The larger patches, and all transforms.
    dock.whose.preset.setCurrentText("paper")
    dock.by_value.setChecked(True)
    wait_until(lambda: getattr(dock.picture.shown, "after_ml", None) is not None)
    slices_ms, patches_ms, gap_ms = measure(dock, n_drags=3 if options.quick else 20)
    viewer.close()
    record = {
        "benchmark": "preview_latency",
        "case": "x".join(map(str, SHAPE)),
        "threads": torch.get_num_threads(),
        "slice_p50_ms": statistics.median(slices_ms),
        "slice_p95_ms": float(np.percentile(slices_ms, 95)),
        "patch_p50_ms": statistics.median(patches_ms),
        "patch_max_ms": max(patches_ms),
        "longest_gap_ms": gap_ms,
        "frames": len(slices_ms),
    }
    print(json.dumps(record) if options.json else in_words(record))


def add_layers(viewer: Any) -> None:
    """Two images and a mask of a usual size."""
    chance = np.random.default_rng(0)
    place = {"scale": (4.0, 0.8, 0.8), "units": ("mm",) * 3}
    for name in ("ceT1", "T2"):
        viewer.add_image(chance.random(SHAPE, np.float32), name=name, **place)
    mask = np.zeros(SHAPE, np.uint8)
    mask[7:13, 140:180, 150:200] = 1
    viewer.add_labels(mask, name="reference", **place)


def measure(dock: Any, *, n_drags: int) -> tuple[list[float], list[float], float]:
    """Drag a slider to and fro: latencies of slices, of patches after each release, and the longest gap."""
    slider = dock.controls.singles["scale_range"]
    shown_at: list[tuple[float, float, bool]] = []

    def note(view: Any) -> None:
        if view is not None:
            value = float(view.wish.values["scale"])
            shown_at.append((time.perf_counter(), value, view.after_ml is not None))

    dock.picture.painted.connect(note)
    slices_ms, patches_ms, gaps = [], [], []
    for drag in range(n_drags):
        values = np.linspace(0.6, 1.4, 60)[:: 1 if drag % 2 == 0 else -1]
        shown_at.clear()
        set_at = []
        for value in values:
            moment = time.perf_counter()
            slider.setValue(value)
            set_at.append((moment, float(slider.value())))
            gaps += [time.perf_counter() - moment, serve(0.016)]
        released = time.perf_counter()
        dock.controls.released.emit()
        last = set_at[-1][1]
        wait_until(lambda last=last: bool(shown_at) and shown_at[-1][2] and shown_at[-1][1] == last)
        patches_ms.append((shown_at[-1][0] - released) * 1e3)
        slices_ms += latencies_ms(set_at, shown_at, is_rising=drag % 2 == 0)
    return slices_ms, patches_ms, max(gaps) * 1e3


def latencies_ms(
    set_at: list[tuple[float, float]], shown_at: list[tuple[float, float, bool]], *, is_rising: bool
) -> list[float]:
    """For each value the time until it or a later one was painted."""
    sign = 1 if is_rising else -1
    found = []
    for moment, value in set_at:
        later = [at for at, shown, _ in shown_at if at >= moment and sign * (shown - value) >= -1e-9]
        found.append((later[0] - moment) * 1e3)
    return found


def serve(seconds: float) -> float:
    """Serve the window for a while; return the longest time that one round of events took."""
    from qtpy.QtWidgets import QApplication

    end, longest = time.perf_counter() + seconds, 0.0
    while (started := time.perf_counter()) < end:
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - started)
        time.sleep(0.001)
    return longest


def wait_until(condition: Any) -> None:
    """Serve the window until something is so."""
    while not condition():
        serve(0.005)


def in_words(record: dict[str, Any]) -> str:
    """Say the figures and whether the bars are met."""

    def verdict(value: float, bar: float) -> str:
        return f"bar {bar} ms: {'met' if value <= bar else 'missed'}"

    return (
        f"slice: {record['slice_p50_ms']:.0f} ms at the median, {record['slice_p95_ms']:.0f} ms at the 95th "
        f"percentile ({verdict(record['slice_p95_ms'], SLICE_BAR_MS)})\n"
        f"patch after the release: {record['patch_p50_ms']:.0f} ms at the median, "
        f"{record['patch_max_ms']:.0f} ms at most ({verdict(record['patch_max_ms'], PATCH_BAR_MS)})\n"
        f"longest time without an answer: {record['longest_gap_ms']:.0f} ms "
        f"({verdict(record['longest_gap_ms'], GAP_BAR_MS)}); {record['threads']} threads"
    )


if __name__ == "__main__":
    main()
