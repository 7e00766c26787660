"""Keeps every stroke in a journal: the first stroke on a mask of the open case begins one.

This works for every layer and without any dock, since it hangs on the layers of the workspace. Unsaved
strokes of a journal are offered when its case is opened again.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, finalize

from napari.layers import Labels
from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QObject

from napari_necroseg.core.case import Case
from napari_necroseg.core.language import to_translate, tr
from napari_necroseg.core.project.journal_writer import LATE_S, End, JournalWriter
from napari_necroseg.core.volume import Volume, Voxels
from napari_necroseg.layerdata import MY_MASK, Role, case_source, mask_layer, source_of
from napari_necroseg.widgets.shared.case_layers import SHOWN_ONLY, CaseLayers, put_voxels
from napari_necroseg.widgets.shared.journalled_mask import JournalledMask
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.worker import NewestOnly

if TYPE_CHECKING:
    from napari_necroseg.core.project.journal import Journal, Recovered
    from napari_necroseg.core.project.journal_folder import JournalFolder, KeptStrokes

_LOOK_MS = 500
# Before a case is left for later, its strokes are waited for that long.
_KEEP_S, _KEEP_TRIES = 0.05, 40
# The longest wait for a journal to be closed before kept strokes are looked up.
_LONGEST_END_S = 20.0
REMOVED = to_translate("Mask removed; its strokes are kept: take it back?")
SAFE_AGAIN = to_translate("All that you drew is on disk again.")


class Journalling(QObject):
    """Journals every mask of the open case that is changed by hand; `kept` lists unsaved strokes of earlier.

    `changed` is emitted when `kept` has changed, `drawn` with a mask when a hand draws on it, on another than
    before or for the first time in this case, `told` with a sentence for the person: strokes are not on disk,
    or are again, or a mask was removed.
    """

    changed = Signal()
    drawn = Signal(Labels)
    told = Signal(str)

    def __init__(self, layers: CaseLayers) -> None:
        super().__init__()
        self._layers = layers
        self._place: _Place | None = None
        self._held: dict[Labels, JournalledMask] = {}
        self._writers: list[JournalWriter] = []
        # Layers that were changed by hand; those changed before a case was open; those whose strokes are
        # not wanted; those that do not fit the case, which has been said; and those that are watched.
        self._touched, self._early, self._unwanted, self._misfits, self._watched = _layer_sets()
        self._by_program = 0
        self._is_late = False
        self.kept: tuple[KeptStrokes, ...] = ()
        self._lookups = NewestOnly(self, thread="necroseg-lookup")
        self._clock = timer(self, _LOOK_MS, act=self._on_clock)
        self._clock.setSingleShot(False)
        self._begins: list[Labels] = []
        self._last: Labels | None = None
        self._begin_soon = timer(self, 0, act=self._begin_all)
        self._look_soon = timer(self, 0, act=self.look_up)
        self._look_again = timer(self, _LOOK_MS, act=self.look_up)
        self._connect()

    def _connect(self) -> None:
        layers = self._layers
        self._lookups.done.connect(self._on_looked_up)
        self._lookups.failed.connect(self._on_lookup_failed)
        layers.leaving.connect(self.leave)
        layers.saved.connect(self._on_saved)
        viewer = layers.viewer
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in layers.masks():
            self._watch(layer)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.leave)
        # Threads that outlive the viewer would wait for ever.
        finalize(self, _stop, self._lookups.stop_flag(), self._writers)

    def open(self, case: Case, labels: Path | None) -> None:
        """Journal all strokes on a case from now on, beside its project's masks or without a project."""
        self.leave()
        self._place = _Place(case, labels)
        for layer in list(self._early):
            if layer in self._layers.viewer.layers and self._layers.lies_on(layer, case):
                self._begin_later(layer, case)
        self._early.clear()
        self.look_up()

    def leave(self) -> None:
        """Close the journals: another case takes the place of this one."""
        self._begin_all()
        for layer in list(self._held):
            self._end(layer)
        self._place, self.kept, self._last = None, (), None

    def look_up(self) -> None:
        """Look for strokes to take back."""
        place = self._place
        if place is not None:
            self._writers[:] = [writer for writer in self._writers if not writer.is_over]
            held = {one.writer for one in self._held.values()}
            ending = tuple(writer for writer in self._writers if writer not in held)
            self._lookups.ask(partial(_looked_up, place, ending))

    def of(self, layer: Labels | None) -> JournalledMask | None:
        """Return the journalled mask of a layer; None if nobody has drawn on it."""
        return None if layer is None else self._held.get(layer)

    def unsaved(self) -> list[Labels]:
        """Return the masks of the open case with unsaved strokes by hand."""
        return [layer for layer in self._layers.unsaved() if layer in self._touched]

    def give_up(self, layers: Iterable[Labels]) -> None:
        """Note that the strokes on these are not wanted: leaving the case puts their journals aside."""
        self._unwanted.update(layers)

    def not_kept(self) -> str:
        """Have all strokes written now; return the reason if some are not on disk, empty if all are."""
        self._begin_all()
        for held in list(self._held.values()):
            held.look()
            for _ in range(_KEEP_TRIES):
                if held.writer.problem or held.writer.wait(_KEEP_S):
                    break
            if held.writer.problem or held.writer.seconds_behind:
                return held.writer.problem or tr("The disk is slow.")
        return ""

    def settle(self, layer: Labels) -> None:
        """Put the strokes on a layer aside: they are not wanted, or were added to another layer."""
        self.give_up([layer])
        if layer in self._held:
            self._end(layer)

    def forget(self, layer: Labels) -> None:
        """Note that a mask is as it was before anybody drew on it."""
        self._touched.discard(layer)
        self._unwanted.discard(layer)
        self._last = None

    @contextmanager
    def by_program(self) -> Iterator[None]:
        """Change masks without the change counting as strokes by hand."""
        self._by_program += 1
        try:
            yield
        finally:
            self._by_program -= 1

    def hold(self, layer: Labels, journal: "Journal") -> None:
        """Keep a mask in a journal that was begun already, unless it has one."""
        if layer in self._held:
            journal.discard()
            return

        def begin(voxels: Voxels) -> "Journal":
            journal.restart(voxels)
            return journal

        self._hold(layer, begin)

    @property
    def is_open(self) -> bool:
        """Whether a case is open, and none is just taking its place."""
        return self._place is not None

    @property
    def trouble(self) -> str:
        """The reason why strokes are not on disk now; empty while they are."""
        problems = (held.writer.problem for held in self._held.values())
        return next((_told(problem) for problem in problems if problem), "")

    def folder_later(self) -> "Callable[[], JournalFolder]":
        """Return a function, for a thread, that returns the folder of the open case's journals."""
        place = self._place
        assert place is not None, "a case is open"
        return lambda: place.folder

    def put_back(self, case: Case, kept: "KeptStrokes", *, journal: "Journal", found: "Recovered") -> Labels:
        """Show strokes that were taken back: in the person's mask, or in a layer like their own."""
        mine = self._layers.mine(case.name)
        if kept.is_own and (mine is None or mine not in self._held):
            layer = self._layers.new_mask(case)
            with self.by_program():
                put_voxels(layer, found.voxels)
        else:
            layer = self._new_layer(case, kept, voxels=found.voxels)
        self._touched.add(layer)
        self.hold(layer, journal)
        self.kept = tuple(one for one in self.kept if one.path != kept.path)
        self.changed.emit()
        return layer

    def _new_layer(self, case: Case, kept: "KeptStrokes", *, voxels: Voxels) -> Labels:
        noted = kept.note.get("role", Role.LABELS)
        role = Role(noted) if noted in set(Role) and noted not in SHOWN_ONLY else Role.LABELS
        source = case_source(case, role, run=kept.note.get("run", ""))
        name = kept.note.get("layer", MY_MASK)
        layer = self._layers.add(mask_layer(Volume(voxels, case.grid), source, name=name), is_saved=False)
        assert isinstance(layer, Labels)
        return layer

    def _watch(self, layer: Any) -> None:
        if isinstance(layer, Labels) and layer not in self._watched:
            self._watched.add(layer)
            layer.events.paint.connect(self._on_hand)
            layer.events.labels_update.connect(self._on_hand)

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _on_hand(self, event: Any) -> None:
        layer, place = event.source, self._place
        if self._by_program or self._layers.panes.is_mirror(layer):
            return
        if place is None:
            self._early.add(layer)
        elif layer in self._held or layer in self._begins:
            self._touched.add(layer)
            self._unwanted.discard(layer)
            self._tell_drawn(layer)
        elif self._layers.lies_on(layer, place.case):
            self._begin_later(layer, place.case)
            self._tell_drawn(layer)
        else:
            self._tell_misfit(layer, place.case)

    def _tell_drawn(self, layer: Labels) -> None:
        if layer is not self._last:
            self._last = layer
            self.drawn.emit(layer)

    def _begin_later(self, layer: Labels, case: Case) -> None:
        """Make a mask one of the case; napari may report a stroke before it has changed the mask."""
        self._layers.adopt(layer, case)
        self._touched.add(layer)
        self._unwanted.discard(layer)
        self._begins.append(layer)
        self._begin_soon.start()

    def _begin_all(self) -> None:
        begins, self._begins = self._begins, []
        for layer in begins:
            self._begin(layer)

    def _begin(self, layer: Labels) -> None:
        place, source = self._place, source_of(layer.metadata)
        if place is None or source is None or layer in self._held:
            return
        note = {
            "layer": layer.name,
            "role": str(source.role),
            "run": source.run,
            "began": str(source.began),
        }
        self._hold(layer, partial(_begun, place=place, note=note, is_own=source.role is Role.LABELS))

    def _hold(self, layer: Labels, begin: "Callable[[Voxels], Journal]") -> None:
        place = self._place
        assert place is not None, "a case is open"
        source = source_of(layer.metadata)
        is_own = source is not None and source.role is Role.LABELS
        draft = partial(_draft, place=place) if is_own and place.labels is not None else None
        held = JournalledMask(layer, begin, draft=draft, parent=self)
        held.told.connect(self._on_told)
        self._held[layer] = held
        self._writers.append(held.writer)
        self._clock.start()

    def _end(self, layer: Labels) -> None:
        held = self._held.pop(layer)
        is_wanted = layer in self._touched and not self._layers.is_saved(layer)
        what = End.DISCARD if not is_wanted else End.ASIDE if layer in self._unwanted else End.KEEP
        held.end(what)
        held.deleteLater()
        if not self._held:
            self._clock.stop()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        self._begin_all()
        if layer not in self._held:
            return
        is_kept = layer in self._touched and not self._layers.is_saved(layer) and layer not in self._unwanted
        self._end(layer)
        if is_kept:
            self.told.emit(REMOVED)
        self._look_soon.start()

    def _on_saved(self, layer: Any) -> None:
        """Close the journal of a saved mask; the next stroke begins another one."""
        held = self._held.get(layer)
        if held is None:
            return
        held.look()
        if self._layers.is_saved(layer):
            self._end(layer)
            self._touched.discard(layer)

    def _on_told(self, message: str) -> None:
        self.told.emit(_told(message) if message else SAFE_AGAIN)

    def _on_clock(self) -> None:
        writers = [held.writer for held in self._held.values()]
        behind = max((writer.seconds_behind for writer in writers if not writer.problem), default=0.0)
        if behind > LATE_S and not self._is_late:
            self._is_late = True
            self.told.emit(
                tr(
                    "The disk is slow: your last {n:.0f} s of drawing are not on it yet. Drawing goes on.",
                    n=behind,
                )
            )
        elif self._is_late and not behind:
            self._is_late = False
            self.told.emit(SAFE_AGAIN)

    def _on_looked_up(self, found: "tuple[_Place, tuple[KeptStrokes, ...]]") -> None:
        place, kept = found
        if place is self._place:
            held = {one.path for one in self._held.values()}
            self.kept = tuple(one for one in kept if one.path not in held)
            self.changed.emit()
            if None in held and any(one.is_elsewhere for one in self.kept):
                # It may be the journal that is just being begun here.
                self._look_again.start()

    def _on_lookup_failed(self, message: str) -> None:
        self.told.emit(message)

    def _tell_misfit(self, layer: Labels, case: Case) -> None:
        if layer not in self._misfits:
            self._misfits.add(layer)
            self.told.emit(
                tr(
                    "What you draw on the layer “{layer}” is not kept safe: it does not lie on the image "
                    "grid of {case}. Draw on a new mask of the case.",
                    layer=layer.name,
                    case=case.name,
                )
            )


