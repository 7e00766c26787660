"""A form made from the fields of a config: titles, help, bounds and units are those of the config.

It is a container of magicgui, filled through a type map. An input of our own stands in where magicgui's shows
no unit, only two decimals, no None, or reads a decimal comma as it likes.
"""

import time
import types
from collections.abc import Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from magicgui.backends._qtpy.widgets import Container as QtContainer
from magicgui.backends._qtpy.widgets import QBaseValueWidget, QBaseWidget
from magicgui.type_map import TypeMap
from magicgui.widgets import CheckBox
from magicgui.widgets.bases import (
    BaseValueWidget,
    ContainerWidget,
    ValuedContainerWidget,
    ValueWidget,
    Widget,
)
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QLabel, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_necroseg.core.config import Config, Range, range_bounds
from napari_necroseg.jobs.devices import find_devices
from napari_necroseg.widgets.shared.number_inputs import DecimalBox, WholeBox
from napari_necroseg.widgets.shared.qt_parts import NarrowCombo, Section, guard_inputs, on_destroyed
from napari_necroseg.widgets.shared.worker import JobRunner

Input = BaseValueWidget[Any]
Point = tuple[float, float, float]

_MOST_INT = 2**31 - 1
_LEAST_WIDTH = 90

# World coordinates of anything that was ever in a scanner.
_SCANNER_MM = (-10_000.0, 10_000.0)

# True of any computer; other devices are unknown until they have been looked for.
_ALWAYS = {"auto": "a graphics card if there is one", "cpu": "processor"}
_LOOKING = "Looking for graphics cards ..."

# Free memory changes; an older list is made anew when it is opened.
_FRESH_SECONDS = 30.0


class ConfigForm(QWidget):
    """Shows a config and lets a person change it.

    `config`: what to show first; choices without an input keep its values. `plain`: names of the fields that
    everybody sees; ``a.b`` is field ``b`` of the config in field ``a``. `hidden`: names of the fields without
    an input. All others are in the collapsed part below, so that a new choice never goes missing.
    """

    changed = Signal()

    def __init__(self, config: Config, *, plain: tuple[str, ...], hidden: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._config = config
        self._inputs: dict[str, Input] = {}
        self._is_filling = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._rows(plain))
        names = tuple(name for name in _names(type(config)) if name not in plain + hidden)
        if names:
            self.advanced = Section("Advanced")
            self.advanced.addWidget(self._rows(names))
            column.addWidget(self.advanced)
        guard_inputs(self)
        self.set_config(config)

    def config(self) -> Config:
        """Return the choices, checked.

        Raises SettingsError for choices that contradict each other.
        """
        changes: dict[str, object] = {}
        for name, one in self._inputs.items():
            outer, dot, inner = name.partition(".")
            if dot:
                nested = changes.setdefault(outer, getattr(self._config, outer).model_dump())
                assert isinstance(nested, dict)
                nested[inner] = one.value
            else:
                changes[name] = one.value
        return self._config.changed(**changes)

    def set_config(self, config: Config) -> None:
        """Show other choices; `changed` is emitted once."""
        self._config = config
        self._is_filling = True
        for name, one in self._inputs.items():
            value: object = config
            for part in name.split("."):
                value = getattr(value, part)
            one.set_value(value)
        self._is_filling = False
        self.changed.emit()

    def input(self, name: str) -> Input:
        """Return the input of a field."""
        return self._inputs[name]

    def _rows(self, names: Iterable[str]) -> QWidget:
        inputs = {name: make_input(_field(type(self._config), name), name) for name in names}
        self._inputs |= inputs
        rows = ContainerWidget(widgets=[*inputs.values()], labels=False, widget_type=_FormRows)
        rows.changed.connect(self._on_changed)
        native: QWidget = rows.native
        return native

    def _on_changed(self) -> None:
        if not self._is_filling:
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


class _FormRows(QtContainer):
    """The Qt half of a container whose inputs stand below each other, with their titles on the left."""

    def __init__(self, *, parent: QWidget | None = None, **_layout: object) -> None:
        QBaseWidget.__init__(self, QWidget, parent=parent)
        self._form = QFormLayout(self._qwidget)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)

    def _mgui_insert_widget(self, position: int, widget: Widget) -> None:
        title = QLabel(widget.label)
        title.setToolTip(widget.tooltip or "")
        self._form.insertRow(position, title, widget.native)


