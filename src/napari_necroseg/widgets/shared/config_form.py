"""A form made from the fields of a config: titles, help, bounds and units are those of the config."""

import json
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from napari_necroseg.core.config import Config, Range, range_bounds
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.widgets.shared.qt_parts import DecimalBox, Section, WholeBox, guard_inputs, on_destroyed
from napari_necroseg.widgets.shared.worker import JobRunner

_MOST_INT = 2**31 - 1

# World coordinates of anything that was ever in a scanner.
_SCANNER_MM = (-10_000.0, 10_000.0)

# What is true of any computer; nothing is known of the others until one has looked.
_ALWAYS = {"auto": "a graphics card if there is one", "cpu": "processor"}
_LOOKING = "Looking for graphics cards ..."
_SECONDS_BETWEEN_POLLS = 0.05
_MOST_SECONDS = 60.0

# Free memory changes; an older list is made anew when it is opened.
_FRESH_SECONDS = 30.0
_COMMAND = ("-m", "napari_necroseg.cli", "devices", "--json")


class Editor(QWidget):
    """An input with a typed value; the base of all editors."""

    changed = Signal()

    def value(self) -> Any:
        """Return what the person chose."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value, without emitting `changed` more than once."""
        raise NotImplementedError

    def _hold(self, *widgets: QWidget) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            row.addWidget(widget, 1 if widget is widgets[-1] else 0)
        guard_inputs(self)


class ConfigForm(QWidget):
    """Shows a config and lets a person change it.

    Parameters
    ----------
    config
        What to show first; choices without an input keep its values.
    plain
        Names of the fields that everybody sees; ``a.b`` is field ``b`` of the config in field ``a``.
    hidden
        Names of the fields without an input. All others are in the collapsed part below, so that a new
        choice never goes missing.
    """

    changed = Signal()

    def __init__(self, config: Config, *, plain: tuple[str, ...], hidden: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._config = config
        self._editors: dict[str, Editor] = {}
        self._filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._rows(plain))
        names = tuple(name for name in _names(type(config)) if name not in plain + hidden)
        if names:
            self.advanced = Section("Advanced")
            self.advanced.addWidget(self._rows(names))
            column.addWidget(self.advanced)
        self.set_config(config)

    def config(self) -> Config:
        """Return the choices, checked.

        Raises
        ------
        SettingsError
            For choices that contradict each other.
        """
        changes: dict[str, object] = {}
        for name, editor in self._editors.items():
            outer, dot, inner = name.partition(".")
            if dot:
                nested = changes.setdefault(outer, getattr(self._config, outer).model_dump())
                assert isinstance(nested, dict)
                nested[inner] = editor.value()
            else:
                changes[name] = editor.value()
        return self._config.changed(**changes)

    def set_config(self, config: Config) -> None:
        """Show other choices; `changed` is emitted once."""
        self._config = config
        self._filling = True
        for name, editor in self._editors.items():
            value: object = config
            for part in name.split("."):
                value = getattr(value, part)
            editor.set_value(value)
        self._filling = False
        self.changed.emit()

    def editor(self, name: str) -> Editor:
        """Return the input of a field."""
        return self._editors[name]

    def _rows(self, names: Iterable[str]) -> QWidget:
        rows = QWidget()
        form = QFormLayout(rows)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for name in names:
            field = _field(type(self._config), name)
            editor = make_editor(field)
            editor.changed.connect(self._on_changed)
            label = QLabel(field.title or name)
            label.setToolTip(field.description or "")
            form.addRow(label, editor)
            self._editors[name] = editor
        return rows

    def _on_changed(self) -> None:
        if not self._filling:
            self.changed.emit()


def _names(config_type: type[Config]) -> Iterator[str]:
    for name, field in config_type.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, Config):
            yield from (f"{name}.{inner}" for inner in _names(nested))
        else:
            yield name


def _field(config_type: type[Config], name: str) -> FieldInfo:
    *outer, last = name.split(".")
    for part in outer:
        nested = config_type.model_fields[part].annotation
        assert isinstance(nested, type)
        assert issubclass(nested, Config)
        config_type = nested
    return config_type.model_fields[last]


class NumberEditor(Editor):
    """A whole number, or a decimal one shown with as many digits as it has; `step` if it goes by steps."""

    def __init__(
        self, kind: type, *, bounds: tuple[float, float], unit: str, step: int | None = None
    ) -> None:
        super().__init__()
        self._spin: WholeBox | DecimalBox = WholeBox() if kind is int else _FreeSpinBox()
        self._bounds = kind(bounds[0]), kind(bounds[1])
        self._spin.setRange(*self._bounds)
        if step is None:
            self._spin.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        else:
            self._spin.setSingleStep(step)
        self._spin.setSuffix(f" {unit}" if unit else "")
        self._spin.setMinimumWidth(90)
        self._spin.valueChanged.connect(self.changed)
        self._hold(self._spin)

    def value(self) -> float:
        """Return the number."""
        return self._spin.value()

    def set_value(self, value: float) -> None:
        """Show a number."""
        self._spin.setValue(value)  # type: ignore[arg-type]  # an int where the field is one

    def set_least(self, value: float | None) -> None:
        """Allow no smaller number, or again all that the field allows."""
        self._spin.setMinimum(self._bounds[0] if value is None else value)  # type: ignore[arg-type]  # as above


