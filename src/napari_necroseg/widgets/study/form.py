"""The choices of a study: configurations as a grid of ticks, the rest as a form."""

from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QWidget,
)

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import PAPER_CONFIGURATIONS, StudyConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.core.project.labels import drawn_cases, marked
from napari_necroseg.core.project.model_folder import WEIGHTS_NAME
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.widgets.shared.config_form import ConfigForm, NumberInput
from napari_necroseg.widgets.shared.model_choice import ModelChoice
from napari_necroseg.widgets.shared.qt_parts import below, beside, lay
from napari_necroseg.widgets.shared.workspace import Workspace

_PLAIN = ("preset", "minutes_per_run", "steps_per_run", "folds", "seeds", "workers")
_HIDDEN = ("configurations", "start_from", "scheduler", "spare_cores", "dashboard")
# The values that inputs begin with when they are ticked.
_PROPOSALS = {"minutes_per_run": 10.0, "steps_per_run": 1000}
_CORRECTED_HELP = (
    "Learn from, and score against, the masks that were signed off in the dock Correct (the project's folder "
    "labels), in place of those that the cohort names. A study that is there already goes on with the masks "
    "that it began with."
)
_UNSIGNED_HELP = (
    "Take masks that nobody has signed off, too, as they are now: half-done ones stand in for the cohort's."
)
_START_HELP = (
    "Random weights: every network begins knowing nothing, as in the paper. A model: every run goes on from "
    "it. It must not have seen any case of this cohort, or the scores would be too good."
)


