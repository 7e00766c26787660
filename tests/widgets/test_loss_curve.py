import math

import pytest

from napari_necroseg.widgets.shared.loss_curve import LossCurve, nice_ceiling


@pytest.mark.parametrize(
    ("value", "top"), [(0.63, 0.8), (1.0, 1.0), (0.09, 0.1), (0.0, 1.0), (3.0, 4.0), (0.0021, 0.004)]
)
def test_the_axis_ends_at_a_number_whose_quarters_are_round(value, top):
    assert nice_ceiling(value) == pytest.approx(top)


def test_a_loss_that_is_not_a_number_is_left_out(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.add(1, 0.9)
    curve.add(2, math.nan)
    curve.add_dice(2, math.nan)
    assert curve.dice == ()
    curve.add(3, 0.7)
    assert curve.points == ((1, 0.9), (3, 0.7))


def test_a_long_training_keeps_its_shape_in_few_points(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    for iteration in range(1, 20_001):
        curve.add(iteration, 1 / iteration)
    assert 500 <= len(curve.points) <= 2000
    assert curve.points[-1][0] > 19_900
    gaps = {b[0] - a[0] for a, b in zip(curve.points, curve.points[1:], strict=False)}
    assert max(gaps) <= 2 * min(gaps)


def test_draws_the_curve_from_high_loss_to_low(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.resize(300, 170)
    empty = curve.grab().toImage()
    for iteration, loss in ((1, 1.0), (50, 0.5), (100, 0.1)):
        curve.add(iteration, loss)
    image = curve.grab().toImage()

    def blue_rows(x: int) -> list[int]:
        return [
            y
            for y in range(image.height())
            if image.pixelColor(x, y).blue() - image.pixelColor(x, y).red() > 90
        ]

    assert image != empty
    assert blue_rows(60)[0] < blue_rows(270)[0]
    curve.clear()
    assert curve.points == ()


def test_draws_a_rising_dice_in_orange(qtbot):
    curve = LossCurve()
    qtbot.addWidget(curve)
    curve.resize(300, 170)
    for iteration, loss, dice in ((1, 1.0, 0.1), (100, 0.1, 0.9)):
        curve.add(iteration, loss)
        curve.add_dice(iteration, dice)
    image = curve.grab().toImage()

    def orange_rows(x: int) -> list[int]:
        rows = range(image.height())
        return [y for y in rows if image.pixelColor(x, y).red() - image.pixelColor(x, y).blue() > 90]

    assert orange_rows(60)[0] > orange_rows(245)[0]
    curve.clear()
    assert curve.dice == ()
