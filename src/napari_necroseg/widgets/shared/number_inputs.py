"""Inputs for numbers that look as the texts beside them do, and read 2.5 and 2,5 alike.

They show the decimal sign of the panel's language, and nothing between thousands. Qt goes by the language of
the computer instead, where "2.5" may be read as 25 and "1.800" as 1800.
"""

from qtpy.QtCore import QLocale, QPoint, Qt
from qtpy.QtGui import QDoubleValidator, QKeyEvent, QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QLineEdit, QSpinBox, QToolTip, QWidget

from napari_necroseg.core.language import language, tr

_LEAST_MM = 0.1

# Separators of thousands in some language. A blank is one, too, but means nothing else: Qt takes it out.
_SEPARATORS = ".,'’"
_ENDS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Escape)
_Checked = tuple[QValidator.State, str, int]


def _plain_locale() -> QLocale:
    locale = QLocale(QLocale.Language.German) if language() == "de" else QLocale.c()
    option = QLocale.NumberOption
    locale.setNumberOptions(option.OmitGroupSeparator | option.RejectGroupSeparator)
    return locale


class DecimalBox(QDoubleSpinBox):
    """A box for a decimal number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_plain_locale())
        self._before = _NumberBefore(self)

    def validate(self, text: str | None, pos: int) -> _Checked:
        """Read comma and point alike; a second one is refused when the number is complete."""
        with_points = _number_of(self, text or "").replace(",", ".")
        if with_points.count(".") > 1:
            return QValidator.State.Intermediate, text or "", pos
        sign = self.locale().decimalPoint()
        return super().validate((text or "").replace(",", sign).replace(".", sign), pos)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Remember the number before somebody types."""
        self._before.note(event)
        super().keyPressEvent(event)

    def fixup(self, text: str | None) -> str:
        """Go back to the number before, and say why."""
        return self._before.bring_back(text or "", tr("Write one decimal point or comma, as in 2.5."))


class WholeBox(QSpinBox):
    """A box for a whole number; what may mean thousands or decimals is refused, not guessed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(_plain_locale())
        self._before = _NumberBefore(self)

    def validate(self, text: str | None, pos: int) -> _Checked:
        """Let a separator be typed, so that it is seen and not swallowed, but take no such number."""
        number = _number_of(self, text or "").strip()
        if any(one in number for one in _SEPARATORS):
            return QValidator.State.Intermediate, text or "", pos
        return super().validate(text, pos)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802  # Qt's name
        """Remember the number before somebody types."""
        self._before.note(event)
        super().keyPressEvent(event)

    def fixup(self, text: str | None) -> str:
        """Go back to the number before, and say why."""
        return self._before.bring_back(text or "", tr("Write a whole number in digits only, as in 1800."))


def mm_spin(value: float, *, most: float, step: float, help_text: str) -> DecimalBox:
    """Return a box for millimetres."""
    spin = DecimalBox()
    spin.setRange(_LEAST_MM, most)
    spin.setDecimals(1)
    spin.setSingleStep(step)
    spin.setSuffix(" mm")
    spin.setValue(value)
    spin.setToolTip(help_text)
    return spin


def read_both_separators(widget: QWidget) -> None:
    """Let a line that takes decimal numbers, such as the label of superqt's sliders, read 2.5 and 2,5."""
    if isinstance(widget, QLineEdit) and isinstance(widget.validator(), QDoubleValidator):
        widget.setValidator(_DecimalValidator(widget))


class _NumberBefore:
    """The number of a box before somebody began to type: Qt takes over a half-typed one at once."""

    def __init__(self, box: "DecimalBox | WholeBox") -> None:
        self._box = box
        self._value: float | None = None
        box.editingFinished.connect(self._forget)

    def note(self, event: QKeyEvent | None) -> None:
        if self._value is None and event is not None and event.text() and event.key() not in _ENDS:
            self._value = self._box.value()

    def bring_back(self, text: str, advice: str) -> str:
        """Return the text of that number if the one in the box may mean two things."""
        if not any(one in _number_of(self._box, text).strip() for one in _SEPARATORS):
            return text
        typed = _number_of(self._box, text).strip()
        hint = tr("“{typed}” can be read in two ways. {advice}", typed=typed, advice=advice)
        QToolTip.showText(self._box.mapToGlobal(QPoint(0, self._box.height())), hint, self._box)
        value = self._box.value() if self._value is None else self._value
        shown = self._box.textFromValue(value)  # type: ignore[arg-type]  # an int where the box is for one
        return f"{self._box.prefix()}{shown}{self._box.suffix()}"

    def _forget(self) -> None:
        self._value = None


class _DecimalValidator(QValidator):
    """A decimal number with either separator, which is shown as a point at once."""

    def validate(self, text: str | None, pos: int) -> _Checked:
        number = (text or "").replace(",", ".")
        state = QValidator.State
        if _is_float(number):
            return state.Acceptable, number, pos
        if number.count(".") > 1 or _is_float(number + "0") or _is_float(number + "1"):
            return state.Intermediate, number, pos
        return (state.Intermediate if number in ("", "-", "+") else state.Invalid), number, pos

    def fixup(self, text: str | None) -> str:
        """Go back to the number that the slider has."""
        line = self.parent()
        value = getattr(line, "value", None)
        return f"{value():g}" if callable(value) else text or ""


def _number_of(box: "DecimalBox | WholeBox", text: str) -> str:
    """The text of a box without the unit."""
    return text.removeprefix(box.prefix()).removesuffix(box.suffix())


def _is_float(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf") and "_" not in text
    except ValueError:
        return False


def spin(most: int) -> WholeBox:
    """Make a narrow input for a whole number from 0."""
    box = WholeBox()
    box.setRange(0, most)
    box.setButtonSymbols(WholeBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(64)
    return box
