"""Number boxes with a unit."""

from qtpy.QtWidgets import QDoubleSpinBox

_LEAST_MM = 0.1


def mm_spin(value: float, *, most: float, step: float, help_text: str) -> QDoubleSpinBox:
    """Return a box for millimetres."""
    spin = QDoubleSpinBox()
    spin.setRange(_LEAST_MM, most)
    spin.setDecimals(1)
    spin.setSingleStep(step)
    spin.setSuffix(" mm")
    spin.setValue(value)
    spin.setToolTip(help_text)
    return spin
