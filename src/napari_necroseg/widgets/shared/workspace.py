"""The state that the docks of one viewer share, and how its masks are saved before it is left."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import show_error
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.labels_folder import LABELS_FOLDER, corrected_path
from napari_necroseg.core.language import tr
from napari_necroseg.jobs import cases
from napari_necroseg.jobs.cases import MaskToSave
from napari_necroseg.jobs.read_case import ReadAhead
from napari_necroseg.layerdata import LayerSource, Role, source_of
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.case_layers import CaseLayers
from napari_necroseg.widgets.shared.cross_hair import CrossHair
from napari_necroseg.widgets.shared.journalling import Journalling
from napari_necroseg.widgets.shared.tools import ToolRack
from napari_necroseg.widgets.shared.worker import explain

if TYPE_CHECKING:
    from napari_necroseg.core.project.case_states import CaseState

_END = object()
_workspaces: "WeakKeyDictionary[ViewerModel, Workspace]" = WeakKeyDictionary()


class Stepper(QObject):
    """Runs one iterator at a time, a step whenever Qt has no other event to handle."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: Iterator[None] | None = None
        # Begun by a step of the one that runs.
        self._waiting: list[Iterator[None]] = []
        self._is_within_step = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_time)

    @property
    def is_busy(self) -> bool:
        """Whether steps are left."""
        return self._steps is not None

    def start(self, steps: Iterator[None]) -> None:
        """Begin an iterator; the one before is finished first: at once, or in turn if a step of it asks."""
        if self._is_within_step:
            self._waiting.append(steps)
            return
        self.finish()
        self._steps = steps
        self._timer.start(0)

    def finish(self) -> None:
        """Do all remaining steps at once; a step of its own cannot do that."""
        while self._steps is not None and not self._is_within_step:
            self._step()

    def drop(self) -> None:
        """Drop the remaining steps: the viewer goes away."""
        self._waiting.clear()
        self._steps = None

    def _on_time(self) -> None:
        try:
            self._step()
        finally:
            if self._steps is not None:
                # Begun anew after each step: timers of others that are due come first.
                self._timer.start(0)

    def _step(self) -> None:
        steps = self._steps
        if steps is None:
            return
        # An iterator that fails is over, too.
        self._is_within_step = is_over = True
        try:
            is_over = next(steps, _END) is _END
        finally:
            self._is_within_step = False
            if is_over and self._steps is steps:
                self._steps = self._waiting.pop(0) if self._waiting else None


