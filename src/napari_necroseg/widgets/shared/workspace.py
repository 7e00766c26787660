"""What the docks of one viewer share: the open cohort and case, the augmentation, and the last model."""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.components import ViewerModel
from psygnal import Signal

from napari_necroseg.core.case import Case, CaseFiles, Cohort
from napari_necroseg.core.config import AugmentConfig
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
    layers
        The layers of the open case.
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
        self.screen = Stepper()
        self.cohort: Cohort | None = None
        self.cohort_path: Path | None = None
        self.case: Case | None = None
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
        return _workspaces[viewer]

    @property
    def folder(self) -> Path | None:
        """The project folder: where ``cohort.csv`` is."""
        return None if self.cohort_path is None else self.cohort_path.parent

    def set_cohort(self, cohort: Cohort, path: Path | None) -> None:
        """Open a cohort; `path` is its table, or None for a pair that was opened by hand."""
        self.cohort, self.cohort_path = cohort, path
        self.cohort_changed.emit()

    def set_case(self, case: Case, files: CaseFiles | None) -> None:
        """Say which case is shown; `files` is its row, or None for one that was never in files."""
        self.case, self.case_files = case, files
        self.case_changed.emit()

    def set_augment(self, augment: AugmentConfig) -> None:
        """Say which augmentation the next training uses, in place of its preset's."""
        self.augment = augment
        self.augment_changed.emit()

    def set_run(self, run: Path) -> None:
        """Say which model is to be used next."""
        self.run = run
        self.run_changed.emit()


def unwrapped(viewer: Any) -> ViewerModel:
    """Return the viewer itself; plugins get a proxy, which cannot be a key."""
    return getattr(viewer, "__wrapped__", viewer)
