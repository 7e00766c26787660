"""A draw, and what became of the necrosis, in words."""

from napari_necroseg.widgets.shared.augment_view import Sheet, View


def in_words(view: View) -> str:
    """Say the values of a draw."""
    drawn = view.drawn
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
    if view.contrast:
        factors, offsets = zip(*view.contrast, strict=True)
        parts.append(f"contrast {_list(factors, '.2f')}, brightness {_list(offsets, '+.2f')}")
    return "; ".join(parts) + "."


def sheet_in_words(sheet: Sheet) -> str:
    """Say which draws are shown."""
    first, last = sheet.wish.number, sheet.wish.number + len(sheet.tiles) - 1
    return f"Draws {first} to {last}, those at the necrosis on a slice of it. Click one to see it alone."


def necrosis_in_words(view: View) -> str:
    """Say what became of the necrosis."""
    assert view.before_ml is not None
    assert view.after_ml is not None
    if view.before_ml == 0:
        return "Necrosis: none is outlined in this case."
    if view.after_ml == 0:
        return f"Necrosis: {view.before_ml:.2f} mL in the case; none of it in this patch."
    share = view.after_ml / view.before_ml
    return (
        f"Necrosis: {view.before_ml:.2f} mL in the case, {view.after_ml:.2f} mL in the patch ({share:.0%})."
    )


def _towards(voxels: int, there: str, back: str) -> str:
    return f"{abs(voxels)} {there if voxels >= 0 else back}"


def _list(values: tuple[float, ...], how: str) -> str:
    # A minus sign, where a line would be broken after a hyphen.
    return " and ".join(format(value, how).replace("-", "\N{MINUS SIGN}") for value in values)