class SliderEditor(Editor):
    """A decimal number that one slides; for a field that names its ``step``."""

    def __init__(self, *, bounds: tuple[float, float], step: float) -> None:
        super().__init__()
        self._slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self._slider.setDecimals(2)
        # The bounds themselves may be excluded.
        self._slider.setRange(bounds[0] + step, bounds[1] - step)
        self._slider.setSingleStep(step)
        self._slider.valueChanged.connect(self.changed)
        self._hold(self._slider)

    def value(self) -> float:
        """Return the number, as it is shown."""
        return round(float(self._slider.value()), 2)

    def set_value(self, value: float) -> None:
        """Slide to a number."""
        self._slider.setValue(value)


class NumbersEditor(Editor):
    """Several decimal numbers side by side: the ends of a range, the coordinates of a point."""

    def __init__(self, count: int, *, bounds: tuple[float, float], unit: str) -> None:
        super().__init__()
        self._numbers = [NumberEditor(float, bounds=bounds, unit=unit) for _ in range(count)]
        for number in self._numbers:
            number.changed.connect(self.changed)
        self._hold(*self._numbers)

    def value(self) -> tuple[float, ...]:
        """Return all numbers."""
        return tuple(number.value() for number in self._numbers)

    def set_value(self, value: tuple[float, ...]) -> None:
        """Show all numbers."""
        for editor, number in zip(self._numbers, value, strict=True):
            editor.set_value(number)


class ChoiceEditor(Editor):
    """One of a few words."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        super().__init__()
        self._combo = QComboBox()
        self._combo.addItems(choices)
        self._combo.currentTextChanged.connect(self.changed)
        self._hold(self._combo)

    def value(self) -> str:
        """Return the word."""
        return self._combo.currentText()

    def set_value(self, value: str) -> None:
        """Show a word."""
        self._combo.setCurrentText(value)


class DeviceEditor(Editor):
    """One of the devices of this computer."""

    def __init__(self) -> None:
        super().__init__()
        self._choice = DeviceChoice()
        self._choice.chosen.connect(self.changed)
        self._hold(self._choice)

    def value(self) -> str:
        """Return the device's name."""
        return self._choice.name()

    def set_value(self, value: str) -> None:
        """Show a device."""
        self._choice.choose(value)


class SwitchEditor(Editor):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self._box = QCheckBox()
        self._box.toggled.connect(self.changed)
        self._hold(self._box)

    def value(self) -> bool:
        """Whether it is on."""
        return self._box.isChecked()

    def set_value(self, value: bool) -> None:
        """Switch it on or off."""
        self._box.setChecked(value)


class SeveralEditor(Editor):
    """Any of a few words, as a row of checkboxes."""

    def __init__(self, choices: tuple[Any, ...]) -> None:
        super().__init__()
        self._boxes = {choice: QCheckBox(str(choice)) for choice in choices}
        for box in self._boxes.values():
            box.toggled.connect(self.changed)
        self._hold(*self._boxes.values())

    def value(self) -> tuple[Any, ...]:
        """Return the ticked words, in their order."""
        return tuple(choice for choice, box in self._boxes.items() if box.isChecked())

    def set_value(self, value: tuple[Any, ...]) -> None:
        """Tick these words, and no other."""
        for choice, box in self._boxes.items():
            box.setChecked(choice in value)


class OptionalEditor(Editor):
    """Another editor that can be left out: a checkbox before it."""

    def __init__(self, inner: Editor) -> None:
        super().__init__()
        self._inner = inner
        self._box = QCheckBox()
        self._box.toggled.connect(inner.setEnabled)
        self._box.toggled.connect(self.changed)
        inner.changed.connect(self.changed)
        inner.setEnabled(False)
        self._hold(self._box, inner)

    def value(self) -> Any:
        """Return the inner value, or None where it is left out."""
        return self._inner.value() if self._box.isChecked() else None

    def set_value(self, value: Any) -> None:
        """Show a value; None leaves it out, and keeps what was last typed."""
        if value is not None:
            self._inner.set_value(value)
        self._box.setChecked(value is not None)


