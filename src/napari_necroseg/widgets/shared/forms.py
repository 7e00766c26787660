"""A form made from the fields of a config: titles, help, bounds and units are those of the config."""

from collections.abc import Iterable, Iterator

from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_necroseg.core.config import Config
from napari_necroseg.widgets.shared.editors import Editor, make_editor
from napari_necroseg.widgets.shared.section import Section


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
