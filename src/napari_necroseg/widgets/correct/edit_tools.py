"""Edits that napari's own tools lack, each with an icon and a key; all of them can be undone."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QWidget

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.language import number, shown, tr
from napari_necroseg.core.masks.components import Box, Mask, clean, remove_island
from napari_necroseg.core.masks.edits import copy_slice, edit_between, erase_box, swap_box
from napari_necroseg.core.masks.reshape import SMOOTHEST_MM, grow, interpolate, smooth
from napari_necroseg.core.volume import Grid
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.correct.tool_row import ToolRow
from napari_necroseg.widgets.shared.drag_box import DragBox
from napari_necroseg.widgets.shared.number_inputs import mm_spin
from napari_necroseg.widgets.shared.plane import ClickOnce, Index, Plane, go_to_slice, needed_plane
from napari_necroseg.widgets.shared.qt_parts import below, lay
from napari_necroseg.widgets.shared.tools import ToolEntry
from napari_necroseg.widgets.shared.workspace import Workspace

_MOST_GROWN_MM = 10.0
# Tools that act in 3D unless "Slice by slice" is ticked.
_SHAPING = ("smooth", "grow", "shrink")
_BOXES = {"erase": erase_box, "swap": swap_box}


class EditTools(QWidget):
    """Icons that edit the mask in hand; `said` is emitted with the result in words.

    `row` holds the icons of all tools, also of those that others added; `settings` the numbers they need.
    """

    said = Signal(str)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._mask: Labels | None = None
        self._drag = DragBox(workspace.layers.viewer)
        self._click = ClickOnce(workspace)
        # Where somebody has clicked; without, tools act where the pointer is.
        self._at: tuple[int, int, int] | None = None
        self.smooth_mm = mm_spin(
            1.0, most=SMOOTHEST_MM, step=0.5, help_text=tr("How much finer detail goes.")
        )
        self.grow_mm = mm_spin(
            1.0, most=_MOST_GROWN_MM, step=0.5, help_text=tr("How far the outline is moved.")
        )
        self.per_slice = QCheckBox(tr("Slice by slice"))
        self.per_slice.setToolTip(tr("Smooth, grow and shrink within each slice, rather than in space."))
        self.entries = (*_modes(self._set_mode), *_edits(self.use, self._wait_for_part))
        self.settings = QWidget()
        self.row = ToolRow(workspace)
        self._lay_out()
        self.edit(None)

    def edit(self, mask: Labels | None) -> None:
        """Edit this mask from now on, by buttons and by keys while it is the active layer."""
        self._drag.stop()
        self._click.stop()
        self._mask = mask
        self.settings.setEnabled(mask is not None)
        grid = self._grid()
        if mask is not None and grid is not None:
            self._workspace.tools.join(*self.entries)
            # A distance below the width of a voxel moves nothing.
            width_mm = math.ceil(10 * max(grid.spacing_mm[1:])) / 10
            self.grow_mm.setValue(max(self.grow_mm.value(), width_mm))

    def leave(self) -> None:
        """Take the tools away: the dock is closed."""
        self._workspace.tools.leave(*self.entries)

    def use(self, name: str) -> None:
        """Use a tool by its name; a mistake is said."""
        mask, grid, title = self._mask, self._grid(), self._title(name)
        if mask is None or grid is None:
            return
        try:
            if name in _BOXES:
                self._wait_for_box(mask, name, title=title)
            else:
                self._finish(mask, self._changed(name, mask.data != 0, grid=grid), title=title)
        except NecrosegError as error:
            self.said.emit(shown(error))

    def _wait_for_part(self) -> None:
        """Let the person click on the part that is to go; the same button gives it up."""
        case, title = self._workspace.case, self._title("island")
        if case is None or self._mask is None:
            return
        if self._click.is_waiting:
            self._click.stop()
            self.said.emit(tr("{title}: given up.", title=title))
            return
        try:
            self._click.wait(case, self._on_part)
            self.said.emit(tr("{title}: click on the part in the image.", title=title))
        except NecrosegError as error:
            self.said.emit(shown(error))

    def _on_part(self, index: Index) -> None:
        z, y, x = (round(place) for place in index)
        self._at = (z, y, x)
        self.use("island")
        self._at = None

    def _wait_for_box(self, mask: Labels, name: str, *, title: str) -> None:
        """Let the person draw the box; the same button gives it up."""
        was_waiting = self._drag.is_waiting
        self._drag.stop()
        if was_waiting:
            self.said.emit(tr("{title}: given up.", title=title))
            return
        self._drag.wait(mask, title, then=partial(self._on_box, mask=mask, name=name))
        self.said.emit(tr("{title}: draw the box in the image.", title=title))

    def _on_box(self, box: Box, *, mask: Labels, name: str) -> None:
        if mask is self._mask:
            self._finish(mask, _BOXES[name](np.asarray(mask.data != 0), box), title=self._title(name))

    def _set_mode(self, mode: str) -> None:
        mask = self._mask
        if mask is not None:
            self._drag.stop()
            if not mask.visible:
                # napari puts the tool down whenever this is set.
                mask.visible = True
            self._workspace.layers.viewer.layers.selection.active = mask
            mask.mode = "pan_zoom" if str(mask.mode) == mode else mode

    def _title(self, name: str) -> str:
        return next(entry.title for entry in self.entries if entry.name == name)

    def _finish(self, mask: Labels, after: Mask, *, title: str) -> None:
        grid = self._grid()
        if grid is not None:
            self.said.emit(f"{title}: {self._do(mask, after, grid=grid)}")

    def _changed(self, name: str, mask: Mask, *, grid: Grid) -> Mask:
        """Return the mask as a tool makes it."""
        viewer, flat = self._workspace.layers.viewer, self.per_slice.isChecked()
        if name == "largest" or (name in _SHAPING and not flat):
            # They do the same in every view, 3D included.
            plane = Plane(axis=0, number=0)
        else:
            plane = needed_plane(viewer, self._title(name))
        turned = np.ascontiguousarray(plane.turned(mask))
        spacing = plane.spacing_mm(grid.spacing_mm)
        makes: dict[str, Callable[[], Mask]] = {
            "interpolate": lambda: interpolate(turned, spacing),
            "smooth": lambda: smooth(turned, spacing, mm=self.smooth_mm.value(), per_slice=flat),
            "grow": lambda: grow(turned, spacing, mm=self.grow_mm.value(), per_slice=flat),
            "shrink": lambda: grow(turned, spacing, mm=-self.grow_mm.value(), per_slice=flat),
            "holes": lambda: clean(turned, fill_holes=True),
            "largest": lambda: clean(turned, largest=True),
            "island": lambda: plane.turned(remove_island(mask, self._pointed_at())),
            "next": lambda: self._copied(turned, plane, by=1),
            "previous": lambda: self._copied(turned, plane, by=-1),
        }
        return plane.turned_back(makes[name]())

    def _do(self, layer: Labels, after: Mask, *, grid: Grid) -> str:
        """Change the layer as one edit of napari's history, and say by how much."""
        before = layer.data
        inside = before != 0
        # Labels other than 1 stay where the mask stays.
        voxels = np.where(after & ~inside, 1, np.where(after, before, 0)).astype(before.dtype)
        edit = edit_between(before, voxels)
        if edit is None:
            return tr("nothing to change.")
        layer.data_setitem(edit.indices(), edit.values())
        total_ml = np.count_nonzero(after) * grid.voxel_ml
        added_ml = edit.added_ml(grid.voxel_ml)
        added = ("+" if added_ml >= 0 else "-") + number(abs(added_ml), 2)
        return tr("{added} mL, now {total} mL. Ctrl+Z takes it back.", added=added, total=number(total_ml, 2))

    def _copied(self, turned: Mask, plane: Plane, *, by: int) -> Mask:
        target = plane.number + by
        copied = copy_slice(turned, source=plane.number, target=target)
        go_to_slice(self._workspace.layers.viewer, replace(plane, number=target))
        return copied

    def _pointed_at(self) -> tuple[int, int, int]:
        assert self._mask is not None
        if self._at is not None:
            return self._at
        place = self._mask.world_to_data(self._workspace.layers.viewer.cursor.position)
        z, y, x = (round(float(number)) for number in place[-3:])
        return z, y, x

    def _grid(self) -> Grid | None:
        source = None if self._mask is None else source_of(self._mask.metadata)
        return None if source is None else source.grid

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow(tr("Smooth by"), self.smooth_mm)
        form.addRow(tr("Grow and shrink by"), self.grow_mm)
        form.addRow("", self.per_slice)
        lay(self.settings, form)
        lay(self, below(self.row, self.settings))