class _FreeSpinBox(DecimalBox):
    """A decimal number with as many digits as it has; napari's own would show 0.001 as 0.0."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(8)

    def textFromValue(self, value: float) -> str:  # noqa: N802  # Qt's name
        return f"{value:.8f}".rstrip("0").rstrip(".") or "0"


def make_editor(field: FieldInfo) -> Editor:
    """Make the input that fits a field of a config."""
    editor = _editor_for(field.annotation, field)
    editor.setToolTip(field.description or "")
    return editor


def _editor_for(annotation: Any, field: FieldInfo) -> Editor:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = next(part for part in get_args(annotation) if part is not type(None))
        return OptionalEditor(_editor_for(inner, field))
    if get_origin(annotation) is Literal:
        return ChoiceEditor(get_args(annotation))
    if annotation == Range:
        return NumbersEditor(2, bounds=range_bounds(field), unit=unit_of(field))
    if get_args(annotation) == (float, float, float):
        return NumbersEditor(3, bounds=_SCANNER_MM, unit=unit_of(field))
    if get_origin(annotation) is tuple:
        return SeveralEditor(tuple(get_args(annotation)[0]))
    simple: dict[Any, Callable[[], Editor]] = {
        bool: SwitchEditor,
        # The only free word in a config is the device.
        str: DeviceEditor,
        int: lambda: NumberEditor(int, bounds=_bounds(field), unit=unit_of(field), step=_multiple(field)),
        float: lambda: _decimal_editor(field),
    }
    return simple[annotation]()


def _decimal_editor(field: FieldInfo) -> Editor:
    extra = field.json_schema_extra
    step = extra.get("step") if isinstance(extra, dict) else None
    if isinstance(step, float):
        return SliderEditor(bounds=_bounds(field), step=step)
    return NumberEditor(float, bounds=_bounds(field), unit=unit_of(field))


def _multiple(field: FieldInfo) -> int | None:
    """Return what the numbers of a field are multiples of, if it says so."""
    return next((int(rule.multiple_of) for rule in field.metadata if hasattr(rule, "multiple_of")), None)


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a field, or nothing."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _bounds(field: FieldInfo) -> tuple[float, float]:
    """Bounds of the field; an excluded bound is left out by the smallest step that can be typed."""
    low, high = 0.0, float(_MOST_INT)
    for rule in field.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
        if hasattr(rule, "gt"):
            low = rule.gt + 1e-8
        if hasattr(rule, "lt"):
            high = rule.lt - 1e-8
    return low, min(high, float(_MOST_INT))


class DeviceChoice(QComboBox):
    """Shows devices in words and holds the name of one.

    It looks for the cards when the list is opened, in another process: to import torch here would let the
    viewer stand still, and to ask a card for its free memory takes some of it until the process ends.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.looker = JobRunner(self)
        self._looked_s: float | None = None
        # A name of a card is long, and must not widen the dock; the opened list is as wide as it needs.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self._fill(_ALWAYS, "auto")
        self.currentIndexChanged.connect(self.chosen)
        self.looker.finished.connect(self._on_found)
        self.looker.failed.connect(lambda _: self._on_found({}))
        on_destroyed(self, self.looker.stop_flag())

    def name(self) -> str:
        """Return the name of the chosen device."""
        return str(self.currentData())

    def choose(self, name: str) -> None:
        """Choose a device by its name, also one that was not found here; whoever uses it says so."""
        if self.findData(name) < 0:
            self.addItem(name, name)
        self.setCurrentIndex(self.findData(name))

    def showPopup(self) -> None:  # noqa: N802  # Qt's name
        """Open the list, and look for cards unless that was just done."""
        is_fresh = self._looked_s is not None and time.monotonic() - self._looked_s < _FRESH_SECONDS
        if not is_fresh and self.looker.start(find_devices):
            self._announce()
        super().showPopup()

    def _announce(self) -> None:
        """Say in the list that more is to come, in a line that cannot be chosen."""
        self.addItem(_LOOKING, None)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        last = model.item(self.count() - 1)
        assert last is not None
        last.setFlags(Qt.ItemFlag.NoItemFlags)

    def _on_found(self, found: dict[str, str]) -> None:
        """Show what was found in place of what was known, and keep the choice."""
        self._looked_s = time.monotonic() if found else None
        view = self.view()
        was_open = view is not None and view.isVisible()
        self.hidePopup()
        self._fill(found or _ALWAYS, self.name())
        if was_open:
            super().showPopup()

    def _fill(self, words: dict[str, str], name: str) -> None:
        self.blockSignals(True)
        self.clear()
        for device, what in words.items():
            self.addItem(f"{device}: {what}", device)
        self.choose(name)
        self.blockSignals(False)
        view = self.view()
        if view is not None:
            view.setMinimumWidth(view.sizeHintForColumn(0) + 30)


def find_devices(stop: threading.Event) -> Iterator[Event]:
    """Ask ``necroseg devices`` what there is: words by name."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        creationflags=flags,
    ) as process:
        deadline_s = time.monotonic() + _MOST_SECONDS
        while process.poll() is None:
            if stop.wait(_SECONDS_BETWEEN_POLLS) or time.monotonic() > deadline_s:
                process.kill()
        output = "" if process.stdout is None else process.stdout.read()
    if process.returncode != 0:
        raise NecrosegError("The graphics cards of this computer could not be listed.")
    record = json.loads(output.splitlines()[-1])
    yield Finished(result={device["name"]: device["words"] for device in record["devices"]})