class Workspace:
    """The state shared by the docks of a viewer; `Workspace.of` returns the one of a viewer.

    `cohort_changed`, `case_changed`, `augment_changed`, `run_changed`: emitted when another cohort or case is
    open, an augmentation was chosen for training, or another model was trained or chosen. `models_changed`:
    emitted when there may be more models on disk, none of which was chosen. `case_wanted`: emitted with the
    name of a case of the cohort that is to be opened. `improvement_wanted`: emitted with the names of the
    cases to train the newest model on next. `step_wanted`: emitted with the name of a step of the panel that
    is to be shown. `hand_changed`: emitted when `in_hand`, the mask that the person works on, is another one,
    or whether it is signed off has changed; `signed` says by whom and when. `hand_claimed`: emitted with the
    parts that take masks in hand from now on (only one dock does), or None. `opening`: the name of the case
    that is being opened; empty while none is. `case_folder`: the project folder that the open case belongs
    to, also while another project is being opened; None for a case in no project. `layers`: the layers of the
    open case. `cross_hair`: where its planes meet. `journalling`: keeps the strokes on the layers. `ahead`:
    the case that was read ahead. `tools`: all tools for the mask. `screen`: adds the layers one at a time, so
    that the viewer stays usable.
    """

    cohort_changed = Signal()
    case_changed = Signal()
    augment_changed = Signal()
    run_changed = Signal()
    models_changed = Signal()
    case_wanted = Signal(str)
    improvement_wanted = Signal(tuple)
    step_wanted = Signal(str)
    # Emitted with folders, a table or files that are to be opened as a project; when masks, sign-offs or
    # predictions on disk may have changed; and when `states` has changed.
    paths_wanted = Signal(tuple)
    files_changed = Signal()
    states_changed = Signal()
    hand_changed = Signal()
    hand_claimed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        self.layers = CaseLayers(viewer)
        self.cross_hair = CrossHair(self.layers)
        self.journalling = Journalling(self.layers)
        self.screen = Stepper()
        self.cohort: Cohort | None = None
        self.cohort_path: Path | None = None
        self.case: Case | None = None
        self.case_folder: Path | None = None
        self.opening = ""
        self.case_files: CaseFiles | None = None
        # One for each of the parts that open cases and projects; those of the first do it.
        self.openers: list[object] = []
        # What each case of the cohort has, as far as that was looked up.
        self.states: Mapping[str, CaseState] = {}
        self.augment: AugmentConfig | None = None
        self.run: Path | None = None
        # Whether a panel is open, whose steps are shown in place of docks.
        self.has_panel = False
        # The models that are known on this computer, those of other projects included.
        self.known_runs: tuple[Path, ...] = ()
        self.in_hand: Labels | None = None
        self.signed = ""
        self._claimed: ref[object] | None = None
        self.ahead = ReadAhead()
        self.tools = ToolRack()

    @classmethod
    def of(cls, viewer: ViewerModel) -> "Workspace":
        """Return the workspace of a viewer, made at the first call; napari's proxies are looked through."""
        viewer = unwrapped(viewer)
        if viewer not in _workspaces:
            _workspaces[viewer] = cls(viewer)
            _guard(viewer, _workspaces[viewer])
        return _workspaces[viewer]

    @property
    def folder(self) -> Path | None:
        """The project folder: where ``cohort.csv`` is."""
        return None if self.cohort_path is None else self.cohort_path.parent

    @property
    def input_files(self) -> tuple[Path, ...]:
        """The images and the expert's masks of the open case."""
        return () if self.case_files is None else tuple(self.case_files.paths.values())

    def masks_to_save(self, parent: QWidget, layers: list[Labels]) -> list[MaskToSave] | None:
        """Copy masks of the open case, each with its file; see the function of this name."""
        return masks_to_save(parent, layers, folder=self.case_folder, kept=self.input_files)

    def set_cohort(self, cohort: Cohort, path: Path | None) -> None:
        """Open a cohort; `path` is its table, or None for a pair that was opened by hand."""
        if path != self.cohort_path:
            self.states = {}
        self.cohort, self.cohort_path = cohort, path
        self.cohort_changed.emit()

    def set_case(self, case: Case, files: CaseFiles | None) -> None:
        """Set the case that is shown; `files` is its row, or None for one that was never in files."""
        self.case, self.case_files, self.case_folder = case, files, self.folder
        self.cross_hair.forget()
        self.journalling.open(case, None if self.folder is None else self.folder / LABELS_FOLDER)
        self.case_changed.emit()

    def set_states(self, states: Mapping[str, "CaseState"]) -> None:
        """Set what each case of the open cohort has."""
        self.states = states
        self.states_changed.emit()

    def set_augment(self, augment: AugmentConfig) -> None:
        """Set the augmentation of the next training, in place of its preset's."""
        self.augment = augment
        self.augment_changed.emit()

    def set_known_runs(self, runs: tuple[Path, ...]) -> None:
        """Set the models that are known on this computer, those of other projects included."""
        if runs != self.known_runs:
            self.known_runs = runs
            self.models_changed.emit()

    def set_hand(self, mask: Labels | None) -> None:
        """Set the mask that the person works on."""
        if mask is not self.in_hand:
            self.in_hand, self.signed = mask, ""
            self.hand_changed.emit()

    def claim_hand(self, parts: object | None) -> None:
        """Let these parts take masks in hand from now on, and no others; None: any that are there may."""
        self._claimed = None if parts is None else ref(parts)
        self.hand_claimed.emit(parts)

    def has_hand(self, parts: object) -> bool:
        """Whether these parts are those that take masks in hand."""
        return self._claimed is not None and self._claimed() is parts

    def set_signed(self, signed: str) -> None:
        """Set by whom the mask in hand is signed off, in words; empty if it is not."""
        if signed != self.signed:
            self.signed = signed
            self.hand_changed.emit()

    def set_run(self, run: Path) -> None:
        """Set the model to use next."""
        self.run = run
        self.run_changed.emit()


