"""An expert's mask stays as it is: its layers cannot be drawn on, and a copy is offered to whoever tries."""

from collections.abc import Callable
from typing import Any

from napari.layers import Labels, Layer
from napari.utils.notifications import Notification, notification_manager

from napari_necroseg.layerdata import Role, source_of

EXPERT_ROLES = (Role.REFERENCE, Role.TUMOUR)
COPY_TITLE = "Copy to my mask"
_HARMLESS = ("pan_zoom", "pick")
_MODE_HOOK = "_mode_setter_helper"


def is_expert(layer: Layer) -> bool:
    """Whether a layer shows an expert's mask of a case."""
    source = source_of(layer.metadata)
    return isinstance(layer, Labels) and source is not None and source.role in EXPERT_ROLES


def lock(layer: Labels, copy: Callable[[], object]) -> None:
    """Let nobody draw on a layer; `copy` is what the offered button does.

    napari makes a layer editable again with other voxels, so it is locked whenever that happens. It says
    nothing when a tool is chosen for a locked layer, and its public part tells nobody: the method that
    refuses is asked first, and says why.
    """
    if _MODE_HOOK in layer.__dict__:
        return
    refuse = layer._mode_setter_helper

    def choose(mode: Any) -> Any:
        if str(mode) not in _HARMLESS:
            _offer(layer, copy)
        return refuse(mode)

    def keep(_event: object = None) -> None:
        if layer.editable:
            layer.editable = False

    layer.mode = "pan_zoom"
    keep()
    layer.events.editable.connect(keep)
    layer.__dict__[_MODE_HOOK] = choose


def _offer(layer: Labels, copy: Callable[[], object]) -> None:
    text = f"Locked: {layer.name} is an expert's mask. Draw on a copy."
    actions = ((COPY_TITLE, lambda _notification: copy()),)
    notification_manager.dispatch(Notification(text, "info", actions))
