"""Makes napari's brush, bucket and polygon round in millimetres, and keeps strokes within bounds.

napari's brush has a size in voxels and no bounds, and there is no public way to change either: methods of
the layer in hand are replaced, and restored when another mask is taken in hand. napari's size, which its
slider and keys change, and the radius in millimetres follow each other.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QWidget
from superqt import QLabeledDoubleRangeSlider

from napari_necroseg.core.language import tr
from napari_necroseg.core.masks.edits import disk_mm, within_range
from napari_necroseg.layerdata import spacing_mm_of
from napari_necroseg.widgets.shared.layer_choice import LayerChoice
from napari_necroseg.widgets.shared.number_inputs import mm_spin
from napari_necroseg.widgets.shared.plane import shown_axis
from napari_necroseg.widgets.shared.qt_parts import below, beside, lay
from napari_necroseg.widgets.shared.workspace import Workspace

_MOST_RADIUS_MM = 30.0
_HOOKS = ("_get_brush_mask_and_bbox", "_apply_mask_to_data", "_calculate_cursor_size")


class Brush(QWidget):
    """The radius in mm, disk or ball, and the bounds of strokes: a range of intensities, or a mask.

    `size_row` and `bounds` hold the two; they may be laid out apart.
    """

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = workspace.layers.viewer
        self._mask: Labels | None = None
        self._is_sizing = False
        self.radius_mm = mm_spin(
            3.0, most=_MOST_RADIUS_MM, step=0.5, help_text=tr("Radius of the brush; round in millimetres.")
        )
        self.in_3d = QCheckBox(tr("Ball"))
        self.in_3d.setToolTip(tr("Paint on the neighbouring slices, too, with a ball instead of a disk."))
        self.image = LayerChoice(workspace.layers, kind=Image, is_optional=True)
        self.image.setToolTip(
            tr("Strokes change only voxels whose intensity in this image is in the range below.")
        )
        self.range = QLabeledDoubleRangeSlider()
        self.range.setToolTip(tr("Intensities that may be painted on, or erased."))
        self.within = LayerChoice(workspace.layers, is_optional=True)
        self.within.setToolTip(tr("Strokes change only voxels inside this mask, such as the tumour."))
        self.size_row, self.bounds = QWidget(), QWidget()
        self._lay_out()
        self.radius_mm.valueChanged.connect(self._on_size)
        self.in_3d.toggled.connect(self._on_size)
        self.image.chosen.connect(self._on_image)
        self._on_image()

    def hold(self, mask: Labels | None) -> None:
        """Paint on this mask from now on; the one before gets napari's own methods back."""
        if self._mask is not None:
            self._mask.events.brush_size.disconnect(self._on_napari_size)
            for name in _HOOKS:
                self._mask.__dict__.pop(name, None)
        self._mask = mask
        for part in (self.size_row, self.bounds):
            part.setEnabled(mask is not None)
        # The image layer is reused for the next case, with other intensities.
        self._on_image()
        if mask is not None and all(hasattr(mask, name) for name in _HOOKS):
            mask.__dict__["_get_brush_mask_and_bbox"] = self._covered
            mask.__dict__["_apply_mask_to_data"] = _Bounded(mask._apply_mask_to_data, self._allowed)
            mask.__dict__["_calculate_cursor_size"] = self._circle_mm
        if mask is not None:
            mask.events.brush_size.connect(self._on_napari_size)
        self._on_size()

    def refill(self) -> None:
        """Follow the layers of the viewer."""
        self.image.refill()
        self.within.refill()

    def _covered(
        self, coord: Sequence[float], dims_to_paint: list[int], _shape: list[int]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]] | None:
        """Replace napari's method: return the mask of one touch, and its first and stop index per axis."""
        assert self._mask is not None
        others = [axis for axis in range(self._mask.ndim) if axis not in dims_to_paint]
        # A disk is flat along the first axis in this order, whichever axis of the mask that is.
        order = [*others, *dims_to_paint]
        spacing_mm, shape = self._spacing_mm(), self._mask.data.shape
        box, mask = disk_mm(
            _three(spacing_mm, order),
            _three(coord, order),
            radius_mm=self.radius_mm.value(),
            shape=_three(shape, order),
            in_3d=not others,
        )
        if not mask.any():
            return None
        ends = box[len(others) :]
        first, stop = (np.array(numbers) for numbers in zip(*((e.start, e.stop) for e in ends), strict=True))
        return mask[0] if others else mask, first, stop

    def _allowed(self, box: tuple[slice, ...]) -> NDArray[np.bool_] | None:
        """Return where strokes may change a box of the mask; None for everywhere."""
        image, within = self.image.layer(), self.within.layer()
        shape = None if self._mask is None else self._mask.data.shape
        parts = []
        if image is not None and image.data.shape == shape:
            low, high = self.range.value()
            parts.append(within_range(image.data[box], low=low, high=high))
        if within is not None and within is not self._mask and within.data.shape == shape:
            parts.append(within.data[box] != 0)
        return None if not parts else np.logical_and.reduce(parts)

    def _spacing_mm(self) -> tuple[float, ...]:
        assert self._mask is not None
        return spacing_mm_of(self._mask)

    def follow_plane(self) -> None:
        """Keep the size in millimetres when another plane is shown, whose voxels are of another size."""
        self._on_size()

    def _on_size(self, *_: object) -> None:
        """Set napari's size, so that the circle at the pointer is as large as the brush."""
        if self._mask is None or self._is_sizing:
            return
        self._is_sizing = True
        self._mask.n_edit_dimensions = 3 if self.in_3d.isChecked() else 2
        self._mask.brush_size = max(1, round(2 * self.radius_mm.value() / self._unit_mm()))
        self._is_sizing = False

    def _on_napari_size(self, _event: object) -> None:
        """Follow napari's slider and keys, within the bounds of the box."""
        if self._mask is None or self._is_sizing:
            return
        before_mm, wanted_mm = self.radius_mm.value(), self._mask.brush_size * self._unit_mm() / 2
        self._is_sizing = True
        self.radius_mm.setValue(wanted_mm)
        if self.radius_mm.value() == before_mm:
            # A voxel may be smaller than the box can show, but a key must have an effect.
            step_mm = 10 ** -self.radius_mm.decimals()
            self.radius_mm.setValue(before_mm + (step_mm if wanted_mm > before_mm else -step_mm))
        self._is_sizing = False
        self._on_size()

    def _unit_mm(self) -> float:
        """The unit of napari's brush size: the smallest spacing in the plane that is shown."""
        axis, spacing_mm = shown_axis(self._viewer), self._spacing_mm()
        return min(length for number, length in enumerate(spacing_mm) if number != axis)

    def _circle_mm(self) -> float:
        return 2 * self.radius_mm.value()

    def _on_image(self) -> None:
        image = self.image.layer()
        self.range.setEnabled(image is not None)
        if image is not None:
            low, high = image.contrast_limits_range
            self.range.setRange(low, high)
            self.range.setValue((low, high))

    def _lay_out(self) -> None:
        lay(self.size_row, beside(QLabel(tr("Brush")), self.radius_mm, self.in_3d, wide=self.radius_mm))
        form = QFormLayout()
        form.addRow(tr("Only where"), self.image)
        form.addRow(tr("is"), self.range)
        form.addRow(tr("Only inside"), self.within)
        lay(self.bounds, form)
        lay(self, below(self.size_row, self.bounds))


def _three(numbers: Sequence[Any], order: list[int]) -> tuple[Any, Any, Any]:
    first, second, third = (numbers[axis] for axis in order)
    return first, second, third


class _Bounded:
    """Replaces napari's method that changes a box of a mask: only the allowed voxels are changed."""

    def __init__(self, change: Callable[..., Any], allowed: Callable[..., Any]) -> None:
        self._change = change
        self._allowed = allowed

    def __call__(  # noqa: PLR0917  # napari's order
        self,
        data: NDArray[Any],
        mask: NDArray[np.bool_],
        new_label: int,
        volume_slice: tuple[slice, ...],
    ) -> Any:
        allowed = self._allowed(volume_slice)
        kept = mask if allowed is None else mask & allowed
        return self._change(data, kept, new_label, volume_slice)