def _guard(viewer: ViewerModel, workspace: Workspace) -> None:
    """Make the viewer's window, if it has one, ask before it is closed."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is not None:
        CloseGuard(window, workspace)


def unwrapped(viewer: ViewerModel) -> ViewerModel:
    """Return the viewer itself; plugins get a proxy, which cannot be a key."""
    model: ViewerModel = getattr(viewer, "__wrapped__", viewer)
    return model


def masks_to_save(
    parent: QWidget, layers: list[Labels], *, folder: Path | None, kept: Iterable[Path] = ()
) -> list[MaskToSave] | None:
    """Copy masks, each with the file that it goes to; None if the person gave up a file dialog.

    The newest mask comes last: of two that go to one file, such as two predictions of one model, the older is
    kept beside it as an earlier version. Without a project folder the person is asked for each file. `kept`
    are the images and the expert's masks of the case, which are never written to.

    Raises FileError if a layer does not belong to a case, or a file was chosen that is kept.
    """
    saves: list[MaskToSave] = []
    known = {file.resolve() for file in kept}
    for layer in layers:
        source = source_of(layer.metadata)
        if source is None:
            raise FileError(
                f"The layer {layer.name!r} belongs to no case, so there is no file whose grid it could be "
                "saved on. Press 'New mask' in the dock Cases, and draw there."
            )
        path = _project_path(folder, source) if folder else _ask_path(parent, layer, source=source)
        if path is None:
            return None
        if folder is None and path.resolve() in known:
            raise FileError(
                f"{path.name} is an image or an expert's mask of this case, and stays as it is. Save "
                f"{layer.name!r} under another name."
            )
        saves.append(MaskToSave(path=path, voxels=layer.data.copy(), origin=source.origin, key=id(layer)))
    return saves


def _project_path(folder: Path, source: LayerSource) -> Path:
    if source.role in (Role.PREDICTION, Role.IN_TRAINING):
        return named_file(folder / "predictions" / (source.run or "unknown-model"), f"{source.case}.nii.gz")
    return corrected_path(folder / LABELS_FOLDER, source.case, is_tumour=source.role is Role.TUMOUR)


def _ask_path(parent: QWidget, layer: Labels, *, source: LayerSource) -> Path | None:
    beside = source.origin.path.parent if source.origin.path else Path.home()
    start = str(beside / f"{source.case}_{source.role}.nii.gz")
    path = qt_parts.ask_where_to_save(parent, f"Save {layer.name}", start=start)
    if path is not None and not path.name.endswith((".nii", ".nii.gz")):
        path = path.with_name(path.name + ".nii.gz")
    return path


class CloseGuard(QObject):
    """Asks about unsaved masks before a person closes the viewer's window, which owns this object.

    A program that closes it is not held up.
    """

    def __init__(self, window: QWidget, workspace: Workspace) -> None:
        super().__init__(window)
        self._window, self._workspace = window, workspace
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Keep the window open if the person wishes that, or if saving fails."""
        if event is None or watched is not self._window or event.type() != QEvent.Type.Close:
            return False
        if self._may_close():
            return False
        event.ignore()
        return True

    def _may_close(self) -> bool:
        workspace = self._workspace
        unsaved = workspace.journalling.unsaved()
        if not unsaved:
            return True
        answer = qt_parts.ask_about_unsaved(self._window, [layer.name for layer in unsaved])
        if answer == "discard":
            workspace.journalling.give_up(unsaved)
        if answer == "later" and (problem := workspace.journalling.not_kept()):
            show_error(tr("The strokes cannot be kept for later: {problem}", problem=problem))
            return False
        return self._saved(unsaved) if answer == "save" else answer != "cancel"

    def _saved(self, unsaved: list[Labels]) -> bool:
        """Save at once, before the window goes; False if that failed or was given up."""
        workspace = self._workspace
        try:
            saves = workspace.masks_to_save(self._window, unsaved)
            if saves is None:
                return False
            QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
            try:
                list(cases.save_masks(saves, threading.Event()))
            finally:
                QApplication.restoreOverrideCursor()
        except Exception as error:
            show_error(explain(error))
            return False
        workspace.layers.mark_saved(saves)
        return True
