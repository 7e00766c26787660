"""The cases of a training, ticked in a list: those of the cohort, open layers, and corrected masks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGroupBox,
    QWidget,
)

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import Target, TrainConfig
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.core.project.labels import drawn_cases, marked
from napari_necroseg.jobs.train import LayerCase
from napari_necroseg.widgets.shared.layer_choice import SubjectChoice
from napari_necroseg.widgets.shared.qt_parts import (
    Section,
    TickList,
    WrappedLabel,
    below,
    beside,
    button,
    lay,
)
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.train.layer_case import layer_case

_HELP = (
    "Train on these layers as they are now, saved or not: they stand in the list above, in place of the "
    "case of that name. What is drawn later does not count until you add them again."
)

# Share of the patients that the proposal keeps out of the training, to score the model on.
_HELD_OUT_SHARE = 0.2


class TrainCases(QGroupBox):
    """Chooses the cases to train on, and whether those left out are scored during the training."""

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
        self.validates = QCheckBox("Score the left-out cases meanwhile")
        self.validates.setToolTip(
            "Every two minutes (see Advanced) the cases that are not trained on are predicted and compared "
            "with their reference. It costs some seconds a case, and changes nothing in the training. If one "
            "of them is the open case, what the network makes of it is shown as a layer that keeps up."
        )
        self.setLayout(below(self.list, self.corrected, self.unsigned, self.layers, self.validates))
        self.list.changed.connect(self.changed)
        for box in (self.corrected, self.unsigned):
            box.toggled.connect(lambda: self.show_cases(self.config))
        self.layers.unwanted.connect(self._on_unwanted)

    @property
    def cohort(self) -> Cohort:
        """The cases that are listed, with the masks that are learned from."""
        return self._cohort

    def show_cases(self, config: TrainConfig) -> None:
        """List the cohort's cases and the added ones; those that cannot be trained on are greyed out."""
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
        """Forget added layers of another project, whose cases may have the same names."""
        if folder != self._folder and self._folder is not None:
            self._added.clear()
            self.layers.show_added(0)
        self._folder = folder

    def new_to(self, learned: tuple[str, ...]) -> tuple[str, ...]:
        """Return the cases that are new to a model: unknown to it, corrected, or added."""
        target = self.config.target
        return tuple(
            files.name
            for files in self._cohort
            if not files.missing(self.config.sequences, self.config.target)
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


class OpenLayers(Section):
    """Chooses ceT1, T2 and a mask among the open layers; `wanted` adds them, `unwanted` removes all added."""

    wanted = Signal()
    unwanted = Signal()

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__("Add open layers", parent)
        self.toggleButton().setToolTip("Train on what is drawn in the viewer, saved or not.")
        self.layers = SubjectChoice(workspace)
        self._add = button("Add to the list", _HELP, act=self.wanted)
        help_text = "Take added layers out of the list: the cohort's own files count again."
        self._forget = button("", help_text, act=self.unwanted)
        self.show_added(0)
        self.layers.changed.connect(self._refresh)
        self.addWidget(lay(QWidget(), below(self.layers, self._add, self._forget)))
        self._refresh()

    def show_added(self, n_cases: int) -> None:
        """Show how many cases of layers are in the list."""
        self._forget.setVisible(n_cases > 0)
        self._forget.setText(f"Remove added layers ({n_cases})")

    def follow(self, *_: Any) -> None:
        """Follow the layers of the viewer."""
        self.layers.follow()
        self._refresh()

    def taken(self, target: Target) -> LayerCase:
        """Return the chosen layers as they are now.

        Raises FileError if no mask is chosen, or a layer is no stack of slices.
        """
        cet1, t2, mask = (choice.layer() for choice in self.layers.choices)
        if cet1 is None or mask is None:
            raise FileError("Choose the ceT1 layer and a mask: without one there is nothing to learn from.")
        images = {Sequence.CET1: cet1} | ({} if t2 is None or t2 is cet1 else {Sequence.T2: t2})
        return layer_case(images, mask, target=target)

    def _refresh(self) -> None:
        cet1, _, mask = (choice.layer() for choice in self.layers.choices)
        self._add.setEnabled(cet1 is not None and mask is not None)


class CaseList(QWidget):
    """The cases of a cohort, ticked for training; what a case lacks greys it out."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cohort = Cohort(cases=())
        self._usable: list[CaseFiles] = []
        self._wanted: set[str] = set()
        self._list = TickList()
        self._list.setFixedHeight(150)
        self._list.setToolTip(
            "Ticked cases are trained on. Score the model on the others only: on cases that it has seen, any "
            "score is too good."
        )
        self._list.itemChanged.connect(self._on_changed)
        self._summary = WrappedLabel()
        self._lay_out()

    def show_cohort(self, cohort: Cohort, config: TrainConfig) -> None:
        """Fill the list and tick the proposal; ticks stay where the cohort is the same."""
        ticked = set(self.ticked()) if self._is_more_of(cohort) else None
        self._cohort = cohort
        self._usable = [case for case in cohort if not case.missing(config.sequences, config.target)]
        chosen = (set(proposal(self._usable)) if ticked is None else ticked) | self._wanted
        self._wanted.clear()
        entries = ((_described(case, config), case.name, case.name in chosen) for case in cohort)
        usable = {case.name for case in self._usable}
        self._list.fill(entries, greyed=[name for name in cohort.names if name not in usable])
        self._on_changed()

    def ticked(self) -> tuple[str, ...]:
        """Return the names of the cases to train on."""
        return tuple(self._list.ticked())

    def held_out(self) -> tuple[str, ...]:
        """Return the names of the cases that could be trained on, but are not, and whose patient is not."""
        ticked = set(self.ticked())
        patients = {case.patient_or_name for case in self._cohort if case.name in ticked}
        return tuple(case.name for case in self._usable if case.patient_or_name not in patients)

    def tick(self, names: tuple[str, ...]) -> None:
        """Tick these cases, and no other."""
        self._list.tick(names)

    def want(self, name: str) -> None:
        """Tick a case as soon as it is listed."""
        self._wanted.add(name)

    def _is_more_of(self, cohort: Cohort) -> bool:
        """Whether a cohort has all cases that are listed, so that their ticks still hold."""
        return bool(self._cohort.names) and set(self._cohort.names) <= set(cohort.names)

    def _lay_out(self) -> None:
        help_text = "Tick all cases: none is left to score the model on."
        everything = button("All", help_text, act=lambda: self.tick(self._cohort.names))
        nothing = button("None", "Untick all cases.", act=lambda: self.tick(()))
        help_text = "Tick about four in five patients, and leave the others to score the model on."
        some = button("Hold some out", help_text, act=lambda: self.tick(proposal(self._usable)))
        lay(self, below(self._list, beside(everything, nothing, some), self._summary))

    def _on_changed(self) -> None:
        ticked = set(self.ticked())
        text = f"{len(ticked)} to train on, {len(self._cohort) - len(ticked)} left out."
        known = _known_patients(self._cohort, ticked)
        if known:
            text += (
                f" ⚠ Left out, but of a patient who is trained on: {', '.join(known)}. Scores there would be "
                "too good."
            )
        self._summary.say(text)
        self.changed.emit()


def _whose(case: CaseFiles, config: TrainConfig) -> str:
    """Say which mask counts, if it is another than the cohort's table names."""
    drawn = case.drawn.get(config.target)
    if drawn is None:
        return "" if case.loaded is None else "open layers"
    if not drawn.is_used:
        return "its mask in work is left alone"
    return {
        "signed": f"mask signed off by {drawn.reader}",
        "unsigned": "mask in work",
        "layers": "open layers",
    }[drawn.whose]


def proposal(usable: list[CaseFiles]) -> tuple[str, ...]:
    """Return the cases to train on: all but the last fifth of the patients, or but the first fold."""
    patients = list(dict.fromkeys(case.patient_or_name for case in usable))
    if len(patients) < 3:
        return tuple(case.name for case in usable)
    folds = {case.fold for case in usable if case.fold is not None}
    if len(folds) > 1:
        return tuple(case.name for case in usable if case.fold != min(folds))
    held_out = set(patients[-max(1, round(_HELD_OUT_SHARE * len(patients))) :])
    return tuple(case.name for case in usable if case.patient_or_name not in held_out)


def _known_patients(cohort: Cohort, ticked: set[str]) -> list[str]:
    """Return the cases that are left out while another one of their patient is trained on."""
    trained = {case.patient_or_name for case in cohort if case.name in ticked}
    return [case.name for case in cohort if case.name not in ticked and case.patient_or_name in trained]


def _described(case: CaseFiles, config: TrainConfig) -> str:
    """Name a case, with what it lacks and which mask counts."""
    missing = case.missing(config.sequences, config.target)
    remarks = [f"no {' and no '.join(missing)}" if missing else "", _whose(case, config)]
    remark = "; ".join(one for one in remarks if one)
    return f"{case.name}  ({remark})" if remark else case.name
