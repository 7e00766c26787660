"""Small parts of Qt that docks are put together from: labels, sections, tables, layouts and dialogs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from qtpy.QtCore import QChildEvent, QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QBoxLayout,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QScrollBar,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_necroseg.core.language import shown, tr
from napari_necroseg.widgets.shared.number_inputs import read_both_separators

# Held here until then: the garbage collector would take apart a function that only a dead widget holds, and
# calling its remains crashes.
_WAITING: set[Callable[..., None]] = set()

# Qt's word for no limit.
_ANY_HEIGHT = 16_777_215

# An invisible character that tells Qt where to break a long word, such as a path.
_BREAK = "\u200b"
_INPUTS = (QAbstractSlider, QAbstractSpinBox, QComboBox)
IMAGES = "Images (*.nii *.nii.gz *.hdr *.img *.tif *.tiff);;All files (*)"
TABLES = "Cohort tables (*.csv);;All files (*)"
PRESETS = "Augmentations (*.json)"
MASKS = "NIfTI masks (*.nii.gz *.nii)"
Answer = Literal["save", "later", "discard", "cancel"]
ROW_HEIGHT = 24
_T = TypeVar("_T")


def on_destroyed(widget: QObject, *calls: Callable[[], object]) -> None:
    """Call these once the widget is gone; they must not hold it."""

    def farewell(*_: object) -> None:
        _WAITING.discard(farewell)
        for call in calls:
            call()

    _WAITING.add(farewell)
    widget.destroyed.connect(farewell)


class Section(QCollapsible):
    """A collapsible part that is as high as it needs while it is open.

    superqt's own fixes the height when it is opened, so that sentences which come later are cut off.
    """

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        # superqt's keeps it from being higher than its hint, which knows nothing of sentences that wrap.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        # Closed ones below each other are a list, not islands.
        given(self.layout()).setContentsMargins(0, 1, 0, 1)

    def expand(self, animate: bool = False) -> None:
        """Open it; it is not animated, since its height is not known before."""
        super().expand(animate=animate)
        self.content().setMaximumHeight(_ANY_HEIGHT)

    def eventFilter(self, _watched: QObject | None, _event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Let the content grow."""
        return False


class WrappedLabel(QLabel):
    """Shows sentences without ever widening its dock; names of files are never taken for markup."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.say(text)

    @property
    def said(self) -> str:
        """The sentences, as they were given."""
        return self.text().replace(_BREAK, "")

    def say(self, text: str) -> None:
        """Show other sentences."""
        # Not within a number.
        self.setText(re.sub(r"([/\\_\-]|\.(?!\d))", rf"\1{_BREAK}", text))


class ReadOnlyTable(QTableWidget):
    """A table to look at, whose first column takes what room there is.

    `titles`: of the columns, each with an explanation.
    """

    def __init__(self, titles: Mapping[str, str], *, rows: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(rows, len(titles), parent)
        for column, (title, help_text) in enumerate(titles.items()):
            header = QTableWidgetItem(title)
            header.setToolTip(help_text)
            self.setHorizontalHeaderItem(column, header)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.side.hide()
        self.side.setDefaultSectionSize(ROW_HEIGHT)
        self.head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    @property
    def head(self) -> QHeaderView:
        """The titles of the columns."""
        return given(self.horizontalHeader())

    @property
    def side(self) -> QHeaderView:
        """The titles of the rows."""
        return given(self.verticalHeader())

    def cell(self, row: int, column: int) -> QTableWidgetItem:
        """Return a cell that is there."""
        return given(self.item(row, column))

    def put(
        self, row: int, column: int, *, text: str, help_text: str, align: Qt.AlignmentFlag | None = None
    ) -> None:
        """Put a new cell with an explanation into the table."""
        item = QTableWidgetItem(text)
        item.setToolTip(help_text)
        if align is not None:
            item.setTextAlignment(align)
        self.setItem(row, column, item)


class TickList(QListWidget):
    """A list whose entries are ticked or not; each stands for a value."""

    def fill(self, entries: Iterable[tuple[str, object, bool]], *, greyed: Sequence[object] = ()) -> None:
        """List other entries without telling: the text, the value, and whether it is ticked.

        Values among `greyed` cannot be ticked.
        """
        self.blockSignals(True)
        self.clear()
        for text, value, is_ticked in entries:
            item, is_enabled = QListWidgetItem(text), value not in greyed
            item.setData(Qt.ItemDataRole.UserRole, value)
            flags = Qt.ItemFlag.ItemIsUserCheckable
            item.setFlags(flags | Qt.ItemFlag.ItemIsEnabled if is_enabled else flags)
            item.setCheckState(_check_state(is_ticked and is_enabled))
            self.addItem(item)
        self.blockSignals(False)

    def ticked(self) -> list[Any]:
        """Return the values of the ticked entries, the greyed ones left out."""
        enabled = [one for one in self.entries() if one.flags() & Qt.ItemFlag.ItemIsEnabled]
        return [value_of(one) for one in enabled if one.checkState() == Qt.CheckState.Checked]

    def tick(self, values: Sequence[object]) -> None:
        """Tick the entries of these values, and no other."""
        for one in self.entries():
            one.setCheckState(_check_state(value_of(one) in values))

    def entries(self) -> list[QListWidgetItem]:
        """Return all entries."""
        return [given(self.item(row)) for row in range(self.count())]


def value_of(item: QListWidgetItem) -> Any:
    """Return the value that an entry of a list stands for."""
    return item.data(Qt.ItemDataRole.UserRole)


def _check_state(is_ticked: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked


def given(thing: _T | None) -> _T:
    """Return a value that is None by Qt's types, but not here."""
    assert thing is not None
    return thing


