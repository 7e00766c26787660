"""Every input of every dock: what the wheel may not do to it, and how it reads and shows numbers."""

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QSpinBox,
    QWidget,
)
from superqt.sliders._labeled import SliderLabel

from napari_necroseg.core.language import set_language
from napari_necroseg.widgets.augmentation.dock import Augmentation
from napari_necroseg.widgets.cases.dock import Cases
from napari_necroseg.widgets.correct.dock import Correct
from napari_necroseg.widgets.predict.dock import Predict
from napari_necroseg.widgets.scores.dock import Scores
from napari_necroseg.widgets.shared.number_inputs import DecimalBox, WholeBox
from napari_necroseg.widgets.shared.qt_parts import is_input
from napari_necroseg.widgets.study.dock import Study
from napari_necroseg.widgets.train.dock import Train

DOCKS = (Augmentation, Cases, Correct, Predict, Scores, Study, Train)
LOCALES = ("de_DE", "en_US", "de_CH", "fr_FR")


@pytest.fixture(params=DOCKS, ids=lambda kind: kind.__name__)
def dock(request, open_dock):
    return open_dock(request.param)


@pytest.fixture(params=LOCALES)
def language(request):
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


def inputs_of(widget: QWidget) -> list[QWidget]:
    return [one for one in widget.findChildren(QWidget) if is_input(one)]


def enable(widget: QWidget | None) -> None:
    """Enable an input and all that it lies in: many wait for a case, or for a tick."""
    while widget is not None:
        widget.setEnabled(True)
        widget = widget.parentWidget()


def state_of(widget: QWidget) -> object:
    if isinstance(widget, QComboBox):
        return widget.currentIndex()
    if isinstance(widget, QAbstractSpinBox):
        return widget.text()
    assert isinstance(widget, QAbstractSlider)
    return widget.value()


def turn_wheel(widget: QWidget, notches: int) -> QWheelEvent:
    """Turn the wheel over the middle of a widget, as Qt tells it."""
    at = widget.rect().center()
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        QPoint(0, 0),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)
    return event


def test_the_wheel_moves_no_value_of_any_dock(dock):
    dock.show()
    inputs = inputs_of(dock)
    for widget in inputs:
        # As after somebody has chosen something: there is room in both directions, and the focus is there.
        enable(widget)
        if isinstance(widget, QComboBox):
            widget.addItems(["one", "two", "three"])
            widget.setCurrentIndex(1)
    for widget in inputs:
        widget.setFocus()
        before = [state_of(one) for one in inputs]
        for notches in (1, -1, -3):
            for part in (widget, *(one for one in widget.findChildren(QWidget) if one.isVisible())):
                turn_wheel(part, notches)
        assert [state_of(one) for one in inputs] == before, widget


def test_every_dock_with_numbers_is_looked_at(open_dock):
    """What the test above walks through is there: sliders within labelled sliders, boxes and lists."""
    counts = {kind.__name__: len(inputs_of(open_dock(kind))) for kind in DOCKS}
    assert all(counts.values()), counts
    found = [type(one).__name__ for one in inputs_of(open_dock(Correct))]
    assert {"QDoubleSlider", "QDoubleRangeSlider", "DecimalBox", "QComboBox"} <= set(found)


def test_the_wheel_over_an_input_is_left_to_the_area_that_scrolls(dock):
    """Qt hands what is not accepted to the parent, and so on up to the scroll area."""
    dock.show()
    for widget in inputs_of(dock):
        enable(widget)
        assert not turn_wheel(widget, -1).isAccepted(), widget


def test_an_input_that_is_added_later_is_guarded_too(qtbot, open_dock):
    dock = open_dock(Cases)
    dock.show()
    late = QSpinBox()
    late.setValue(5)
    dock.body.addWidget(late)
    qtbot.wait(20)
    turn_wheel(late, 1)
    assert late.value() == 5


def test_every_number_box_is_one_that_reads_both_separators(dock):
    boxes = dock.findChildren(QDoubleSpinBox) + dock.findChildren(QSpinBox)
    assert [box for box in boxes if not isinstance(box, DecimalBox | WholeBox)] == []


def fill(box: QWidget, text: str) -> None:
    """Type over all that stands in a box, and go on with Return."""
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


