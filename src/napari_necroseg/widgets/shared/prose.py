"""A label for sentences: plain text that wraps, long paths included."""

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

# Invisible; tells Qt where a long word without spaces, such as a path, may be broken.
_BREAK = "\u200b"


class Prose(QLabel):
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
