"""A draw, and what became of the necrosis, in words."""

from typing import TYPE_CHECKING

from napari_necroseg.widgets.shared.augment_view import View

if TYPE_CHECKING:
    from napari_necroseg.core.augment.drawn import Drawn


def in_words(drawn: "Drawn") -> str:
    """Say the values of a draw."""
    axes = [
        name
        for name, is_flipped in zip(("left-right", "head-foot", "front-back"), drawn.is_mirrored, strict=True)
        if is_flipped
    ]
    down, right = drawn.shift_voxels
    parts = [
        f"factor {drawn.scale:.2f}",
        f"turned {drawn.rotation_transversal_deg:.1f}° in the slice",
        f"{drawn.rotation_sagittal_deg:.1f}° sideways",
        f"moved {_towards(down, 'down', 'up')} and {_towards(right, 'right', 'left')} voxels",
        f"mirrored {' and '.join(axes)}" if axes else "not mirrored",
        f"gamma {_list(drawn.gamma, '.2f')}",
        f"blur {_list(drawn.blur_sigma_voxels, '.2f')} voxels",
        f"bent by {max(drawn.elastic_voxels):.1f} voxels" if drawn.is_elastic else "not bent",
    ]
    return "; ".join(parts) + "."


def necrosis_in_words(view: View) -> str:
    """Say what became of the necrosis."""
    assert view.before_ml is not None
    assert view.after_ml is not None
    if view.before_ml == 0:
        return "Necrosis: none is outlined in this case."
    if view.after_ml == 0:
        return f"Necrosis: {view.before_ml:.2f} mL before; none is left in the patch."
    share = view.after_ml / view.before_ml
    return f"Necrosis: {view.before_ml:.2f} mL before, {view.after_ml:.2f} mL in the patch ({share:.0%})."


def _towards(voxels: int, there: str, back: str) -> str:
    return f"{abs(voxels)} {there if voxels >= 0 else back}"


def _list(values: tuple[float, ...], how: str) -> str:
    return " and ".join(format(value, how) for value in values)
