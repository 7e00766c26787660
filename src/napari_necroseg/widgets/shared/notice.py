"""A line that tells what has happened to the person's work, with one button that changes it."""

from collections.abc import Callable

from qtpy.QtWidgets import QPushButton, QWidget

from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, beside, lay

_STYLE = "Notice { border: 1px solid #d29922; border-radius: 4px; }"


class Notice(QWidget):
    """One notice at a time; hidden without one."""

    def __init__(self) -> None:
        super().__init__()
        self.text = WrappedLabel()
        self.button = QPushButton()
        self.button.clicked.connect(self._on_button)
        self._act: Callable[[], object] | None = None
        lay(self, beside(self.text, self.button, wide=self.text))
        self.setStyleSheet(_STYLE)
        self.hide()

    def tell(self, text: str, *, button: str = "", act: Callable[[], object] | None = None) -> None:
        """Show a notice; its button, if there is one, takes the notice away."""
        self._act = act
        self.text.say(text)
        self.button.setText(button)
        self.button.setVisible(act is not None)
        self.show()

    def clear(self) -> None:
        """Show nothing."""
        self._act = None
        self.text.say("")
        self.hide()

    def _on_button(self) -> None:
        act = self._act
        self.clear()
        if act is not None:
            act()
