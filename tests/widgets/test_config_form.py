import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QDoubleSpinBox

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.config import PredictConfig, TrainConfig, train_preset
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.widgets.shared.config_form import ConfigForm

PLAIN = ("preset", "dimension", "sequences", "minutes")


@pytest.fixture
def form(qtbot):
    form = ConfigForm(train_preset("fast"), plain=PLAIN)
    qtbot.addWidget(form)
    return form


@pytest.mark.parametrize(
    "config",
    [
        train_preset("fast"),
        train_preset("paper", "3d"),
        train_preset("fast").changed(
            learning_rate=1e-5,
            sequences=("T2",),
            minutes=None,
            steps=7,
            alpha=0.12345,
            threads=3,
            device="cuda:1",
        ),
    ],
)
def test_what_goes_in_comes_out(form, config):
    form.set_config(config)
    assert form.config() == config


def test_every_choice_has_an_input(qtbot):
    for config in (TrainConfig(), PredictConfig()):
        form = ConfigForm(config, plain=())
        qtbot.addWidget(form)
        names = {name.partition(".")[0] for name in form._inputs}
        assert names == set(type(config).model_fields)


def test_a_small_number_is_written_with_all_its_digits(form):
    spin = form.input("learning_rate").native
    for value, text in ((1e-3, "0.001"), (2.5e-6, "0.0000025"), (1.0, "1")):
        form.input("learning_rate").set_value(value)
        assert spin.text() == text


def test_units_bounds_and_help_are_those_of_the_config(form):
    spin = form.input("minutes").native.findChild(QDoubleSpinBox)
    assert spin.suffix() == " min"
    batch = form.input("batch_size").native
    assert (batch.minimum(), batch.maximum()) == (1, 512)
    field = TrainConfig.model_fields["batch_size"]
    assert form.input("batch_size").tooltip == field.description
    rate = form.input("learning_rate").native
    assert 0 < rate.minimum() < 1e-6
    assert rate.maximum() == 1


def test_what_one_slides_stays_within_its_bounds_and_is_what_is_shown():
    predict_form = ConfigForm(PredictConfig(), plain=("threshold",))
    one = predict_form.input("threshold")
    changes = []
    one.changed.connect(lambda: changes.append(one.value))
    for asked, shown in ((0.3, 0.3), (0.0, 0.01), (1.0, 0.99)):
        one.set_value(asked)
        assert one.value == predict_form.config().threshold == shown
    assert changes == [0.3, 0.01, 0.99]


def test_an_optional_choice_can_be_left_out_and_remembers_its_number(form):
    one = form.input("minutes")
    one.set_value(None)
    assert form.config().minutes is None
    one.is_given.value = True
    assert form.config().minutes == 10.0


def test_a_change_by_hand_is_told_once_and_so_is_a_new_config(qtbot, form):
    told = []
    form.changed.connect(lambda: told.append(1))
    form.input("batch_size").set_value(7)
    assert told == [1]
    form.set_config(train_preset("paper"))
    assert told == [1, 1]


def test_choices_that_contradict_each_other_are_refused_in_words(form):
    form.input("sequences").set_value(())
    with pytest.raises(SettingsError, match="sequences"):
        form.config()
    form.input("sequences").set_value((Sequence.T2,))
    form.input("preset").set_value("paper")
    with pytest.raises(SettingsError, match="time limit"):
        form.config()


def test_the_wheel_does_not_change_a_number_that_was_not_clicked(qtbot, form):
    form.show()
    spin = form.input("minutes").native.findChild(QDoubleSpinBox)
    spin.clearFocus()
    wheel = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(spin, wheel)
    assert spin.value() == 10.0


def test_a_range_has_two_ends_and_the_wrong_order_is_refused_in_words(form):
    first, second = form.input("augment.scale_range").native.findChildren(QDoubleSpinBox)
    assert (first.value(), second.value()) == (0.6, 1.4)
    assert (first.minimum(), second.maximum()) == (0.2, 3.0)
    second.setValue(0.5)
    with pytest.raises(SettingsError, match=r"scale_range goes from 0\.6 to 0\.5"):
        form.config()
    first.setValue(0.4)
    assert form.config().augment.scale_range == (0.4, 0.5)
