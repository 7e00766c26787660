"""The sheet of keys: a list of all keys and moves of the mouse, over the canvas."""

import html
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.widgets.shared.qt_parts import below, given

Rows = Sequence[tuple[str, str]]
_STYLE = (
    "QFrame#keys { background: rgba(20, 22, 28, 235); border: 1px solid #8a93a3; border-radius: 6px; }"
    "QFrame#keys QWidget { background: transparent; color: #ffffff; }"
)
_MARGIN_PX = 8


class KeySheet(QFrame):
    """Lists keys with what they do; a click on it, or the key again, closes it."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._tables: Callable[[], dict[str, Rows]] = dict
        self.setObjectName("keys")
        self.setStyleSheet(_STYLE)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setAccessibleName(tr("Keys and mouse"))
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setWidget(self.text)
        layout = below(self._area)
        layout.setContentsMargins(10, 8, 10, 8)
        self.setLayout(layout)
        canvas.installEventFilter(self)
        self.hide()

    def set_tables(self, tables: Callable[[], dict[str, Rows]]) -> None:
        """Set what returns the titles of the tables with their rows: the key, and what it does."""
        self._tables = tables

    def toggle(self) -> None:
        """Show the sheet, or close it."""
        if self.isVisible():
            self.hide()
            return
        self.text.setText(_as_html(self._tables()))
        self._place()
        self.show()
        self.raise_()

    def close_it(self) -> bool:
        """Close the sheet; False if it is not shown."""
        was_shown = self.isVisible()
        self.hide()
        if was_shown:
            given(self.parentWidget()).setFocus(Qt.FocusReason.OtherFocusReason)
        return was_shown

    def mousePressEvent(self, _event: Any) -> None:  # noqa: N802  # Qt's name
        """Close the sheet."""
        self.hide()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802  # Qt's name
        """Stay in the middle of the canvas."""
        if event is not None and watched is self.parentWidget() and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        canvas = self.parentWidget()
        assert canvas is not None, "it is made on a canvas"
        hint = self.text.sizeHint()
        width = min(hint.width() + 44, canvas.width() - 2 * _MARGIN_PX)
        height = min(hint.height() + 44, canvas.height() - 2 * _MARGIN_PX)
        self.setGeometry((canvas.width() - width) // 2, (canvas.height() - height) // 2, width, height)


def _as_html(tables: dict[str, Rows]) -> str:
    """Return two columns of tables, about as high as each other."""
    columns: tuple[list[str], list[str]] = ([], [])
    lengths = [0, 0]
    for title, rows in tables.items():
        lower = 0 if lengths[0] <= lengths[1] else 1
        columns[lower].append(_table(title, rows))
        lengths[lower] += len(rows) + 2
    cells = "".join(
        f"<td style='padding-right: 18px' valign='top'>{''.join(one)}</td>" for one in columns if one
    )
    return f"<table><tr>{cells}</tr></table>"


def _table(title: str, rows: Rows) -> str:
    lines = "".join(
        f"<tr><td style='padding-right: 10px'><b>{html.escape(key)}</b></td><td>{html.escape(text)}</td></tr>"
        for key, text in rows
    )
    return f"<p style='margin-top: 6px'><b>{html.escape(title)}</b></p><table>{lines}</table>"
