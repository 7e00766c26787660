"""What the docks of one viewer share: the open cohort and case, the augmentation, and the last model."""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from psygnal import Signal

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.io.corrected import LABELS_FOLDER
from napari_necroseg.widgets.shared.close_guard import CloseGuard
from napari_necroseg.widgets.shared.journalling import Journalling
from napari_necroseg.widgets.shared.layers import CaseLayers
from napari_necroseg.widgets.shared.stepper import Stepper

_workspaces: "WeakKeyDictionary[ViewerModel, Workspace]" = WeakKeyDictionary()


class Workspace:
    """The state shared by the docks of a viewer; `Workspace.of` returns the one of a viewer.

    Attributes
    ----------
    cohort_changed, case_changed, augment_changed, run_changed
        Emitted when another cohort or case is open, an augmentation was chosen for training, or another
        model was trained or chosen.
    models_changed
        Emitted when there may be more models on disk, none of which was chosen.
    case_wanted
        Emitted with the name of a case of the cohort that is to be opened.
    improvement_wanted
        Emitted with the names of the cases that the newest model is to learn from next.
    opening
        The name of the case that is being opened; empty while none is.
    case_folder
        The project folder that the open case belongs to, also while another project is being opened; None for
        a case in no project.
    layers
        The layers of the open case.
    journalling
        Keeps what is drawn on them.
    screen
        Adds them one at a time, so that the viewer stays usable.
    """

    cohort_changed = Signal()
    case_changed = Signal()
    augment_changed = Signal()
    run_changed = Signal()
    models_changed = Signal()
    case_wanted = Signal(str)
    improvement_wanted = Signal(tuple)

    def __init__(self, viewer: ViewerModel) -> None:
        self.layers = CaseLayers(viewer)
        self.journalling = Journalling(self.layers)
        self.screen = Stepper()
        self.cohort: Cohort | None = None
        self.cohort_path: Path | None = None
        self.case: Case | None = None
        self.case_folder: Path | None = None
        self.opening = ""
        self.case_files: CaseFiles | None = None
        self.augment: AugmentConfig | None = None
        self.run: Path | None = None

    @classmethod
    def of(cls, viewer: Any) -> "Workspace":
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
        files = self.case_files
        if files is None:
            return ()
        masks = (mask for mask in (files.reference, files.tumour) if mask is not None)
        return (*files.sequences.values(), *masks)

    def set_cohort(self, cohort: Cohort, path: Path | None) -> None:
        """Open a cohort; `path` is its table, or None for a pair that was opened by hand."""
        self.cohort, self.cohort_path = cohort, path
        self.cohort_changed.emit()

    def set_case(self, case: Case, files: CaseFiles | None) -> None:
        """Say which case is shown; `files` is its row, or None for one that was never in files."""
        self.case, self.case_files, self.case_folder = case, files, self.folder
        self.journalling.open(case, None if self.folder is None else self.folder / LABELS_FOLDER)
        self.case_changed.emit()

    def set_augment(self, augment: AugmentConfig) -> None:
        """Say which augmentation the next training uses, in place of its preset's."""
        self.augment = augment
        self.augment_changed.emit()

    def set_run(self, run: Path) -> None:
        """Say which model is to be used next."""
        self.run = run
        self.run_changed.emit()


def _guard(viewer: ViewerModel, workspace: Workspace) -> None:
    """Have the viewer's window ask before it is closed; a viewer without one is not asked about."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is not None:
        CloseGuard(window, workspace)


def unwrapped(viewer: Any) -> ViewerModel:
    """Return the viewer itself; plugins get a proxy, which cannot be a key."""
    return getattr(viewer, "__wrapped__", viewer)