class StudyForm(QWidget):
    """Shows a study's choices; those that must not change once it has begun can be locked."""

    changed = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.form = ConfigForm(StudyConfig(), plain=_PLAIN, hidden=_HIDDEN)
        self.boxes = {name: QCheckBox() for name in PAPER_CONFIGURATIONS}
        self.corrected, self.unsigned = QCheckBox(), QCheckBox()
        self.corrected.setToolTip(_CORRECTED_HELP)
        self.unsigned.setToolTip(_UNSIGNED_HELP)
        self.start_from = ModelChoice(
            workspace, "Start from", help_text=_START_HELP, nothing="random weights"
        )
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("none: this computer")
        # The record of the existing study, if one is shown.
        self._locked: StudyRecord | None = None
        # The cases whose corrected masks it uses.
        self._corrected_there: frozenset[str] | None = None
        self._start_before: Path | None = None
        self._is_filling = False
        lay(self, below(self._configurations(), self.corrected, self.unsigned, self.form))
        self._add_advanced()
        self.show_cohort()
        self._tick(PAPER_CONFIGURATIONS)
        for name, proposal in _PROPOSALS.items():
            self.form.input(name).set_value(proposal)
            self.form.input(name).set_value(None)
        for box in self.boxes.values():
            box.toggled.connect(self._on_changed)
        for box in (self.corrected, self.unsigned):
            box.toggled.connect(self._on_corrected)
        for signal in (self.form.changed, self.start_from.chosen, self.scheduler.textEdited):
            signal.connect(self._on_changed)

    def config(self) -> StudyConfig:
        """Return the choices, checked.

        Raises SettingsError for choices that contradict each other, or if no configuration is ticked.
        """
        recorded = () if self._locked is None else self._locked.config.configurations
        ticked = [name for name, box in self.boxes.items() if box.isChecked()]
        configurations = tuple(dict.fromkeys((*recorded, *ticked)))
        if not configurations:
            raise SettingsError("No configuration is ticked; tick at least one above.")
        config = self.form.config().changed(
            configurations=configurations,
            scheduler=self.scheduler.text().strip() or None,
            start_from=self.start_from.run(),
        )
        assert isinstance(config, StudyConfig)
        return config

    def cohort(self) -> Cohort | None:
        """Return the open cohort, with the masks that are chosen; None without any."""
        cohort, folder = self._workspace.cohort, self._workspace.folder
        if cohort is None or folder is None or not self.corrected.isChecked():
            return cohort
        labels, there = folder / LABELS_FOLDER, self._corrected_there
        if there is None:
            return marked(cohort, labels, unsigned=self.unsigned.isChecked())
        # A study goes on with the masks that it began with, signed off or not; masks that were corrected
        # later are not used.
        drawn = marked(cohort, labels, unsigned=True)
        cases = (drawn[case.name] if case.name in there else case for case in cohort)
        return replace(cohort, cases=tuple(cases))

    def show_cohort(self) -> None:
        """Look for corrected masks of the cohort, and list the models to start from."""
        self.show_corrected()
        self.start_from.look_again()

    def show_corrected(self) -> None:
        """Look for corrected masks of the cohort."""
        cohort, folder = self._workspace.cohort, self._workspace.folder
        signed: tuple[str, ...] = ()
        unsigned: tuple[str, ...] = ()
        if cohort is not None and folder is not None:
            signed, unsigned = drawn_cases(cohort, folder / LABELS_FOLDER)
        self.corrected.setVisible(bool(signed or unsigned))
        self.corrected.setText(f"Use masks that were drawn here and signed off ({len(signed)})")
        self.unsigned.setText(f"Masks in work, too ({len(unsigned)})")
        wants_more = self.corrected.isChecked() and self._corrected_there is None
        self.unsigned.setVisible(bool(unsigned) and wants_more)

    def lock(self, record: StudyRecord, corrected: frozenset[str] | None) -> None:
        """Show the choices of an existing study; those that must stay the same are disabled.

        `corrected` are the cases whose corrected masks it uses; None if that is not known.
        """
        if self._locked is None:
            self._start_before = self.start_from.run()
        self._is_filling = True
        self._locked, self._corrected_there = record, corrected
        self._tick(record.config.configurations)
        if corrected is not None:
            self.corrected.setChecked(bool(corrected))
        self.scheduler.setText(record.config.scheduler or "")
        self._seeds.set_least(record.config.seeds)
        self.form.set_config(record.config)
        self.start_from.show_run(record.config.start_from)
        self._enable_all()
        self._is_filling = False
        self.changed.emit()

    def unlock(self) -> None:
        """Enable all choices again."""
        if self._locked is None:
            return
        self._is_filling = True
        self._locked = self._corrected_there = None
        self._seeds.set_least(None)
        self.start_from.show_run(self._start_before)
        self._enable_all()
        self._is_filling = False
        self.changed.emit()

    @property
    def _seeds(self) -> NumberInput:
        seeds = self.form.input("seeds")
        assert isinstance(seeds, NumberInput)
        return seeds

    def _enable_all(self) -> None:
        """Enable the choices that may change: configurations and seeds may be added, not removed."""
        locked = self._locked
        fixed = {} if locked is None else locked.fixed_choices()
        for name in set(StudyConfig.model_fields) - set(_HIDDEN):
            self.form.input(name).enabled = name not in fixed
        for name, box in self.boxes.items():
            box.setEnabled(locked is None or name not in locked.config.configurations)
        self.corrected.setEnabled(self._corrected_there is None)
        self.show_corrected()
        # The start model must be named again if it was moved.
        start = None if locked is None else locked.config.start_from
        self.start_from.setEnabled(
            locked is None or (start is not None and not (start / WEIGHTS_NAME).is_file())
        )

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
            box.setText(name.heading)
            box.setToolTip(f"A {name.heading} network in every fold.")
            grid.addWidget(box, place // 3, place % 3)
        return group

    def _add_advanced(self) -> None:
        field = StudyConfig.model_fields["scheduler"]
        row = lay(QWidget(), beside(QLabel(field.title), self.scheduler, wide=self.scheduler))
        row.setToolTip(field.description or "")
        self.scheduler.setToolTip(field.description or "")
        self.form.advanced.addWidget(self.start_from)
        self.form.advanced.addWidget(row)

    def _on_corrected(self, *_: object) -> None:
        self.show_corrected()
        self._on_changed()

    def _on_changed(self, *_: object) -> None:
        if not self._is_filling:
            self.changed.emit()