def make_input(field: FieldInfo, name: str = "") -> Input:
    """Make the input that fits a field of a config."""
    annotation, is_optional = _without_none(field.annotation)
    options: dict[str, Any] = {"name": name, "label": field.title or name, "tooltip": field.description}
    if _step_of(field) is not None:
        options["widget_type"] = SliderInput
    kind, options = _TYPES.get_widget_class(annotation=annotation, options=options)
    made = kind(annotation=annotation, **options)
    assert isinstance(made, BaseValueWidget)
    if isinstance(made, CheckBox):
        # Its title stands beside it, as for all others.
        made.text = ""
    if isinstance(made, NumberInput | NumbersInput | SliderInput):
        made.fit(field)
    return OptionalInput(made) if is_optional else made


class _NativeInput(ValueWidget[Any]):
    """A widget of Qt as an input of magicgui."""

    def __init__(
        self,
        native: type[QWidget],
        *,
        getter: str = "value",
        setter: str = "setValue",
        signal: str = "valueChanged",
        **kwargs: Any,
    ) -> None:
        half = {"qwidg": native, "getter": getter, "setter": setter, "onchange": signal}
        super().__init__(widget_type=QBaseValueWidget, backend_kwargs=half, **kwargs)


class NumberInput(_NativeInput):
    """A whole number, or a decimal one that is shown with as many digits as it has."""

    kind: type = int

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(WholeBox if self.kind is int else _FreeSpinBox, **kwargs)
        self.native.setMinimumWidth(_LEAST_WIDTH)
        self.native.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)

    def fit(self, field: FieldInfo) -> None:
        """Take over the unit, the bounds and, if there are any, the steps of a field."""
        self._least, most = map(self.kind, _bounds(field))
        self.native.setRange(self._least, most)
        unit = unit_of(field)
        self.native.setSuffix(f" {unit}" if unit else "")
        for step in (rule.multiple_of for rule in field.metadata if hasattr(rule, "multiple_of")):
            self.native.setStepType(QAbstractSpinBox.StepType.DefaultStepType)
            self.native.setSingleStep(int(step))

    def set_least(self, value: float | None) -> None:
        """Allow no smaller number, or again all that the field allows."""
        self.native.setMinimum(self._least if value is None else value)


class DecimalInput(NumberInput):
    """A decimal number."""

    kind = float


class SliderInput(_NativeInput):
    """A decimal number that one slides; for a field that names its ``step``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(QLabeledDoubleSlider, **kwargs)
        self.native.setOrientation(Qt.Orientation.Horizontal)
        self.native.setDecimals(2)

    def fit(self, field: FieldInfo) -> None:
        """Take over the bounds and the step of a field."""
        (low, high), step = _bounds(field), _step_of(field)
        assert step is not None
        # The bounds themselves may be excluded.
        self.native.setRange(low + step, high - step)
        self.native.setSingleStep(step)

    def get_value(self) -> float:
        """Return the number, as it is shown."""
        return round(float(super().get_value()), 2)


class DeviceInput(_NativeInput):
    """One of the devices of this computer: the only free word in a config."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(DeviceChoice, getter="name", setter="choose", signal="chosen", **kwargs)


class _RowInput(ValuedContainerWidget[Any]):
    """Several inputs side by side that make one value."""

    def __init__(self, *parts: Input, **kwargs: Any) -> None:
        self._parts = parts
        super().__init__(widgets=parts, layout="horizontal", labels=False, **kwargs)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setStretch(len(parts) - 1, 1)
        for part in parts:
            part.changed.connect(self._tell)

    def get_value(self) -> Any:
        """Return the values of all."""
        return tuple(part.value for part in self._parts)

    def set_value(self, value: Any) -> None:
        """Show the values of all."""
        for part, one in zip(self._parts, value, strict=True):
            part.set_value(one)

    def _tell(self) -> None:
        self.changed.emit(self.value)


class NumbersInput(_RowInput):
    """Several decimal numbers: the ends of a range, the coordinates of a point."""

    def __init__(self, *, annotation: Any, **kwargs: Any) -> None:
        super().__init__(*(DecimalInput() for _ in get_args(annotation)), annotation=annotation, **kwargs)

    def fit(self, field: FieldInfo) -> None:
        """Take over the unit and the bounds of a field."""
        for part in self._parts:
            assert isinstance(part, DecimalInput)
            part.fit(field)


