"""Draws a contact sheet: many samples at a glance, as one picture.

Axes: C sequences, Y rows, X columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.mapping import Drawn

if TYPE_CHECKING:
    from PIL.Image import Image


# Whitened intensities from black to white.
BLACK, _WHITE = -2.0, 3.0

# Vermillion of the palette of Okabe and Ito, which colour-blind people can tell from grey, too.
_OUTLINE = (213, 94, 0)
_HEADER, _CAPTION, _GAP = 30, 32, 10
# Pixels for one voxel, so that outlines are thin.
ENLARGED = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """One sample on the sheet: whitened images ``(C, Y, X)``, target ``(Y, X)``, one or two short lines."""

    images: NDArray[np.float32]
    target: NDArray[np.uint8]
    caption: str


def make_tile(images: NDArray[np.float32], target: NDArray[np.uint8], *, drawn: Drawn, number: int) -> Tile:
    """Make the tile of a sample ``(C, *S)``: a volume patch is shown by the slice with most target."""
    if images.ndim == 4:
        area = target.sum(axis=(1, 2))
        index = int(area.argmax()) if area.any() else len(target) // 2
        images, target = images[:, index], target[index]
    return Tile(images=images, target=target, caption=f"{number}: {caption(drawn)}")


def caption(drawn: Drawn) -> str:
    """Say the values of a draw in two short lines."""
    gammas = " ".join(f"{power:.2f}" for power in drawn.gamma)
    flips = "".join(axis for axis, is_flipped in zip("ZYX", drawn.is_mirrored, strict=True) if is_flipped)
    turns = f"{drawn.rotation_transversal_deg:.0f} and {drawn.rotation_sagittal_deg:.0f} deg"
    return f"x{drawn.scale:.2f}  {turns}\ngamma {gammas}" + (f"  flip {flips}" if flips else "")


def contact_sheet(tiles: Sequence[Tile], *, spacing_mm: tuple[float, float], title: str) -> "Image":
    """Draw samples side by side, each with its sequences, the outline of its target, and its caption.

    Pixels have the proportions of the spacing of rows and columns.
    """
    from PIL import Image, ImageDraw

    pictures = [_picture(tile, spacing_mm) for tile in tiles]
    n_columns = ceil(sqrt(len(pictures)))
    width, height = pictures[0].width + _GAP, pictures[0].height + _CAPTION + _GAP
    n_rows = ceil(len(pictures) / n_columns)
    sheet = Image.new("RGB", (n_columns * width + _GAP, n_rows * height + _HEADER + _GAP), "black")
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP), title, fill="white")
    for number, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        row, column = divmod(number, n_columns)
        left, top = _GAP + column * width, _HEADER + row * height
        sheet.paste(picture, (left, top))
        pen.multiline_text((left, top + picture.height + 2), tile.caption, fill="white")
    return sheet


def to_pixels(
    images: NDArray[np.float32],
    mask: NDArray[np.uint8],
    *,
    colour: tuple[int, int, int],
    black: NDArray[np.float32] | float = BLACK,
    lines: tuple[NDArray[np.bool_], tuple[int, int, int]] | None = None,
) -> NDArray[np.uint8]:
    """Turn whitened images ``(C, Y, X)`` into enlarged pixels ``(C, 2 Y, 2 X, 3)`` with a mask's outline.

    `black` is the intensity that is black, ``(C, 1, 1)`` if it differs from sequence to sequence; `lines` are
    pixels ``(2 Y, 2 X)`` to be drawn below the outline, and their colour.
    """
    grey = (((images - black) / (_WHITE - black)).clip(0, 1) * 255).astype(np.uint8)
    pixels = np.repeat(_enlarged(grey)[..., None], 3, axis=-1)
    if lines is not None:
        pixels[:, lines[0]] = lines[1]
    pixels[:, _outline(mask)] = colour
    return pixels


def _outline(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """``(2 Y, 2 X)``; the pixels just inside the border of a mask."""
    big = np.pad(_enlarged(mask).astype(bool), 1)
    inner = big[1:-1, 1:-1]
    is_deep = big[:-2, 1:-1] & big[2:, 1:-1] & big[1:-1, :-2] & big[1:-1, 2:]
    return np.asarray(inner & ~is_deep)


def _enlarged(voxels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return voxels.repeat(ENLARGED, axis=-2).repeat(ENLARGED, axis=-1)


def _picture(tile: Tile, spacing_mm: tuple[float, float]) -> "Image":
    from PIL import Image

    pixels = to_pixels(tile.images, tile.target, colour=_OUTLINE)
    image = Image.fromarray(np.concatenate(list(pixels), axis=1))
    finest = min(spacing_mm)
    rows, columns = (
        round(size * spacing / finest)
        for size, spacing in zip((image.height, image.width), spacing_mm, strict=True)
    )
    return image.resize((columns, rows))
