"""Texts can be read: a contrast of at least 4.5 : 1 in both themes (WCAG 2.2, level AA)."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QAbstractButton, QLabel

from napari_necroseg.widgets.panel.dock import STEPS, Panel
from napari_necroseg.widgets.view.overlay import BEHIND_TEXT, TEXT
from napari_necroseg.widgets.view.view import View

LEAST = 4.5


def luminance(colour):
    """Relative luminance of colours ``(..., 3)`` from 0 to 255."""
    part = np.asarray(colour, dtype=float) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    light, dark = np.maximum(one, other), np.minimum(one, other)
    return (light + 0.05) / (dark + 0.05)


def contrast_in(widget, container):
    """The contrast of the text of a widget, as it is drawn, with the most frequent colour around it."""
    area = QRect(widget.mapTo(container, QPoint(0, 0)), widget.size()) & container.rect()
    image = container.grab(area).toImage().convertToFormat(QImage.Format.Format_RGB888)
    if image.isNull():
        # Squeezed to nothing by the layout.
        return LEAST
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : 3 * image.width()].reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return float(contrast(luminance(colours), luminance(colours[np.argmax(counts)])).max())


def has_text(widget):
    return bool(widget.text().strip()) and widget.isEnabled() and widget.isVisible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_of_panel_and_view_bar_can_be_read(make_napari_viewer, qtbot, theme):
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    panel = Panel(viewer)
    viewer.window.add_dock_widget(panel, name="Panel")
    qtbot.waitUntil(lambda: not panel.is_being_built)
    faint, bar = {}, View.of(viewer).bar
    for name in STEPS:
        panel.show_step(name)
        qtbot.wait(20)
        # The bar is transparent.
        for widget, container in ((panel, panel), (bar, bar.parentWidget())):
            for kind in (QLabel, QAbstractButton):
                for one in filter(has_text, widget.findChildren(kind)):
                    ratio = contrast_in(one, container)
                    if ratio < LEAST:
                        faint[f"{name}: {one.text()[:40]}"] = round(ratio, 2)
    assert faint == {}


@pytest.mark.parametrize("behind", [0, 64, 128, 255])
def test_captions_can_be_read_on_any_image(behind):
    box, share = np.array(BEHIND_TEXT.getRgb()[:3]), BEHIND_TEXT.alphaF()
    background = share * box + (1 - share) * np.full(3, behind)
    assert contrast(luminance(TEXT.getRgb()[:3]), luminance(background)) >= LEAST


def test_the_measure_itself():
    assert contrast(luminance((255, 255, 255)), luminance((0, 0, 0))) == pytest.approx(21)
    orange, light = (QColor(name).getRgb()[:3] for name in ("#ffb74d", "#ebe7e6"))
    assert contrast(luminance(orange), luminance(light)) < 2