def test_every_decimal_box_reads_point_and_comma_in_every_language(language, dock):
    for box in dock.findChildren(QDoubleSpinBox):
        enable(box)
        # The form would refuse a number beyond its own range.
        box.blockSignals(True)
        box.setRange(0.0, 100.0)
        for text in ("2.5", "2,5"):
            box.setValue(9.0)
            fill(box, text)
            assert box.value() == 2.5, (type(box), text)
            assert box.cleanText() in ("2.5", "2.50", "2.5000")


def test_every_whole_box_takes_digits_and_refuses_what_may_mean_two_things(language, dock):
    for box in dock.findChildren(QSpinBox):
        enable(box)
        # The form would refuse a number beyond its own range.
        box.blockSignals(True)
        box.setRange(0, 100_000)
        box.setValue(7)
        for text in ("1.800", "1,800", "1'800", "2.5"):
            fill(box, text)
            assert (box.value(), box.cleanText()) == (7, "7"), text
        for text in ("1800", "1 800"):
            fill(box, text)
            assert (box.value(), box.cleanText()) == (1800, "1800"), text


def test_every_label_of_a_slider_reads_point_and_comma_in_every_language(language, dock):
    dock.show()
    for label in dock.findChildren(SliderLabel):
        if label.decimals() < 1 or not label.minimum() <= 0.5 <= label.maximum():
            continue
        enable(label)
        texts = []
        for text in ("0.5", "0,5"):
            fill(label, text)
            texts.append(label.text())
        assert texts[0] == texts[1]
        assert texts[0].startswith("0.5")
        fill(label, "0,5,3")
        assert label.text() == texts[0]


@pytest.fixture
def box(qtbot):
    box = DecimalBox()
    qtbot.addWidget(box)
    box.setRange(0.1, 30.0)
    box.setDecimals(1)
    box.setSuffix(" mm")
    box.setValue(3.0)
    return box


@pytest.mark.parametrize(
    ("typed", "value"), [("2.5", 2.5), ("2,5", 2.5), (",5", 0.5), ("25", 25.0), ("1.8,5", 3.0), ("x", 3.0)]
)
def test_what_is_typed_into_a_box_of_millimetres(language, box, typed, value):
    fill(box, typed)
    assert box.value() == value
    assert box.text() == f"{value:.1f} mm"


def test_pasted_numbers_are_read_like_typed_ones(language, box):
    clipboard = QApplication.clipboard()
    for text, value in (("2,5", 2.5), ("1.8", 1.8)):
        clipboard.setText(text)
        box.selectAll()
        box.lineEdit().paste()
        assert box.value() == value


def test_a_half_typed_number_does_not_stay_when_the_whole_is_refused(qtbot):
    """Qt counts what is typed at once: of 1.800 it would have kept the 1."""
    box = WholeBox()
    qtbot.addWidget(box)
    box.setRange(0, 5000)
    box.setSuffix(" steps")
    box.setValue(300)
    fill(box, "1.800")
    assert box.value() == 300
    assert box.text() == "300 steps"


def test_numbers_are_shown_without_marks_between_thousands(language, qtbot):
    whole, decimal = WholeBox(), DecimalBox()
    for box in (whole, decimal):
        qtbot.addWidget(box)
        box.setRange(0, 1_000_000)
        box.setValue(12345)
    assert (whole.text(), decimal.text()) == ("12345", "12345.00")


def test_the_brush_of_correct_takes_two_and_a_half_millimetres(language, open_dock):
    dock = open_dock(Correct)
    assert isinstance(dock.viewer, ViewerModel)
    enable(dock.brush.radius_mm)
    for text in ("2.5", "2,5"):
        fill(dock.brush.radius_mm, text)
        assert dock.brush.radius_mm.value() == 2.5
        assert dock.brush.radius_mm.text() == "2.5 mm"


def test_in_german_a_comma_is_shown_and_both_are_read(qtbot):
    set_language("de")
    box = DecimalBox()
    qtbot.addWidget(box)
    box.setRange(0, 100)
    for typed in ("2.5", "2,5"):
        box.selectAll()
        qtbot.keyClicks(box, typed)
        assert (box.value(), box.text()) == (2.5, "2,5")