class SeveralInput(_RowInput):
    """Any of a few words, each with a checkbox."""

    def __init__(self, *, annotation: Any, **kwargs: Any) -> None:
        self._words = tuple(get_args(annotation)[0])
        super().__init__(*(CheckBox(text=str(word)) for word in self._words), annotation=annotation, **kwargs)

    def get_value(self) -> Any:
        """Return the ticked words, in their order."""
        return tuple(word for word, part in zip(self._words, self._parts, strict=True) if part.value)

    def set_value(self, value: Any) -> None:
        """Tick these words, and no other."""
        super().set_value([word in value for word in self._words])


class OptionalInput(_RowInput):
    """Another input that can be left out: a checkbox before it."""

    def __init__(self, inner: Input) -> None:
        self.is_given, self.inner = CheckBox(text=" "), inner
        self.is_given.text = ""
        self.is_given.changed.connect(self._on_given)
        super().__init__(self.is_given, inner, name=inner.name, label=inner.label, tooltip=inner.tooltip)
        inner.enabled = False

    def get_value(self) -> Any:
        """Return the inner value, or None where it is left out."""
        return self.inner.value if self.is_given.value else None

    def set_value(self, value: Any) -> None:
        """Show a value; None unticks the box and keeps the number that was typed last."""
        if value is not None:
            self.inner.set_value(value)
        self.is_given.set_value(value is not None)

    def _on_given(self, is_given: bool) -> None:
        self.inner.enabled = is_given


# In this order: a bool is an int, and a range is a tuple.
_KINDS: dict[Any, type[Widget]] = {
    bool: CheckBox,
    int: NumberInput,
    float: DecimalInput,
    str: DeviceInput,
    Range: NumbersInput,
    Point: NumbersInput,
    tuple: SeveralInput,
}
_TYPES = TypeMap()
for _kind, _input in _KINDS.items():
    _TYPES.register_type(_kind, widget_type=_input)


class _FreeSpinBox(DecimalBox):
    """A decimal number with as many digits as it has; napari's own would show 0.001 as 0.0."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDecimals(8)

    def textFromValue(self, value: float) -> str:  # noqa: N802  # Qt's name
        return f"{value:.8f}".rstrip("0").rstrip(".") or "0"


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a field that may be left out, and whether it may."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    return next(part for part in get_args(annotation) if part is not type(None)), True


def _step_of(field: FieldInfo) -> float | None:
    """Return the step that a field names, if it is one to slide."""
    step = field.json_schema_extra.get("step") if isinstance(field.json_schema_extra, dict) else None
    return step if isinstance(step, float) else None


def unit_of(field: FieldInfo) -> str:
    """Return the unit of a field, or nothing."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _bounds(field: FieldInfo) -> tuple[float, float]:
    """Bounds of a field; an excluded bound is left out by the smallest step that can be typed."""
    annotation, _ = _without_none(field.annotation)
    if annotation == Range:
        return range_bounds(field)
    low, high = _SCANNER_MM if annotation == Point else (0.0, float(_MOST_INT))
    for rule in field.metadata:
        low = getattr(rule, "ge", rule.gt + 1e-8 if hasattr(rule, "gt") else low)
        high = getattr(rule, "le", rule.lt - 1e-8 if hasattr(rule, "lt") else high)
    return low, min(high, float(_MOST_INT))


class DeviceChoice(NarrowCombo):
    """Shows devices in words and holds the name of one.

    It looks for the cards when the list is opened, in another process: to import torch here would let the
    viewer stand still, and to ask a card for its free memory takes some of it until the process ends.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        # A name of a card is long, and must not widen the dock; the opened list is as wide as it needs.
        super().__init__(letters=4)
        self.setParent(parent)
        self.looker = JobRunner(self)
        self._looked_s: float | None = None
        self._fill(_ALWAYS, "auto")
        self.currentIndexChanged.connect(lambda _: self.chosen.emit(self.name()))
        self.looker.finished.connect(self._on_found)
        self.looker.failed.connect(lambda _: self._on_found({}))
        on_destroyed(self, self.looker.stop_flag())

    def name(self) -> str:
        """Return the name of the chosen device."""
        return str(self.currentData())

    def choose(self, name: str) -> None:
        """Choose a device by its name, even one that was not found here: using it gives the error."""
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
        """Add a line that says that the search is on; it cannot be chosen."""
        self.addItem(_LOOKING, None)
        model = self.model()
        assert isinstance(model, QStandardItemModel)
        last = model.item(self.count() - 1)
        assert last is not None
        last.setFlags(Qt.ItemFlag.NoItemFlags)

    def _on_found(self, found: dict[str, str]) -> None:
        """List the devices that were found, and keep the choice."""
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
