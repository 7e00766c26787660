"""Rows with what is to be known or done about the cases, each with a button that does it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_necroseg.core.language import ntr, tr
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, beside, button, given, lay, timer

_MOST_PX = 210

# More rows take long to build, and nobody reads them before the first are done.
_MOST_ROWS = 20
# Of the window: the table needs the room more.
_MOST_SHARE = 0.2
_STYLE = "#notice { border-left: 3px solid #d98200; border-radius: 2px; background: rgba(217, 130, 0, 36); }"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A sentence, and what its buttons say and do; each may be dismissed for now."""

    text: str
    acts: tuple[tuple[str, Callable[[], object]], ...] = ()
    help: str = ""


class NoticeList(QScrollArea):
    """Shows notices below each other; hidden while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._dismissed: set[str] = set()
        self._notices: tuple[Notice, ...] = ()
        self._fit_soon = timer(self, 0, act=self._fit)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(3)
        self.setWidget(lay(QWidget(), below(self._rows, None)))
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.hide()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """The notices that are shown."""
        return tuple(one for one in self._notices if one.text not in self._dismissed)

    def show_notices(self, notices: Iterable[Notice]) -> None:
        """Show other notices; those that were dismissed stay away."""
        before = self.notices
        self._notices = tuple(notices)
        if self.notices != before:
            self._fill()

    def forget_dismissed(self) -> None:
        """Show again what was dismissed: another project is open."""
        self._dismissed.clear()

    def press(self, label: str) -> None:
        """Do what the first button of that name does."""
        act = next(act for one in self.notices for text, act in one.acts if text == label)
        act()

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Return the height of all rows, as far as they have room."""
        inside = given(self.widget()).layout()
        wanted = 0 if inside is None else inside.totalHeightForWidth(max(given(self.viewport()).width(), 200))
        window = self.window()
        most = _MOST_PX if window is None else min(_MOST_PX, int(_MOST_SHARE * window.height()))
        # A little more: Qt adds a scroll bar even to what fits to the pixel.
        return QSize(200, max(30, min(wanted + 6, most)))

    def resizeEvent(self, event: object) -> None:  # noqa: N802  # Qt's name
        """Ask for another height where sentences wrap otherwise."""
        super().resizeEvent(event)  # type: ignore[arg-type]  # Qt hands one of its own
        self._fit()

    def _fit(self) -> None:
        height = self.sizeHint().height()
        if self.height() != height:
            self.setFixedHeight(height)

    def _fill(self) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.deleteLater()
        notices = self.notices
        for notice in notices[:_MOST_ROWS]:
            self._rows.addWidget(self._row(notice))
        left = len(notices) - _MOST_ROWS
        if left > 0:
            self._rows.addWidget(WrappedLabel(ntr("1 more ...", "{n} more ...", left)))
        self.setVisible(bool(self.notices))
        self._fit()
        # The rows know only once they are shown how their sentences wrap.
        self._fit_soon.start()

    def _row(self, notice: Notice) -> QFrame:
        row = QFrame()
        row.setObjectName("notice")
        row.setStyleSheet(_STYLE)
        text = WrappedLabel(notice.text)
        buttons = [
            button(label, notice.help, act=lambda _checked=False, act=act: act())
            for label, act in notice.acts
        ]
        away = button("✕", tr("Hide this for now."), act=lambda: self._dismiss(notice), width=26)
        away.setFlat(True)
        lay(row, beside(text, *buttons, away, wide=text))
        layout = row.layout()
        assert layout is not None
        layout.setContentsMargins(8, 2, 2, 2)
        return row

    def _dismiss(self, notice: Notice) -> None:
        self._dismissed.add(notice.text)
        self._fill()
