"""Edits that napari's own tools lack, each with a button and a key; all of them can be undone."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Labels, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QWidget

from napari_necroseg.core.errors import NecrosegError, SettingsError
from napari_necroseg.core.masks.components import Box, Mask, clean, remove_island
from napari_necroseg.core.masks.edits import copy_slice, edit_between, erase_box, swap_box
from napari_necroseg.core.masks.reshape import SMOOTHEST_MM, grow, interpolate, smooth
from napari_necroseg.core.volume import Grid
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.shared.number_inputs import mm_spin
from napari_necroseg.widgets.shared.plane import Plane, go_to_slice, needed_plane
from napari_necroseg.widgets.shared.qt_parts import button, lay
from napari_necroseg.widgets.shared.workspace import Workspace

_MOST_GROWN_MM = 10.0
# Tools that act in 3D unless "Slice by slice" is ticked.
_SHAPING = ("smooth", "grow", "shrink")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A button: its title, its key while the mask is the active layer, and its explanation."""

    name: str
    title: str
    key: str
    help: str

    @property
    def hint(self) -> str:
        """The explanation with the key."""
        return f"{self.help}\nKey: {self.key.replace('-', '+')}"


TOOLS = (
    Tool(
        name="interpolate",
        title="Fill between slices",
        key="Shift-I",
        help="Interpolate the empty slices between contoured ones, by the shape of their outlines.",
    ),
    Tool(
        name="smooth",
        title="Smooth",
        key="Shift-S",
        help="Smooth the outline at the same volume; single voxels and threads go.",
    ),
    Tool(name="grow", title="Grow", key="Shift-G", help="Move the outline outwards, in millimetres."),
    Tool(name="shrink", title="Shrink", key="Shift-J", help="Move the outline inwards, in millimetres."),
    Tool(name="holes", title="Fill holes", key="Shift-H", help="Fill what is enclosed within a slice."),
    Tool(name="largest", title="Keep largest", key="Shift-K", help="Remove all parts but the largest."),
    Tool(
        name="island",
        title="Remove part here",
        key="Shift-D",
        help="Remove the part of the mask under the mouse pointer; with the button: where it was last.",
    ),
    Tool(
        name="next",
        title="Copy to next",
        key="Shift-N",
        help="Copy the contour of this slice to the next one, and go there.",
    ),
    Tool(
        name="previous",
        title="Copy to previous",
        key="Shift-B",
        help="Copy the contour of this slice to the one before, and go there.",
    ),
    Tool(
        name="erase",
        title="Erase in box",
        key="Shift-E",
        help="Remove what lies in the rectangle drawn last in a Shapes layer, on the slice that is shown.",
    ),
    Tool(
        name="swap",
        title="Swap in box",
        key="Shift-X",
        help="Turn inside out what lies in the rectangle drawn last in a Shapes layer, on the slice shown.",
    ),
)


