"""How many clicks a reader needs, from files to signed masks, counted in a real window.

The panel is driven by mouse and keys as a person would: it is read what the main button says, and that is
pressed. Without ``--model`` a small model is trained on phantoms first; a model counts as known on this
computer, and is not counted. Nothing is written into the folder of cases: each walk works on a copy.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from real_window import Person, StuckError, serve

MOST_CLICKS = {"first_mask_without_model": 5, "first_mask_with_model": 6, "each_further_case": 2}
# Above the least that a model needs to be chosen by itself.
ITERATIONS = 250
FURTHER_CASES = 2
# Nobody signs a mask off without a look at it.
LOOK_S = 2.0
MENU = ("Plugins", "Necrosis segmentation", "Panel")
MAIN_BUTTON = "necroseg-main"
SIZE_PX = (1600, 1000)
Zone = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What a goal took."""

    goal: str
    clicks: int
    scrolls: int
    seconds: float
    pressed: tuple[str, ...]


def main() -> None:
    """Walk, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path, help="folder of cases, with or without references")
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    parser.add_argument("--zone", help="voxel of the zone as z,y,x, for cases without a reference")
    parser.add_argument("--json", action="store_true", help="print one JSON object a goal")
    options = parser.parse_args()
    zone = None if options.zone is None else tuple(int(part) for part in options.zone.split(","))
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or train_on_phantoms(Path(folder) / "phantoms")
        walks, menu_clicks = walk_all(options.cases, model, work=Path(folder), zone=zone)
    for walk in walks:
        print(as_json(walk) if options.json else in_words(walk))
    if not options.json:
        print(f"From napari without the panel: {menu_clicks} clicks more.")
    sys.exit(any(walk.clicks > MOST_CLICKS[walk.goal] for walk in walks))


def walk_all(
    cases: Path,
    model: Path,
    *,
    work: Path,
    zone: Zone | None = None,
    open_viewer: Callable[[], Any] | None = None,
) -> tuple[list[Walk], int]:
    """Walk to all goals in two windows; return also the clicks that open the panel."""
    import napari

    walks = []
    open_viewer = open_viewer or napari.Viewer
    for name, known in (("without", None), ("with", model)):
        project = Path(shutil.copytree(cases, work / name / "cases"))
        with remembering(work / name / "config", known):
            reader = Reader(open_viewer(), project, zone=zone)
            try:
                reader.open_panel()
                walks.append(reader.first_mask(f"first_mask_{name}_model"))
                if known is not None:
                    walks.append(reader.further_cases())
            finally:
                reader.leave()
    return walks, reader.menu_clicks


@contextmanager
def remembering(config: Path, model: Path | None) -> Iterator[None]:
    """Begin as on a computer where at most one model is known."""
    from napari_necroseg.core.project.remembered import remember

    before = os.environ.get("NECROSEG_CONFIG")
    os.environ["NECROSEG_CONFIG"] = str(config)
    if model is not None:
        remember(models=(model.absolute(),))
    try:
        yield
    finally:
        del os.environ["NECROSEG_CONFIG"]
        if before is not None:
            os.environ["NECROSEG_CONFIG"] = before


class Reader:
    """A radiologist with a folder of cases, who reads the main button and presses it."""

    def __init__(self, viewer: Any, project: Path, *, zone: Zone | None) -> None:
        from napari_necroseg.core.language import tr
        from napari_necroseg.widgets.shared.workspace import Workspace

        self.viewer, self.project, self.zone = viewer, project, zone
        self.workspace = Workspace.of(viewer)
        self.person = Person(viewer)
        self.menu_clicks = 0
        self._click, self._predict = tr("Click on the zone"), tr("Predict")
        self._open, self._sign, self._sign_last = (
            tr("Open folder ..."),
            tr("Sign off and next"),
            tr("Sign off"),
        )
        viewer.window.resize(*SIZE_PX)
        viewer.window._qt_window.activateWindow()
        serve(0.5)

    def open_panel(self) -> None:
        """Open the panel by napari's menus, and wait until it stands."""
        self.person.choose(*MENU)
        self.menu_clicks = self.person.clicks
        self._wait_for_button()

    def first_mask(self, goal: str) -> Walk:
        """Go from the open panel to a mask that is not empty."""
        with self._walk(goal) as walk, self.person.with_folder(self.project):
            self._press(self._open)
            self._wait_for_case("")
            self._outline()
        return walk[0]

    def further_cases(self) -> Walk:
        """Sign off the open case, then some more; the one that took most clicks counts."""
        self._sign_off()
        walks = []
        for _ in range(FURTHER_CASES):
            with self._walk("each_further_case") as walk:
                self._outline()
                self._sign_off()
            walks += walk
        return max(walks, key=lambda walk: walk.clicks)

    def leave(self) -> None:
        """Close the window."""
        self.person.leave()
        self.viewer.close()

    @contextmanager
    def _walk(self, goal: str) -> Iterator[list[Walk]]:
        person, begun = self.person, time.perf_counter()
        before = person.clicks, person.scrolls
        person.pressed.clear()
        walked: list[Walk] = []
        yield walked
        seconds = round(time.perf_counter() - begun, 1)
        clicks, scrolls = person.clicks - before[0], person.scrolls - before[1]
        pressed = tuple(person.pressed)
        walked.append(Walk(goal=goal, clicks=clicks, scrolls=scrolls, seconds=seconds, pressed=pressed))

    def _outline(self) -> None:
        """Do what the main button says until the open case has a mask."""
        for _ in range(4):
            self._wait_for_button()
            if self._mask_size():
                return
            if self._main.text() == self._click:
                self._press(self._click)
                self.person.point_at(ce_t1(self.viewer), self._zone())
                self._wait_for_mask()
            else:
                self._press(self._predict)
                self._wait_until_idle()
        raise StuckError("Nothing that the main button offered led to a mask.")

    def _sign_off(self) -> None:
        """Look, sign off, and wait until the signature is on disk and the next case stands."""
        serve(LOOK_S)
        # Meanwhile the next case is read and predicted.
        self._wait_until_idle()
        case, is_last = self._case(), self._main.text() == self._sign_last
        self._press(self._sign, self._sign_last)
        self.person.write_initials()
        self.person.wait_until(lambda: self._is_signed(case), f"signature of {case}")
        if not is_last:
            self._wait_for_case(case)

    @property
    def _main(self) -> Any:
        """The main button of the panel."""
        return self.person.widget_named(MAIN_BUTTON)

    def _press(self, *texts: str) -> None:
        self.person.wait_until(lambda: self._offers(*texts), f"main button among {texts}")
        self.person.press(self._main)

    def _offers(self, *texts: str) -> bool:
        main = self._main
        return main is not None and main.isEnabled() and main.text() in texts

    def _wait_for_button(self) -> None:
        texts = (self._click, self._predict, self._sign, self._sign_last, self._open)
        self.person.wait_until(
            lambda: self._offers(*texts), "main button that says one of " + ", ".join(texts)
        )

    def _wait_for_case(self, earlier: str) -> None:
        self.person.wait_until(lambda: self._case() not in ("", earlier), "case after this one")
        self._wait_until_idle()

    def _wait_for_mask(self) -> None:
        self.person.wait_until(self._mask_size, "mask after the click")
        self._wait_until_idle()

    def _wait_until_idle(self) -> None:
        from napari_necroseg.widgets.shared.worker import JobRunner

        window = self.viewer.window._qt_window
        self.person.wait_until(
            lambda: (
                not self.workspace.screen.is_busy
                and not self.workspace.opening
                and not any(runner.is_busy for runner in window.findChildren(JobRunner))
            ),
            "end of the work",
        )
        serve(0.2)

    def _case(self) -> str:
        return "" if self.workspace.case is None else self.workspace.case.name

    def _mask_size(self) -> int:
        return mask_size(self.viewer, self._case())

    def _zone(self) -> Zone:
        """Return a voxel within the lesion, or without a reference the given or the middle one."""
        if self.zone is not None:
            return self.zone
        case = self.workspace.case
        assert case is not None
        if case.reference is None:
            shape = case.grid.shape
            return (shape[0] // 2, shape[1] // 2, shape[2] // 2)
        return innermost(np.asarray(case.reference.voxels) > 0)

    def _is_signed(self, case: str) -> bool:
        """Whether the disk has the mask, not empty, and the signature of just this mask."""
        from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
        from napari_necroseg.core.project.review import Status, statuses

        folder, cohort = self.workspace.folder, self.workspace.cohort
        assert folder is not None
        assert cohort is not None
        labels = folder / LABELS_FOLDER
        if statuses(cohort.only((case,)), labels)[case] is not Status.REVIEWED:
            return False
        return bool(np.any(np.asarray(nibabel.load(corrected_path(labels, case)).dataobj)))


def mask_size(viewer: Any, case: str) -> int:
    """Return how many voxels a mask of a case has that is in sight and not an expert's."""
    from napari.layers import Labels

    from napari_necroseg.layerdata import Role, source_of

    sizes = [0]
    for layer in viewer.layers:
        source = source_of(layer.metadata)
        is_mine = source is not None and source.role in (Role.LABELS, Role.PREDICTION)
        if is_mine and source.case == case and layer.visible and isinstance(layer, Labels):
            sizes.append(int(np.count_nonzero(layer.data)))
    return max(sizes)


def ce_t1(viewer: Any) -> Any:
    """Return the layer of the ceT1 that is in sight."""
    from napari_necroseg.layerdata import Role, source_of

    sources = {layer: source_of(layer.metadata) for layer in viewer.layers if layer.visible}
    return next(layer for layer, source in sources.items() if source and source.role is Role.CET1)


def innermost(mask: np.ndarray[Any, Any]) -> Zone:
    """Return the voxel of a mask's largest slice that is farthest from its border."""
    from scipy.ndimage import distance_transform_edt

    number = int(np.argmax(mask.sum(axis=(1, 2))))
    depth = distance_transform_edt(np.pad(mask[number], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return number, int(row), int(column)


def train_on_phantoms(folder: Path) -> Path:
    """Train a small network on a few phantoms, with enough iterations to be offered."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort
    from napari_necroseg.core.plan import make_plan
    from napari_necroseg.core.training.train import train_planned

    for _ in write_phantom_cohort(folder, cases=3, seed=7):
        pass
    cohort = read_cohort(folder / "cohort.csv")
    config = train_preset("fast").changed(steps=ITERATIONS, device="cpu")
    plan = replace(make_plan(config, cohort), widths=(8, 16, 16))
    run = folder / "models" / "phantoms"
    for _ in train_planned(plan, cohort, run=run):
        pass
    return run


def as_json(walk: Walk) -> str:
    """Return the figures as a line of JSON."""
    return json.dumps({name: value for name, value in asdict(walk).items() if name != "pressed"})


def in_words(walk: Walk) -> str:
    """Say what a goal took, and whether it holds."""
    most = MOST_CLICKS[walk.goal]
    verdict = "met" if walk.clicks <= most else "missed"
    return (
        f"{walk.goal.replace('_', ' ')}: {walk.clicks} clicks (goal: {most}; {verdict}), "
        f"{walk.scrolls} turns of the wheel, {walk.seconds:.1f} s: {' > '.join(walk.pressed)}"
    )


if __name__ == "__main__":
    main()
