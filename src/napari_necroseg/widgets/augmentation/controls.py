"""The controls of the preview: a switch and ranges for each transform, the preset, and files of ranges."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QStackedWidget,
    QWidget,
)
from superqt import QLabeledDoubleRangeSlider, QLabeledDoubleSlider

from napari_necroseg.core.config import (
    AUGMENT_SWITCHES,
    AugmentConfig,
    TrainConfig,
    range_bounds,
    train_preset,
)
from napari_necroseg.core.errors import NecrosegError, SettingsError
from napari_necroseg.core.project.augmentation_file import read_augment, write_augment
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.config_form import Input, make_input, unit_of
from napari_necroseg.widgets.shared.qt_parts import Section, WrappedLabel, below, beside, button, given, lay
from napari_necroseg.widgets.shared.workspace import Workspace

# The fields of each transform, in the order of the form.
FIELDS = {
    "blur": ("blur_sigma_voxels",),
    "gamma": ("gamma_range",),
    "mirror": ("mirror_probability",),
    "scaling": ("scale_range",),
    "rotation": ("rotation_transversal_deg", "rotation_sagittal_deg"),
    "elastic": (
        "elastic_in_plane_voxels",
        "elastic_through_plane_voxels",
        "elastic_points",
        "elastic_sigma_cells",
    ),
    "translation": ("shift_voxels",),
}

# The field of a draw that a range gives, and its value where nothing is done.
SINGLE = {
    "blur_sigma_voxels": ("blur_sigma_voxels", 0.0),
    "gamma_range": ("gamma", 1.0),
    "scale_range": ("scale", 1.0),
    "rotation_transversal_deg": ("rotation_transversal_deg", 0.0),
    "rotation_sagittal_deg": ("rotation_sagittal_deg", 0.0),
    "elastic_sigma_cells": ("elastic_sigma_cells", 0.0),
}
_AXES = {"L-R": "left and right", "H-F": "head and foot", "A-P": "front and back"}
_USE_HELP = "Let the dock Train use these ranges, in place of its preset's."
_SAVE_HELP = "Save these ranges to a file; necroseg train --augment FILE takes it."
_PRESET_HELP = (
    "Whose samples. fast: patches of 64 x 64 pixels from images that were whitened as a whole, a third of "
    "them from anywhere, contrast and brightness varied. paper: 128 x 128 pixels at the necrosis, each "
    "patch whitened by itself. Ranges that you have changed stay."
)
_3D_HELP = "As for the 3D network: with fast 32 slices, with paper whitened by the whole patch."


class AugmentControls(QWidget):
    """Shows an augmentation and lets a person change it; or lets one value be set for each parameter."""

    changed = Signal()
    released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_filling = False
        self.switches: dict[str, QCheckBox] = {}
        self.sections: dict[str, Section] = {}
        self.ranges: dict[str, QLabeledDoubleRangeSlider] = {}
        self.singles: dict[str, QLabeledDoubleSlider] = {}
        self.numbers: dict[str, Input] = {}
        self.flips = [QCheckBox(name) for name in _AXES]
        for box, ends in zip(self.flips, _AXES.values(), strict=True):
            box.setToolTip(f"Swap {ends}.")
        self.shifts = [_slider(-60, 60, decimals=0) for _ in range(2)]
        self._stacks: list[QStackedWidget] = []
        sections = below(*(self._section(name) for name in AUGMENT_SWITCHES))
        sections.setSpacing(2)
        lay(self, sections)
        self.set_config(AugmentConfig())
        self.reset_single()
        self._connect()

    def config(self) -> AugmentConfig:
        """Return the ranges."""
        choices: dict[str, Any] = {name: box.isChecked() for name, box in self.switches.items()}
        choices |= {name: tuple(map(float, slider.value())) for name, slider in self.ranges.items()}
        choices |= {name: number.value for name, number in self.numbers.items()}
        return AugmentConfig.checked(**choices)

    def set_config(self, config: AugmentConfig) -> None:
        """Show other ranges; `changed` is emitted once."""
        self._is_filling = True
        for name, box in self.switches.items():
            box.setChecked(getattr(config, name))
        for name, slider in self.ranges.items():
            slider.setValue(getattr(config, name))
        for name, number in self.numbers.items():
            number.set_value(getattr(config, name))
        self._is_filling = False
        self.changed.emit()

    def values(self) -> dict[str, object]:
        """Return the single values, as fields of a draw; a transform that is off leaves its own out."""
        found: dict[str, object] = {}
        for switch, names in FIELDS.items():
            if self.switches[switch].isChecked():
                found |= {
                    SINGLE[name][0]: float(self.singles[name].value()) for name in names if name in SINGLE
                }
        if self.switches["mirror"].isChecked():
            found["is_mirrored"] = tuple(box.isChecked() for box in self.flips)
        if self.switches["translation"].isChecked():
            found["shift_voxels"] = tuple(int(slider.value()) for slider in self.shifts)
        if self.switches["elastic"].isChecked():
            in_plane = float(self.numbers["elastic_in_plane_voxels"].value)
            across = float(self.numbers["elastic_through_plane_voxels"].value)
            found["elastic_voxels"] = (across, in_plane, in_plane)
            found["elastic_points"] = self.numbers["elastic_points"].value
        return found

    def show_single(self, is_single: bool) -> None:
        """Show one slider for each parameter, or its range."""
        for stack in self._stacks:
            stack.setCurrentIndex(int(is_single))

    def reset_single(self) -> None:
        """Set each single value to where nothing is done."""
        self._is_filling = True
        for name, slider in self.singles.items():
            slider.setValue(SINGLE[name][1])
        for box in self.flips:
            box.setChecked(False)
        for slider in self.shifts:
            slider.setValue(0)
        self._is_filling = False
        self.changed.emit()

    def _section(self, name: str) -> QWidget:
        """Make a switch, with the section that it switches beside it."""
        field = AugmentConfig.model_fields[name]
        switch, section = QCheckBox(), Section(field.title or name)
        switch.setToolTip(f"{field.description} Off: it is left out.")
        section.setToolTip(field.description or "")
        content = QWidget()
        form = QFormLayout(content)
        form.setContentsMargins(0, 0, 0, 4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for inner in FIELDS[name]:
            self._add_row(form, inner)
        section.addWidget(content)
        # A transform that is off has no effect, neither as a range nor as one value.
        switch.toggled.connect(content.setEnabled)
        content.setEnabled(switch.isChecked())
        given(section.layout()).setContentsMargins(0, 0, 0, 0)
        # In line with the heading, not with the middle of an open section.
        switch.setFixedHeight(section.toggleButton().sizeHint().height() + 4)
        line = beside(switch, section, wide=section)
        line.setSpacing(4)
        line.setAlignment(switch, Qt.AlignmentFlag.AlignTop)
        self.switches[name], self.sections[name] = switch, section
        return lay(QWidget(), line)

    def _add_row(self, form: QFormLayout, name: str) -> None:
        field = AugmentConfig.model_fields[name]
        unit = unit_of(field)
        label = QLabel(f"{field.title}, {unit}" if unit else field.title or name)
        label.setToolTip(field.description or "")
        form.addRow(label, self._input(name, field))

    def _input(self, name: str, field: FieldInfo) -> QWidget:
        if name in SINGLE:
            least, most = range_bounds(field)
            slider = QLabeledDoubleRangeSlider(Qt.Orientation.Horizontal)
            slider.setRange(least, most)  # type: ignore[arg-type]  # of decimals, whatever the base says
            slider.setDecimals(2 if most < 10 else 0)
            self.ranges[name] = slider
            self.singles[name] = _slider(least, most, decimals=2 if most < 10 else 0)
            return self._stacked(slider, self.singles[name], field=field)
        number = self.numbers[name] = make_input(field, name)
        # In a row of its own, so that it stays as high as it is.
        of_range = lay(QWidget(), beside(number.native))
        if name == "mirror_probability":
            return self._stacked(of_range, lay(QWidget(), beside(*self.flips)), field=field)
        if name == "shift_voxels":
            return self._stacked(of_range, lay(QWidget(), below(*self.shifts)), field=field)
        return of_range

    def _stacked(self, of_range: QWidget, single: QWidget, *, field: FieldInfo) -> QStackedWidget:
        stack = QStackedWidget()
        for widget in (of_range, single):
            if not widget.toolTip():
                widget.setToolTip(field.description or "")
            stack.addWidget(widget)
        self._stacks.append(stack)
        return stack

    def _connect(self) -> None:
        for box in (*self.switches.values(), *self.flips):
            box.toggled.connect(self._on_changed)
        for slider in (*self.ranges.values(), *self.singles.values(), *self.shifts):
            slider.valueChanged.connect(self._on_changed)
            slider.sliderReleased.connect(self.released)
        for number in self.numbers.values():
            number.changed.connect(self._on_changed)

    def _on_changed(self, *_: object) -> None:
        if not self._is_filling:
            self.changed.emit()


def _slider(least: float, most: float, *, decimals: int) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(least, most)
    slider.setDecimals(decimals)
    return slider


class OwnRanges(QWidget):
    """Buttons for the ranges that `controls` shows."""

    def __init__(self, workspace: Workspace, controls: AugmentControls, *, training: TrainConfig) -> None:
        super().__init__()
        self._workspace, self._controls = workspace, controls
        # The ranges of the preset.
        self._preset = training.augment
        self.message = WrappedLabel()
        own = button("As the preset", "Back to the transforms and ranges of the preset.", act=self.reset)
        load = button("Load...", "Load ranges from a file.", act=self.load)
        save = button("Save...", _SAVE_HELP, act=self.save)
        use = button("Use for training", _USE_HELP, act=self.use_for_training)
        lay(self, below(beside(own, load, save, None), use, self.message))
        # Those that were used for training in an earlier session are shown, but not used again unasked.
        controls.set_config(read_remembered().augment or self._preset)

    def follow(self, training: TrainConfig) -> None:
        """Show the ranges of another preset, unless a person has changed those of the last one."""
        before, self._preset = self._preset, training.augment
        try:
            is_untouched = self._controls.config() == before
        except SettingsError:
            is_untouched = False
        if is_untouched:
            self._controls.set_config(self._preset)

    def reset(self) -> None:
        """Go back to the preset's."""
        self._controls.set_config(self._preset)
        self._controls.reset_single()
        remember(augment=None)

    def use_for_training(self) -> None:
        """Hand the ranges to the dock Train, in place of its preset's."""
        self._try(self._use, "The dock Train now uses these ranges.")

    def _use(self) -> None:
        config = self._controls.config()
        self._workspace.set_augment(config)
        remember(augment=config)

    def save(self) -> None:
        """Write the ranges to a file, which ``necroseg train --augment FILE`` takes, too."""
        path = qt_parts.ask_where_to_save(
            self, "Save the augmentation", start="augmentation.json", kinds=qt_parts.PRESETS
        )
        if path is not None:
            self._try(lambda: write_augment(path, self._controls.config()), f"Saved as {path.name}.")

    def load(self) -> None:
        """Show the ranges of a file."""
        path = qt_parts.ask_preset(self)
        if path is not None:
            self._try(partial(self._show, path), f"Loaded {path.name}.")

    def _show(self, path: Path) -> None:
        self._controls.set_config(read_augment(path))

    def _try(self, act: Callable[[], None], success: str) -> None:
        try:
            act()
        except NecrosegError as error:
            self.message.say(str(error))
        else:
            self.message.say(success)


class PresetChoice(QWidget):
    """Chooses the preset and the dimension whose samples are shown."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.preset, self.is_3d = QComboBox(), QCheckBox("3D")
        self.preset.addItems(["fast", "paper"])
        self.preset.setToolTip(_PRESET_HELP)
        self.is_3d.setToolTip(_3D_HELP)
        lay(self, beside(QLabel("Preset"), self.preset, self.is_3d))
        self.preset.currentIndexChanged.connect(lambda _index: self.changed.emit())
        self.is_3d.toggled.connect(lambda _is_3d: self.changed.emit())

    def training(self) -> TrainConfig:
        """Return the training that was chosen, with the preset's own augmentation."""
        return train_preset(
            "paper" if self.preset.currentText() == "paper" else "fast",
            "3d" if self.is_3d.isChecked() else "2d",
        )
