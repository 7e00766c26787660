"""Whose samples the preview shows: those of a preset, in 2D or 3D."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QWidget

from napari_necroseg.core.config import TrainConfig, train_preset

_PRESET_HELP = (
    "Whose samples. fast: patches of 64 x 64 pixels from images that were whitened as a whole, a third of "
    "them from anywhere, contrast and brightness varied. paper: 128 x 128 pixels at the necrosis, each "
    "patch whitened by itself. Ranges that you have changed stay."
)
_3D_HELP = "As for the 3D network: with fast 32 slices, with paper whitened by the whole patch."


class Whose(QWidget):
    """Chooses a preset and the dimension."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset, self.is_3d = QComboBox(), QCheckBox("3D")
        self.preset.addItems(["fast", "paper"])
        self.preset.setToolTip(_PRESET_HELP)
        self.is_3d.setToolTip(_3D_HELP)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        for widget in (QLabel("Preset"), self.preset, self.is_3d):
            line.addWidget(widget)
        self.preset.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.is_3d.toggled.connect(lambda _is_3d: self.changed.emit())

    def training(self) -> TrainConfig:
        """Return the training that was chosen, with the preset's own augmentation."""
        return train_preset(
            "paper" if self.preset.currentText() == "paper" else "fast",
            "3d" if self.is_3d.isChecked() else "2d",
        )