def _told(problem: str) -> str:
    return tr("{problem} Drawing goes on, and writing is tried again.", problem=problem)


class _Place:
    """A case and the folder of its journals; the folder is found in a thread, since it may read the image."""

    def __init__(self, case: Case, labels: Path | None) -> None:
        self.case, self.labels = case, labels

    @cached_property
    def folder(self) -> "JournalFolder":
        from napari_necroseg.core.project.journal_folder import JournalFolder

        if self.labels is None:
            return JournalFolder.of_image(self.case)
        return JournalFolder.of_project(self.labels, self.case.name, grid=self.case.grid)


def _begun(voxels: Voxels, *, place: _Place, note: dict[str, str], is_own: bool) -> "Journal":
    return place.folder.begin(voxels, is_own=is_own, note=note)


def _draft(journal: Path, voxels: Voxels | None, *, place: _Place) -> None:
    """Write the draft of the person's mask; a second layer of that kind has none."""
    if journal == place.folder.own:
        place.folder.write_draft(voxels, place.case.origin)


def _looked_up(place: _Place, ending: tuple[JournalWriter, ...]) -> "tuple[_Place, tuple[KeptStrokes, ...]]":
    for writer in ending:
        writer.wait(_LONGEST_END_S)
    return place, place.folder.kept()


def _layer_sets() -> tuple["WeakSet[Labels]", ...]:
    return tuple(WeakSet() for _ in range(5))


def _stop(stop_lookups: Callable[[], None], writers: list[JournalWriter]) -> None:
    stop_lookups()
    for writer in writers:
        writer.end(End.KEEP)
