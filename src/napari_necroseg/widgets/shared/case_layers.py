"""The layers of the open case: added, locked if an expert drew them, and never lost unasked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet, ref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps.standardize_color import transform_color
from napari.utils.notifications import Notification, notification_manager
from psygnal import Signal

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import to_translate, tr
from napari_necroseg.core.masks.edits import edit_between
from napari_necroseg.core.volume import SAME_GRID_TOLERANCE_VOXELS, Volume, Voxels
from napari_necroseg.jobs.cases import MaskToSave
from napari_necroseg.layerdata import (
    METADATA_KEY,
    MY_MASK,
    PREDICTION_COLOURS,
    Began,
    LayerData,
    LayerSource,
    Role,
    case_source,
    is_placeholder,
    mask_layer,
    placement,
    source_of,
)
from napari_necroseg.widgets.shared.aside import Aside
from napari_necroseg.widgets.shared.panes import Panes, shown_at_once

_OUTLINE_VOXELS = 1

# Layers that only show something: they are nobody's mask, and are never saved.
SHOWN_ONLY = (Role.ERRORS, Role.DISTANCE, Role.PREVIEW)
Kind = TypeVar("Kind", bound=Layer)
_PREDICTED = (Role.PREDICTION, Role.PROBABILITY, Role.UNCERTAINTY)
EXPERT_ROLES = (Role.REFERENCE, Role.TUMOUR)
COPY_TITLE = to_translate("Copy to my mask")
_HARMLESS = ("pan_zoom", "pick")
_MODE_HOOK = "_mode_setter_helper"


class CaseLayers:
    """Shows cases in a viewer, and knows which masks hold edits that were not saved."""

    # Emitted with a mask that has been saved, as it was when it was copied.
    saved = Signal(Layer)
    # Emitted before another case takes the place of the one that is shown, and when all of it is there, while
    # the canvas is still kept as it was.
    leaving = Signal()
    shown = Signal()
    # Emitted with a prediction whose outline was drawn anew.
    redrawn = Signal(Layer)

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self.panes = Panes(viewer)
        self.aside = Aside()
        # The voxels of each mask as they are on disk; None for a mask that is on no disk yet.
        self._saved: WeakKeyDictionary[Layer, Voxels | None] = WeakKeyDictionary()
        self._own: WeakSet[Layer] = WeakSet()
        # Layers of the person that have become masks of the case: they are removed with it, never reused.
        self._adopted: WeakSet[Layer] = WeakSet()
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._lock(layer)

    @property
    def viewer(self) -> ViewerModel:
        """The viewer; it outlives its docks."""
        viewer = self._viewer()
        assert viewer is not None
        return viewer

    def show(self, layers: Sequence[LayerData], *, first_slice: int) -> Iterator[None]:
        """Replace the layers of the last case by others, and look at a slice.

        Layers that this program did not make stay. The person must have been asked about unsaved masks
        before. Yields after each slow step of napari, so that events can be processed in between.
        """
        with shown_at_once(self.viewer):
            yield from self._show(layers, first_slice)

    def _show(self, layers: Sequence[LayerData], first_slice: int) -> Iterator[None]:
        viewer = self.viewer
        self.leaving.emit()
        self._put_tools_down()
        with self.panes.paused():
            old, left = self._reusable(layers), self._cases()
            ours = [one for one in viewer.layers if self._is_ours(one) or self._is_copy(one, left)]
            for layer in [one for one in ours if one not in old.values()]:
                if layer in viewer.layers:
                    viewer.layers.remove(layer)
                    yield
            for data in layers:
                reused = old.get(_role(data[1]["metadata"]))
                self._saved_as(self._add(data) if reused is None else self._reuse(reused, data))
                yield
        yield from self.panes.arrange()
        if viewer.layers.selection.active is None:
            # napari's buttons and keys act on the selected layer, which may have been removed.
            shown = [layer for layer in viewer.layers if layer.visible and not self.panes.is_mirror(layer)]
            viewer.layers.selection.active = shown[-1] if shown else None
        viewer.dims.ndisplay = 2
        viewer.fit_to_view()
        viewer.dims.set_current_step(0, first_slice)
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.canvas.overlays.scale_bar.gridded = True
        self.shown.emit()

    def add_all(self, layers: Sequence[LayerData]) -> Iterator[None]:
        """Add unsaved layers, one per step; the last becomes the active one."""
        with shown_at_once(self.viewer):
            with self.panes.paused():
                for data in layers:
                    self.add(data, is_saved=False)
                    yield
            yield from self.panes.arrange()

    def add(self, data: LayerData, *, is_saved: bool) -> Layer:
        """Add a layer to the open case, and make it the active one."""
        layer = self._add(data)
        if is_saved:
            self._saved_as(layer)
        else:
            self._saved[layer] = None
        return layer

    def keep_up(self, layer: Labels, voxels: Voxels) -> bool:
        """Replace the voxels of a mask that nobody has changed; False if it was drawn on or removed."""
        if layer not in self.viewer.layers or not self._is_saved(layer):
            return False
        layer.data = np.array(voxels)
        self._saved_as(layer)
        return True

    def redraw(self, layer: Labels, voxels: Voxels) -> None:
        """Replace the voxels of a mask that nobody has drawn on; it counts as saved as much as before."""
        layer.data = np.array(voxels)
        # As for a reused layer: an undo must not bring back strokes on other voxels.
        layer._reset_history()
        self.redrawn.emit(layer)

    def is_untouched(self, mine: Labels) -> bool:
        """Whether a person's mask is a copy of a prediction, or empty, as nobody has drawn on it."""
        source = source_of(mine.metadata)
        return source is not None and source.began is not Began.SAVED and self._is_saved(mine)

    def follow(self, mine: Labels, prediction: Labels) -> bool:
        """Copy a prediction into the person's mask; False if somebody has drawn on that, or saved it."""
        source, of = source_of(mine.metadata), source_of(prediction.metadata)
        if source is None or of is None or not self.is_untouched(mine):
            return False
        began = replace(source, began=Began.PREDICTION, run=of.run)
        mine.metadata = {**mine.metadata, METADATA_KEY: began}
        mine.data = np.asarray(prediction.data != 0).astype(np.uint8)
        mine._reset_history()
        self._saved_as(mine)
        return True

    def drop_predictions(self, case: str, *, but: Iterable[Layer]) -> None:
        """Remove what was predicted for a case, but for some layers that are to stay."""
        kept = set(but)
        for layer in self.find(case, _PREDICTED):
            if layer not in kept and layer in self._own:
                self.viewer.layers.remove(layer)

    def drop_placeholders(self) -> None:
        """Remove the placeholders of a case that will not be opened."""
        for layer in [one for one in self.viewer.layers if is_placeholder(one.metadata)]:
            self.viewer.layers.remove(layer)

    def mine(self, case: str) -> Labels | None:
        """Return the person's mask of a case, if there is one; a duplicate made in napari does not count."""
        found = self.find(case, [Role.LABELS])
        return next((one for one in found if isinstance(one, Labels) and one in self._saved), None)

    def new_mask(self, case: Case) -> Labels:
        """Return the person's mask of a case, or a new empty one: only one, since it is saved to one file."""
        return self._mask_for(case_source(case, Role.LABELS))

    def copy_to_mine(self, layer: Labels) -> Labels:
        """Copy a mask of a case into the person's mask, as an edit that can be undone."""
        source = source_of(layer.metadata)
        assert source is not None, "a mask of a case"
        mine = self._mask_for(replace(source, role=Role.LABELS, run=""))
        put_voxels(mine, np.asarray(layer.data != 0).astype(mine.data.dtype))
        mine.visible = True
        self.viewer.layers.selection.active = mine
        mine.mode = "paint"
        return mine

    def _mask_for(self, source: LayerSource) -> Labels:
        there = self.mine(source.case)
        if there is not None:
            self.viewer.layers.selection.active = there
            return there
        empty = Volume(np.zeros(source.grid.shape, np.uint8), source.grid)
        layer = self._add(mask_layer(empty, source, name=MY_MASK))
        self._saved_as(layer)
        assert isinstance(layer, Labels)
        return layer

    def lies_on(self, layer: Labels, case: Case) -> bool:
        """Whether a mask, whoever made it, has the shape and position of a case's images."""
        grid = case.grid
        if tuple(layer.data.shape) != grid.shape:
            return False
        source = source_of(layer.metadata)
        if source is not None:
            return source.grid.matches(grid)
        place = placement(grid)
        corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(grid.shape) - 1)
        wanted = corners * np.asarray(place["scale"]) + np.asarray(place["translate"])
        there = np.array([layer.data_to_world(corner) for corner in corners])
        return bool(np.abs(there - wanted).max() <= SAME_GRID_TOLERANCE_VOXELS * min(grid.spacing_mm))

    def adopt(self, layer: Labels, case: Case) -> LayerSource:
        """Make a mask that lies on a case one of its masks: it can be saved, and closing asks about it."""
        source = source_of(layer.metadata)
        # A mask that somebody draws on is no longer the expert's, even if it began as a duplicate of it.
        is_experts_copy = source is not None and source.role is Role.REFERENCE and layer not in self._own
        if source is None or source.case != case.name or is_experts_copy:
            source = case_source(case, Role.LABELS)
            layer.metadata = {**layer.metadata, METADATA_KEY: source}
        if layer not in self._saved and source.role not in SHOWN_ONLY:
            self._saved[layer] = None
            self._adopted.add(layer)
        return source

    def is_saved(self, layer: Labels) -> bool:
        """Whether the mask on disk covers the same voxels, whichever labels they have."""
        saved = self._saved.get(layer)
        return (
            saved is not None
            and saved.shape == layer.data.shape
            and np.array_equal(saved != 0, np.asarray(layer.data) != 0)
        )

    def masks(self) -> list[Labels]:
        """Return all label layers but the mirrors, from the lowest to the topmost."""
        return self.of_kind(Labels)

    def of_kind(self, kind: type[Kind]) -> list[Kind]:
        """Return all layers of a kind but the mirrors, from the lowest to the topmost."""
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, kind) and not self.panes.is_mirror(layer)
        ]

    def find(self, case: str, roles: Sequence[Role]) -> list[Layer]:
        """Return the layers of a case with one of these roles: the first role first, the newest first."""
        found = []
        for role in roles:
            for layer in reversed(list(self.viewer.layers)):
                source = source_of(layer.metadata)
                if source is not None and (source.case, source.role) == (case, role):
                    found.append(layer)
        return [layer for layer in found if not self.panes.is_mirror(layer)]

    def unsaved(self) -> list[Labels]:
        """Return the masks of the open case that differ from those on disk."""
        return [
            layer
            for layer in self.masks()
            if layer in self._saved and not self.is_saved(layer) and _role(layer.metadata) not in SHOWN_ONLY
        ]

    def mark_saved(self, masks: Iterable[MaskToSave]) -> None:
        """Remember the saved voxels; strokes since they were copied are still unsaved."""
        voxels_of = {mask.key: mask.voxels for mask in masks}
        for layer in self.masks():
            if id(layer) in voxels_of:
                self._saved[layer] = voxels_of[id(layer)]
                _note_saved(layer)
                self.saved.emit(layer)

    def _put_tools_down(self) -> None:
        """Switch off drawing, so that the first click on the next case draws nothing."""
        for layer in self.viewer.layers:
            polygon: Any = layer._overlays.get("polygon")
            if polygon is not None:
                # The corners of one that was not closed would lie on the next case.
                polygon.points = []
            if layer.mode != "pan_zoom":
                layer.mode = "pan_zoom"

    def _on_inserted(self, event: Any) -> None:
        self._lock(event.value)
        if source_of(event.value.metadata) is not None:
            event.value.events.mode.connect(_keep_in_place)

    def _lock(self, layer: Layer) -> None:
        """Lock an expert's mask and its mirror; a duplicate that somebody made can be changed."""
        is_original = layer in self._own or self.panes.is_mirror(layer) or layer.source.reader_plugin
        if isinstance(layer, Labels) and is_expert(layer) and is_original:
            lock(layer, partial(self.copy_to_mine, layer))

    def _cases(self) -> set[str]:
        """The cases whose layers are shown; napari's duplicates of these show a patient, too."""
        return {case for case in map(_case_of, self._own) if case}

    def _is_copy(self, layer: Layer, cases: set[str]) -> bool:
        """Whether somebody has duplicated a layer of these cases; a mirror stays with the mask it repeats."""
        return _case_of(layer) in cases and not self.panes.is_mirror(layer)

    def _is_ours(self, layer: Layer) -> bool:
        return layer in self._own or layer in self._adopted or is_placeholder(layer.metadata)

    def _reusable(self, new: Sequence[LayerData]) -> dict[Role | None, Layer]:
        """Find the layers of the last case whose role the next one has, too.

        Removing a layer and adding another takes napari a third of a second; giving it other voxels takes a
        tenth of that, and keeps the person's settings, such as the outline.
        """
        roles = {_role(kwargs["metadata"]) for _, kwargs, _ in new}.difference(_PREDICTED)
        own = [layer for layer in self.viewer.layers if layer in self._own]
        return {role: layer for layer in reversed(own) if (role := _role(layer.metadata)) in roles}

    def _reuse(self, layer: Layer, data: LayerData) -> Layer:
        voxels, kwargs, _ = data
        layer.metadata = kwargs["metadata"]
        layer.data = voxels
        _straighten(layer)
        # Somebody may have named the layer of the last case.
        layer.name = kwargs["name"]
        layer.scale, layer.translate = kwargs["scale"], kwargs["translate"]
        if isinstance(layer, Labels):
            # napari keeps the history of the last voxels, and an undo would write them into these. There is
            # no public way to clear it.
            layer._reset_history()
        elif isinstance(layer, Image):
            _set_contrast(layer, kwargs["contrast_limits"])
        return layer

    def _is_saved(self, layer: Labels) -> bool:
        saved = self._saved[layer]
        if saved is None:
            return False
        return saved.shape == layer.data.shape and np.array_equal(saved, layer.data)

    def _saved_as(self, layer: Layer) -> None:
        if isinstance(layer, Labels):
            self._saved[layer] = np.array(layer.data)

    def _add(self, data: LayerData) -> Layer:
        voxels, kwargs, kind = data
        kwargs = self._in_own_colour(kwargs)
        layer = Image(voxels, **kwargs) if kind == "image" else Labels(voxels, **kwargs)
        if isinstance(layer, Labels):
            layer.contour = _OUTLINE_VOXELS
            layer.opacity = 1.0
        else:
            _set_contrast(layer, kwargs["contrast_limits"])
        self._own.add(layer)
        # Its mirror is added with it, and the panes are set after both.
        with shown_at_once(self.viewer):
            return self.viewer.add_layer(layer)

    def _in_own_colour(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give a further prediction of the case another colour than those before it."""
        if _role(kwargs["metadata"]) is not Role.PREDICTION:
            return kwargs
        masks = [layer for layer in self.masks() if _role(layer.metadata) is Role.PREDICTION]
        taken = [tuple(np.round(np.asarray(layer.get_color(1)), 2)) for layer in masks]
        free = [one for one in PREDICTION_COLOURS if tuple(np.round(transform_color(one)[0], 2)) not in taken]
        colour = free[0] if free else PREDICTION_COLOURS[len(masks) % len(PREDICTION_COLOURS)]
        return kwargs | {"colormap": {**kwargs["colormap"], 1: colour}}


def _case_of(layer: Layer) -> str:
    source = source_of(layer.metadata)
    # A mask that napari has read names its own file.
    return "" if source is None or layer.source.reader_plugin else source.case


def _keep_in_place(event: Any) -> None:
    """Put napari's tool that moves a layer down: what is drawn would no longer be where it is seen."""
    if str(event.source.mode) == "transform":
        event.source.mode = "pan_zoom"


def _straighten(layer: Layer) -> None:
    """Undo what another program has turned or moved; each of these takes napari a while."""
    if not np.array_equal(np.asarray(layer.affine), np.eye(layer.ndim + 1)):
        layer.affine = np.eye(layer.ndim + 1)
    if not np.array_equal(layer.rotate, np.eye(layer.ndim)):
        layer.rotate = np.eye(layer.ndim)
    if np.any(layer.shear):
        layer.shear = np.zeros_like(layer.shear)


def put_voxels(layer: Labels, voxels: Voxels) -> None:
    """Replace all voxels ``(Z, Y, X)`` of a mask, as one edit that can be undone."""
    edit = edit_between(layer.data, voxels)
    if edit is not None:
        layer.data_setitem(edit.indices(), edit.values())


def _role(metadata: dict[str, Any]) -> Role | None:
    source = source_of(metadata)
    return None if source is None else source.role


def _note_saved(layer: Labels) -> None:
    """Note that the person's mask is on disk, so that it follows no prediction any more."""
    source = source_of(layer.metadata)
    if source is not None and source.role is Role.LABELS:
        layer.metadata = {**layer.metadata, METADATA_KEY: replace(source, began=Began.SAVED)}


def _set_contrast(image: Image, limits: tuple[float, float]) -> None:
    """Set the contrast, and let its slider reach all intensities."""
    lowest, highest = float(image.data.min()), float(image.data.max())
    image.contrast_limits_range = (min(lowest, limits[0]), max(highest, limits[1]))
    image.contrast_limits = limits


def is_expert(layer: Layer) -> bool:
    """Whether a layer shows an expert's mask of a case."""
    source = source_of(layer.metadata)
    return isinstance(layer, Labels) and source is not None and source.role in EXPERT_ROLES


def lock(layer: Labels, copy: Callable[[], object]) -> None:
    """Let nobody draw on a layer; `copy` is called by the button that is offered.

    napari makes a layer editable again when it gets other voxels, so it is locked again then. napari does not
    say, nor report by an event, that a locked layer refuses a tool, so the method that refuses is wrapped.
    """
    if _MODE_HOOK in layer.__dict__:
        return
    refuse: Callable[[Any], Any] = layer._mode_setter_helper

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
    text = tr("Locked: {name} is an expert's mask. Draw on a copy.", name=layer.name)
    # napari passes the notification to it, whatever its types say.
    actions: Any = ((tr(COPY_TITLE), lambda _notification: copy()),)
    notification_manager.dispatch(Notification(text, "info", actions))