def is_input(widget: QObject | None) -> bool:
    """Whether the wheel would change a value of this widget; a scroll bar only scrolls."""
    return isinstance(widget, _INPUTS) and not isinstance(widget, QScrollBar)


def guard_inputs(widget: QWidget) -> None:
    """Keep the wheel from every input in a widget, and let its labels of sliders read 2.5 and 2,5.

    Widgets that are added later are guarded, too. The inputs of superqt's labelled sliders are children of
    the widgets that a dock makes, so all descendants are visited.
    """
    for one in (widget, *widget.findChildren(QWidget)):
        one.removeEventFilter(_WHEEL_GUARD)
        one.installEventFilter(_WHEEL_GUARD)
        read_both_separators(one)
        if is_input(one) and one.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            one.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


class _WheelGuard(QObject):
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        if event is None:
            return False
        if event.type() == QEvent.Type.Wheel and is_input(watched):
            # Ignored, it goes on to the area that scrolls.
            event.ignore()
            return True
        if event.type() == QEvent.Type.ChildPolished and isinstance(event, QChildEvent):
            child = event.child()
            if isinstance(child, QWidget) and not child.isWindow():
                guard_inputs(child)
        return False


# One event filter shared by all inputs, without a Qt parent, so that no dock deletes it.
_WHEEL_GUARD = _WheelGuard()


def button(text: str, help_text: str, *, act: Any = None, width: int | None = None) -> QPushButton:
    """Make a button, which does something if it is given here; the keys Space and Enter press it."""
    made = QPushButton(text)
    made.setAutoDefault(True)
    made.setToolTip(help_text)
    if act is not None:
        made.clicked.connect(act)
    if width is not None:
        made.setFixedWidth(width)
    return made


def browse_button(help_text: str, act: Callable[[], object]) -> QPushButton:
    """Make the narrow button that asks for a file or a folder."""
    return button("...", help_text, act=act, width=32)


def beside(*parts: QWidget | QLayout | None, wide: QWidget | None = None) -> QHBoxLayout:
    """Put parts beside each other; None is a gap that grows, and `wide` takes what room there is."""
    made = QHBoxLayout()
    _fill(made, parts, wide=wide)
    return made


def below(*parts: QWidget | QLayout | None) -> QVBoxLayout:
    """Put parts below each other."""
    made = QVBoxLayout()
    _fill(made, parts, wide=None)
    return made


def _fill(layout: QBoxLayout, parts: Iterable[QWidget | QLayout | None], *, wide: QWidget | None) -> None:
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part, 1 if part is wide else 0)


def lay(widget: QWidget, layout: QLayout) -> QWidget:
    """Lay a widget out without a margin, and return it."""
    layout.setContentsMargins(0, 0, 0, 0)
    widget.setLayout(layout)
    return widget


class NarrowCombo(QComboBox):
    """A list that a long entry does not widen."""

    def __init__(self, *, letters: int, help_text: str = "") -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(letters)
        self.setToolTip(help_text)


