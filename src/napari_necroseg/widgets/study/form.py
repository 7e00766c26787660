"""The choices of a study: configurations as a grid of ticks, the rest as a form."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import PAPER_CONFIGURATIONS, Configuration, StudyConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.io.corrected import LABELS_FOLDER, corrected_cases, with_corrected
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.widgets.shared.forms import ConfigForm
from napari_necroseg.widgets.shared.model_choice import ModelChoice
from napari_necroseg.widgets.shared.workspace import Workspace

_PLAIN = ("preset", "minutes_per_run", "steps_per_run", "folds", "seeds", "workers")
_HIDDEN = ("configurations", "start_from", "scheduler")
# What an input begins with when it is ticked.
_PROPOSALS = {"minutes_per_run": 10.0, "steps_per_run": 1000}
_CORRECTED_HELP = (
    "Learn from, and score against, the masks that were saved in the project's folder labels, in place of "
    "those that the cohort names. Tick it again when you go on with a study that was begun so."
)
_START_HELP = (
    "Random weights: every network begins knowing nothing, as in the paper. A model: every run goes on from "
    "it. It must not have seen any case of this cohort, or the scores would be too good."
)


class StudyForm(QWidget):
    """Shows a study's choices; those that may not change while it goes on can be locked."""

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.form = ConfigForm(StudyConfig(), plain=_PLAIN, hidden=_HIDDEN)
        self.boxes = {name: QCheckBox() for name in PAPER_CONFIGURATIONS}
        self.corrected = QCheckBox()
        self.corrected.setToolTip(_CORRECTED_HELP)
        self.start_from = ModelChoice(workspace, "Start from", _START_HELP, nothing="random weights")
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("none: this computer")
        self._n_corrected = 0
        self._is_locked = False
        self._is_filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._configurations())
        column.addWidget(self.corrected)
        column.addWidget(self.form)
        self._add_advanced()
        self.show_cohort()
        self._tick(PAPER_CONFIGURATIONS)
        for name, proposal in _PROPOSALS.items():
            self.form.editor(name).set_value(proposal)
            self.form.editor(name).set_value(None)
        for box in self.boxes.values():
            box.toggled.connect(self._on_changed)
        self.corrected.toggled.connect(self._on_changed)
        for signal in (self.form.changed, self.start_from.chosen, self.scheduler.textEdited):
            signal.connect(self._on_changed)

    def config(self) -> StudyConfig:
        """Return the choices, checked.

        Raises
        ------
        SettingsError
            For choices that contradict each other, or if no configuration is ticked.
        """
        ticked = tuple(name for name, box in self.boxes.items() if box.isChecked())
        if not ticked:
            raise SettingsError("No configuration is ticked; tick at least one above.")
        changes: dict[str, object] = {
            "configurations": ticked,
            "scheduler": self.scheduler.text().strip() or None,
        }
        if not self._is_locked:
            changes["start_from"] = self.start_from.run()
        config = self.form.config().changed(**changes)
        assert isinstance(config, StudyConfig)
        return config

    def cohort(self) -> Cohort | None:
        """Return the open cohort, with the masks that are chosen; None without any."""
        cohort, folder = self._workspace.cohort, self._workspace.folder
        if cohort is None or folder is None or not self._n_corrected or not self.corrected.isChecked():
            return cohort
        return with_corrected(cohort, folder / LABELS_FOLDER)

    def show_cohort(self) -> None:
        """Look how many masks of the cohort were corrected, and list the models to start from."""
        cohort, folder = self._workspace.cohort, self._workspace.folder
        names = () if cohort is None or folder is None else corrected_cases(cohort, folder / LABELS_FOLDER)
        self._n_corrected = len(names)
        self.corrected.setVisible(bool(self._n_corrected))
        self.corrected.setText(f"Use corrected masks where there are ({self._n_corrected})")
        self.start_from.refill()

    def lock(self, record: StudyRecord) -> None:
        """Show the choices of a study that exists; what must stay the same cannot be changed."""
        self._is_filling = True
        self._is_locked = True
        self._tick(record.config.configurations)
        self.scheduler.setText(record.config.scheduler or "")
        self.form.set_config(record.config)
        self._enable(tuple(record.what()), False)
        self._is_filling = False
        self.changed.emit()

    def unlock(self) -> None:
        """Let everything be changed again."""
        if self._is_locked:
            self._is_locked = False
            self._enable(tuple(StudyConfig.model_fields), True)
            self.changed.emit()

    def _enable(self, names: tuple[str, ...], enabled: bool) -> None:
        for name in set(names) - set(_HIDDEN):
            self.form.editor(name).setEnabled(enabled)
        self.start_from.setEnabled(enabled)

    def _tick(self, names: tuple[str, ...]) -> None:
        for name, box in self.boxes.items():
            box.setChecked(name in names)

    def _configurations(self) -> QWidget:
        group = QGroupBox("Configurations")
        group.setToolTip(
            "Which networks are compared: slice by slice (2D) or whole stacks (3D), and what they see."
        )
        grid = QGridLayout(group)
        for place, (name, box) in enumerate(self.boxes.items()):
            configuration = Configuration.parse(name)
            box.setText(configuration.title)
            box.setToolTip(f"A {configuration.title} network in every fold.")
            grid.addWidget(box, place // 3, place % 3)
        return group

    def _add_advanced(self) -> None:
        field = StudyConfig.model_fields["scheduler"]
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(QLabel(field.title))
        line.addWidget(self.scheduler, 1)
        row.setToolTip(field.description or "")
        self.scheduler.setToolTip(field.description or "")
        self.form.advanced.addWidget(self.start_from)
        self.form.advanced.addWidget(row)

    def _on_changed(self, *_: object) -> None:
        if not self._is_filling:
            self.changed.emit()
