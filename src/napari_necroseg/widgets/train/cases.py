"""The cases of a training: those of the cohort, open layers, corrected masks, and those left out."""

from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QVBoxLayout, QWidget

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import Target, TrainConfig
from napari_necroseg.core.io.corrected import LABELS_FOLDER
from napari_necroseg.core.io.labels import drawn_cases, marked
from napari_necroseg.widgets.shared.case_list import CaseList, lacks
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.train.layer_case import LayerCase
from napari_necroseg.widgets.train.open_layers import OpenLayers


class TrainCases(QGroupBox):
    """Chooses what is trained on, and what is scored meanwhile.

    Attributes
    ----------
    config
        What the training needs of a case.
    list, layers
        The cases with their ticks; the form that adds open layers.
    corrected, unsigned
        Whether masks that were drawn in the project are learned from: those that are signed off; others.
    validates
        Whether cases that are left out are scored meanwhile.
    """

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Cases to train on", parent)
        self._workspace = workspace
        # Cases of open layers, and the project that they were added in.
        self._added: dict[str, CaseFiles] = {}
        self._folder: Path | None = None
        self._cohort = Cohort(cases=())
        self.config = TrainConfig()
        self.list = CaseList()
        self.layers = OpenLayers(workspace)
        self.corrected, self.unsigned = QCheckBox(), QCheckBox()
        self.corrected.setToolTip(
            "Learn from the masks that were signed off in the dock Correct (the project's folder labels), in "
            "place of those that the cohort names. A case that had none can be trained on then."
        )
        self.corrected.setChecked(True)
        self.unsigned.setToolTip(
            "Learn from masks that nobody has signed off, too, as they are now: half-done ones stand in for "
            "the cohort's then. A mask that was changed since it was signed off is one of these."
        )
        self.validates = QCheckBox("Score the cases left out meanwhile")
        self.validates.setToolTip(
            "Every two minutes (see Advanced) the cases that are not trained on are predicted and compared "
            "with their reference. It costs some seconds a case, and changes nothing in the training. If one "
            "of them is the open case, what the network makes of it is shown as a layer that keeps up."
        )
        column = QVBoxLayout(self)
        for widget in (self.list, self.corrected, self.unsigned, self.layers, self.validates):
            column.addWidget(widget)
        self.list.changed.connect(self.changed)
        for box in (self.corrected, self.unsigned):
            box.toggled.connect(lambda: self.show_cases(self.config))
        self.layers.unwanted.connect(self._on_unwanted)

    @property
    def cohort(self) -> Cohort:
        """The cases that are listed, with the masks that are learned from."""
        return self._cohort

    def show_cases(self, config: TrainConfig) -> None:
        """List the cohort of the workspace and what was added; greyed out is what a training cannot use."""
        self.config = config
        cohort = self._workspace.cohort or Cohort(cases=())
        self._cohort = self._with_added(self._with_corrected(cohort))
        self.list.show_cohort(self._cohort, config)

    def taken(self, target: Target) -> LayerCase:
        """Return the chosen layers as they are now; see `OpenLayers.taken`."""
        taken = self.layers.taken(target)
        rows = [files for files in self._cohort if files.name == taken.name]
        return replace(taken, patient=rows[0].patient) if rows else taken

    def add(self, files: CaseFiles) -> None:
        """Keep a case made of layers; the next `show_cases` lists it, ticked."""
        self._added[files.name] = files
        self.layers.show_added(len(self._added))
        self.list.want(files.name)

    def enter(self, folder: Path | None) -> None:
        """Forget the layers of another project: a case of theirs may have the name of one of this."""
        if folder != self._folder and self._folder is not None:
            self._added.clear()
            self.layers.show_added(0)
        self._folder = folder

    def new_to(self, learned: tuple[str, ...]) -> tuple[str, ...]:
        """Return the cases that a model has something to learn from: unknown to it, corrected, or added."""
        target = self.config.target
        return tuple(
            files.name
            for files in self._cohort
            if not lacks(files, self.config)
            and (files.name not in learned or files.whose(target) != "cohort")
        )

    def _on_unwanted(self) -> None:
        self._added.clear()
        self.layers.show_added(0)
        self.show_cases(self.config)

    def _with_corrected(self, cohort: Cohort) -> Cohort:
        folder = self._workspace.folder
        signed, unsigned = ((), ()) if folder is None else drawn_cases(cohort, folder / LABELS_FOLDER)
        self.corrected.setVisible(bool(signed or unsigned))
        self.corrected.setText(f"Learn from masks that were drawn here and signed off ({len(signed)})")
        self.unsigned.setVisible(bool(unsigned) and self.corrected.isChecked())
        self.unsigned.setText(f"From masks in work, too ({len(unsigned)})")
        if folder is None or not self.corrected.isChecked():
            return cohort
        return marked(cohort, folder / LABELS_FOLDER, unsigned=self.unsigned.isChecked())

    def _with_added(self, cohort: Cohort) -> Cohort:
        rows = {files.name: files for files in cohort} | self._added
        return Cohort(cases=tuple(rows.values()))