def _modes(choose: Callable[[str], object]) -> tuple[ToolEntry, ...]:
    """Make the entries of napari's own tools, whose keys napari binds."""
    told = (
        ("paint", "2", tr("Brush"), tr("Paint the mask.")),
        ("erase", "1", tr("Eraser"), tr("Erase from the mask.")),
        ("polygon", "3", tr("Polygon"), tr("Click the corners of an area; a double click fills it.")),
        ("fill", "4", tr("Bucket"), tr("Fill what is enclosed at the click.")),
    )
    return tuple(
        ToolEntry(
            name=f"mode-{mode}",
            title=title,
            key=key,
            help=help_text,
            icon=mode,
            act=partial(choose, mode),
            mode=mode,
        )
        for mode, key, title, help_text in told
    )


def _edits(use: Callable[[str], object], wait: Callable[[], object]) -> tuple[ToolEntry, ...]:
    """Make the entries of our own tools; `wait` waits for a click on the part that is to go."""
    told = (
        (
            "interpolate",
            "I",
            tr("Fill between slices"),
            tr("Fill the empty slices between contoured ones, by the shape of their outlines."),
        ),
        ("next", "N", tr("Copy to next"), tr("Copy the contour of this slice to the next, and go there.")),
        (
            "previous",
            "B",
            tr("Copy to previous"),
            tr("Copy the contour of this slice to the one before, and go there."),
        ),
        ("smooth", "S", tr("Smooth"), tr("Smooth the outline at the same volume; threads go.")),
        ("grow", "G", tr("Grow"), tr("Move the outline outwards.")),
        ("shrink", "J", tr("Shrink"), tr("Move the outline inwards.")),
        ("holes", "H", tr("Fill holes"), tr("Fill what is enclosed within a slice.")),
        ("largest", "K", tr("Keep largest"), tr("Remove all parts but the largest.")),
        (
            "island",
            "D",
            tr("Remove part here"),
            tr("Click on a part of the mask, and it is removed; the key removes it under the pointer."),
        ),
        (
            "erase",
            "E",
            tr("Erase in box"),
            tr("Draw a box in the image: what lies in it on this slice is removed."),
        ),
        (
            "swap",
            "X",
            tr("Swap in box"),
            tr("Draw a box in the image: what lies in it on this slice is turned inside out."),
        ),
    )
    return tuple(
        ToolEntry(
            name=name,
            title=title,
            key=f"Shift-{key}",
            help=help_text,
            icon=f"edit-{name}",
            act=wait if name == "island" else partial(use, name),
            at_pointer=partial(use, name),
        )
        for name, key, title, help_text in told
    )
