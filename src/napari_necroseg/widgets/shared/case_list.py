"""Which cases to train on: a list with ticks, and a proposal that leaves some out."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.widgets.shared.prose import Prose

# Share of the patients that the proposal keeps out of the training, to score the model on.
_HELD_OUT_SHARE = 0.2


class CaseList(QWidget):
    """The cases of a cohort, ticked for training; what a case lacks greys it out."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cohort = Cohort(cases=())
        self._wanted: set[str] = set()
        self._list = QListWidget()
        self._list.setFixedHeight(150)
        self._list.setToolTip(
            "Ticked cases are trained on. Score the model on the others only: on cases that it has seen, any "
            "score is too good."
        )
        self._list.itemChanged.connect(self._on_changed)
        self._summary = Prose()
        self._lay_out()

    def show_cohort(self, cohort: Cohort, config: TrainConfig) -> None:
        """Fill the list and tick the proposal; ticks stay where the cohort is the same."""
        ticked = set(self.ticked()) if self._is_more_of(cohort) else None
        self._cohort = cohort
        usable = [case for case in cohort if not lacks(case, config)]
        chosen = (set(proposal(usable)) if ticked is None else ticked) | self._wanted
        self._wanted.clear()
        self._list.blockSignals(True)
        self._list.clear()
        for case in cohort:
            self._list.addItem(_item(case, config, is_ticked=case.name in chosen))
        self._list.blockSignals(False)
        self._on_changed()

    def ticked(self) -> tuple[str, ...]:
        """Return the names of the cases to train on."""
        items = [self._list.item(row) for row in range(self._list.count())]
        return tuple(
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.flags() & Qt.ItemFlag.ItemIsEnabled and item.checkState() == Qt.CheckState.Checked
        )

    def held_out(self) -> tuple[str, ...]:
        """Return the names of the cases that could be trained on, but are not, and whose patient is not."""
        ticked = set(self.ticked())
        patients = {case.patient_or_name for case in self._cohort if case.name in ticked}
        return tuple(
            case.name
            for case in self._cohort
            if case.patient_or_name not in patients and self._is_usable(case)
        )

    def tick(self, names: tuple[str, ...]) -> None:
        """Tick these cases, and no other."""
        for row in range(self._list.count()):
            item = self._list.item(row)
            is_ticked = item.data(Qt.ItemDataRole.UserRole) in names
            item.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)

    def want(self, name: str) -> None:
        """Tick a case as soon as it is listed."""
        self._wanted.add(name)

    def _is_more_of(self, cohort: Cohort) -> bool:
        """Whether a cohort has all cases of the one that is shown, so that their ticks still hold."""
        return bool(self._cohort.names) and set(self._cohort.names) <= set(cohort.names)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for text, names_of, help_text in (
            ("All", lambda: self._cohort.names, "Tick all cases: none is left to score the model on."),
            ("None", lambda: (), "Untick all cases."),
            (
                "Hold some out",
                lambda: proposal([case for case in self._cohort if self._is_usable(case)]),
                "Tick about four in five patients, and leave the others to score the model on.",
            ),
        ):
            button = QPushButton(text)
            button.setToolTip(help_text)
            button.clicked.connect(lambda _=False, names_of=names_of: self.tick(names_of()))
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._list)
        column.addLayout(buttons)
        column.addWidget(self._summary)

    def _is_usable(self, case: CaseFiles) -> bool:
        row = self._cohort.names.index(case.name)
        return bool(self._list.item(row).flags() & Qt.ItemFlag.ItemIsEnabled)

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


def lacks(case: CaseFiles, config: TrainConfig) -> tuple[str, ...]:
    """Return what a case lacks to be trained on."""
    missing = [str(sequence) for sequence in config.sequences if sequence not in case.sequences]
    mask = case.reference if config.target == "reference" else case.tumour
    return (*missing, *(() if mask is not None else (f"{config.target} mask",)))


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


def _item(case: CaseFiles, config: TrainConfig, *, is_ticked: bool) -> QListWidgetItem:
    missing = lacks(case, config)
    remarks = [f"no {' and no '.join(missing)}" if missing else "", _whose(case, config)]
    remark = "; ".join(one for one in remarks if one)
    item = QListWidgetItem(f"{case.name}  ({remark})" if remark else case.name)
    item.setData(Qt.ItemDataRole.UserRole, case.name)
    flags = Qt.ItemFlag.ItemIsUserCheckable
    item.setFlags(flags if missing else flags | Qt.ItemFlag.ItemIsEnabled)
    item.setCheckState(Qt.CheckState.Checked if is_ticked and not missing else Qt.CheckState.Unchecked)
    return item