class EditTools(QWidget):
    """Buttons that edit the mask in hand; `said` is emitted with the result in words."""

    said = Signal(str)

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._mask: Labels | None = None
        self.smooth_mm = mm_spin(1.0, most=SMOOTHEST_MM, step=0.5, help_text="How much finer detail goes.")
        self.grow_mm = mm_spin(1.0, most=_MOST_GROWN_MM, step=0.5, help_text="How far the outline is moved.")
        self.per_slice = QCheckBox("Slice by slice")
        self.per_slice.setToolTip("Smooth, grow and shrink within each slice, rather than in space.")
        self.buttons = {
            tool.name: button(tool.title, tool.hint, act=partial(self.use, tool.name)) for tool in TOOLS
        }
        self._lay_out()
        self.edit(None)

    def edit(self, mask: Labels | None) -> None:
        """Edit this mask from now on, by buttons and by keys while it is the active layer."""
        self._mask = mask
        self.setEnabled(mask is not None)
        grid = self._grid()
        if mask is not None and grid is not None:
            # A distance below the width of a voxel moves nothing.
            width_mm = math.ceil(10 * max(grid.spacing_mm[1:])) / 10
            self.grow_mm.setValue(max(self.grow_mm.value(), width_mm))
            for tool in TOOLS:
                mask.bind_key(tool.key, self._key_action(tool.name), overwrite=True)

    def use(self, name: str) -> None:
        """Use a tool by its name; a mistake is said."""
        mask, grid = self._mask, self._grid()
        if mask is None or grid is None:
            return
        title = next(tool.title for tool in TOOLS if tool.name == name)
        try:
            self.said.emit(
                f"{title}: {self._do(mask, self._changed(name, mask.data != 0, grid=grid), grid=grid)}"
            )
        except NecrosegError as error:
            self.said.emit(str(error))

    def _changed(self, name: str, mask: Mask, *, grid: Grid) -> Mask:
        """Return the mask as a tool makes it."""
        viewer, flat = self._workspace.layers.viewer, self.per_slice.isChecked()
        if name == "largest" or (name in _SHAPING and not flat):
            # They do the same in every view, 3D included.
            plane = Plane(axis=0, number=0)
        else:
            plane = needed_plane(viewer, next(tool.title for tool in TOOLS if tool.name == name))
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
            "erase": lambda: plane.turned(erase_box(mask, self._drawn_box(plane))),
            "swap": lambda: plane.turned(swap_box(mask, self._drawn_box(plane))),
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
            return "nothing to change."
        layer.data_setitem(edit.indices(), edit.values())
        total_ml = np.count_nonzero(after) * grid.voxel_ml
        return f"{edit.added_ml(grid.voxel_ml):+.2f} mL, now {total_ml:.2f} mL. Ctrl+Z takes it back."

    def _copied(self, turned: Mask, plane: Plane, *, by: int) -> Mask:
        target = plane.number + by
        copied = copy_slice(turned, source=plane.number, target=target)
        go_to_slice(self._workspace.layers.viewer, replace(plane, number=target))
        return copied

    def _pointed_at(self) -> tuple[int, int, int]:
        assert self._mask is not None
        place = self._mask.world_to_data(self._workspace.layers.viewer.cursor.position)
        z, y, x = (round(float(number)) for number in place[-3:])
        return z, y, x

    def _drawn_box(self, plane: Plane) -> Box:
        """Return the rectangle that was drawn last; it must lie on the slice that is shown."""
        layers = self._workspace.layers.viewer.layers
        drawn = [layer for layer in layers if isinstance(layer, Shapes) and layer.data]
        if not drawn or self._mask is None:
            raise SettingsError("Draw a rectangle in a new Shapes layer first.")
        corners = np.array([self._mask.world_to_data(drawn[-1].data_to_world(p)) for p in drawn[-1].data[-1]])
        low, high = corners[:, -3:].min(axis=0), corners[:, -3:].max(axis=0)
        first = np.clip(np.ceil(low - 0.5), 0, self._mask.data.shape).astype(int)
        stop = np.clip(np.floor(high + 0.5) + 1, 0, self._mask.data.shape).astype(int)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))
        across = (z, y, x)[plane.axis]
        if (across.start, across.stop) != (plane.number, plane.number + 1):
            raise SettingsError(
                f"The last rectangle lies on another slice than {plane.name} slice {plane.number}, which is "
                "shown. Go to its slice, or draw a rectangle here."
            )
        return z, y, x

    def _grid(self) -> Grid | None:
        source = None if self._mask is None else source_of(self._mask.metadata)
        return None if source is None else source.grid

    def _key_action(self, name: str) -> Callable[[Any], None]:
        """Return the function of a key; napari needs one with a name, which a partial lacks."""

        def use(_layer: Any) -> None:
            self.use(name)

        return use

    def _lay_out(self) -> None:
        grid = QGridLayout()
        rows: tuple[tuple[QWidget, ...], ...] = (
            (self.buttons["interpolate"], self.buttons["holes"]),
            (self.buttons["next"], self.buttons["previous"]),
            (self.buttons["largest"], self.buttons["island"]),
            (self.buttons["erase"], self.buttons["swap"]),
            (self.buttons["smooth"], self.smooth_mm),
            (self.buttons["grow"], self.grow_mm),
            (self.buttons["shrink"], self.per_slice),
        )
        for row, widgets in enumerate(rows):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column)
        lay(self, grid)
