"""A layer that repeats a mask in the other pane: same array, same looks, not editable."""

from typing import Any
from weakref import ref

from napari.layers import Labels

_LOOKS = (
    "colormap",
    "contour",
    "opacity",
    "blending",
    "show_selected_label",
    "selected_label",
    "visible",
    "scale",
    "translate",
)
# The end of a stroke or polygon emits the first, undo and redo the second one; pieces of a stroke neither.
_EDITS = ("paint", "set_data")


class Mirror:
    """Follows a mask for as long as both are in the viewer.

    Parameters
    ----------
    base
        The mask; edits and looks go from it to `layer`, never back.
    """

    def __init__(self, base: Labels) -> None:
        self._base = ref(base)
        self.layer = Labels(
            base.data,
            name=f"{base.name} (on T2)",
            units=base.units,
            axis_labels=base.axis_labels,
            metadata=dict(base.metadata),
        )
        self.layer.editable = False
        for name in _LOOKS:
            setattr(self.layer, name, getattr(base, name))
            getattr(base.events, name).connect(self._copy_look)
        for name in _EDITS:
            getattr(base.events, name).connect(self._redraw)
        base.events.labels_update.connect(self._redraw_part)
        base.events.data.connect(self._take_data)

    def release(self) -> None:
        """Stop following."""
        base = self._base()
        if base is None:
            return
        for name in _LOOKS:
            getattr(base.events, name).disconnect(self._copy_look)
        for name in _EDITS:
            getattr(base.events, name).disconnect(self._redraw)
        base.events.labels_update.disconnect(self._redraw_part)
        base.events.data.disconnect(self._take_data)

    def _copy_look(self, event: Any) -> None:
        setattr(self.layer, event.type, getattr(self._base(), event.type))

    def _redraw(self, _event: Any) -> None:
        self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _redraw_part(self, event: Any) -> None:
        """Show a piece of a stroke: all of the slice for each move of the mouse takes napari too long."""
        self.layer.events.labels_update(data=event.data, offset=event.offset)

    def _take_data(self, _event: Any) -> None:
        base = self._base()
        if base is not None:
            self.layer.metadata = dict(base.metadata)
            self.layer.data = base.data
            self.layer.editable = False