def tab_order(before: QWidget, part: QWidget) -> None:
    """Let the tab key go from one widget to those within a part, in the order in which they were made."""
    within, last = part.nextInFocusChain(), before
    inputs: list[QWidget] = []
    while within is not None and part.isAncestorOf(within):
        if within.focusPolicy() & Qt.FocusPolicy.TabFocus and within.focusProxy() is None:
            inputs.append(within)
        within = within.nextInFocusChain()
    for one in inputs:
        QWidget.setTabOrder(last, one)
        last = one


def timer(parent: QObject, ms: int, *, act: Callable[..., object]) -> QTimer:
    """Make a timer that, once started, does something once."""
    made = QTimer(parent)
    made.setSingleShot(True)
    made.setInterval(ms)
    made.timeout.connect(act)
    return made


def ask_about_unsaved(parent: QWidget, names: Sequence[str]) -> Answer:
    """Ask what becomes of masks that were not saved, before a case or the window is left."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(tr("Unsaved masks"))
    box.setText(tr("Not saved yet: {names}.", names=", ".join(map(shown, names))))
    box.setInformativeText(
        tr(
            "Save before going on? “Keep for later” brings your strokes back when the case is opened again. "
            "“Discard” puts them aside under another name."
        )
    )
    buttons = QMessageBox.StandardButton
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    later = box.addButton(tr("Keep for later"), QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(buttons.Save)
    _name_buttons(box)
    chosen = box.exec()
    if box.clickedButton() is later:
        return "later"
    answers: dict[int, Answer] = {int(buttons.Save.value): "save", int(buttons.Discard.value): "discard"}
    return answers.get(int(chosen), "cancel")


def ask_replace(parent: QWidget, question: str) -> bool:
    """Ask whether somebody else's mask and signature may be replaced."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(tr("Sign off"))
    box.setText(question)
    box.setInformativeText(
        tr("Sign yours off in its place? The other mask is kept beside it as an earlier one.")
    )
    replacing = box.addButton(tr("Sign mine off"), QMessageBox.ButtonRole.AcceptRole)
    keeping = box.addButton(tr("Keep the other"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keeping)
    box.exec()
    return box.clickedButton() is replacing


def ask_discard(parent: QWidget, question: str) -> bool:
    """Ask whether something that cannot be brought back may go."""
    buttons = QMessageBox.StandardButton
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(tr("Discard"))
    box.setText(question)
    box.setInformativeText(tr("It cannot be brought back."))
    box.setStandardButtons(buttons.Discard | buttons.Cancel)
    box.setDefaultButton(buttons.Cancel)
    _name_buttons(box)
    return int(box.exec()) == int(buttons.Discard.value)


def _name_buttons(box: QMessageBox) -> None:
    """Name the buttons in the language of the panel, which may be another than Qt's."""
    buttons = QMessageBox.StandardButton
    for which, text in (
        (buttons.Save, tr("Save")),
        (buttons.Discard, tr("Discard")),
        (buttons.Cancel, tr("Cancel")),
    ):
        made = box.button(which)
        if made is not None:
            made.setText(text)


def ask_image(parent: QWidget, title: str, *, start: str = "") -> Path | None:
    """Ask for an image file."""
    return _path(QFileDialog.getOpenFileName(parent, title, start, IMAGES)[0])


def ask_table(parent: QWidget, *, start: str = "") -> Path | None:
    """Ask for the table of a cohort."""
    return _path(QFileDialog.getOpenFileName(parent, tr("Open a table of cases"), start, TABLES)[0])


def ask_preset(parent: QWidget) -> Path | None:
    """Ask for a saved augmentation."""
    return _path(QFileDialog.getOpenFileName(parent, "Load an augmentation", "", PRESETS)[0])


def ask_folder(parent: QWidget, title: str, *, start: str = "") -> Path | None:
    """Ask for a folder."""
    return _path(QFileDialog.getExistingDirectory(parent, title, start))


def ask_where_to_save(parent: QWidget, title: str, *, start: str, kinds: str = MASKS) -> Path | None:
    """Ask for the name of a new file."""
    return _path(QFileDialog.getSaveFileName(parent, title, start, kinds)[0])


def _path(text: str) -> Path | None:
    return Path(text) if text else None
