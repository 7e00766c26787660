"""The menu of window and level: automatic, or a preset, for both sequences or for one."""

from collections.abc import Callable, Sequence
from functools import partial

from napari.layers import Image
from qtpy.QtWidgets import QMenu, QWidget

from napari_necroseg.core.language import tr
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.shared.qt_parts import given
from napari_necroseg.widgets.view.contrast import Contrast, preset_titles


class WindowMenu(QMenu):
    """Lists what can be done with the windows of the sequences that are open."""

    def __init__(self, contrast: Contrast, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._contrast = contrast
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List the entries anew."""
        self.clear()
        images = list(reversed(self._contrast.sequences()))
        self._add_entries(self, images)
        if len(images) > 1:
            self.addSeparator()
            for image in images:
                source = source_of(image.metadata)
                name = image.name if source is None else str(source.role)
                menu = given(self.addMenu(tr("Only {sequence}", sequence=name)))
                menu.setToolTipsVisible(True)
                self._add_entries(menu, [image])

    def _add_entries(self, menu: QMenu, images: Sequence[Image]) -> None:
        help_text = tr("The window that a case is opened with.")
        self._add(menu, tr("Automatic"), help_text=help_text, act=self._contrast.make_auto, images=images)
        for name, (title, help_text) in preset_titles().items():
            self._add(menu, title, help_text=help_text, act=partial(self._preset, name), images=images)

    def _add(
        self,
        menu: QMenu,
        title: str,
        *,
        help_text: str,
        act: Callable[[Image], None],
        images: Sequence[Image],
    ) -> None:
        action = given(menu.addAction(title))
        action.setToolTip(help_text)
        action.setEnabled(bool(images))
        action.triggered.connect(lambda _checked=False: _each(act, images))

    def _preset(self, name: str, image: Image) -> None:
        self._contrast.use_preset(image, name)


def _each(act: Callable[[Image], None], images: Sequence[Image]) -> None:
    for image in images:
        act(image)
