"""Small pieces that docks are put together from."""

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton

from napari_necroseg.widgets.shared.numbers import WholeBox


def spin(most: int) -> WholeBox:
    """Make a narrow input for a whole number from 0."""
    box = WholeBox()
    box.setRange(0, most)
    box.setButtonSymbols(WholeBox.ButtonSymbols.NoButtons)
    box.setFixedWidth(64)
    return box


def button(text: str, help_text: str, act: Any, *, width: int | None = None) -> QPushButton:
    """Make a button that does something."""
    made = QPushButton(text)
    made.setToolTip(help_text)
    made.clicked.connect(lambda _checked: act())
    if width is not None:
        made.setFixedWidth(width)
    return made


def row(*widgets: Any) -> QHBoxLayout:
    """Put widgets beside each other; None is a gap that grows."""
    made = QHBoxLayout()
    for widget in widgets:
        if widget is None:
            made.addStretch(1)
        else:
            made.addWidget(widget)
    return made
