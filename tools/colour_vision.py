"""Shows a picture as people with a colour vision deficiency see it: the colours of contours must stay apart.

    python tools/colour_vision.py figure.png [OUT_FOLDER]

writes one picture for each kind of deficiency, and prints how far the contour colours are from each other.
The matrices, for linear RGB and a complete deficiency, are those of Machado, Oliveira and Fernandes, "A
Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009).
"""

import argparse
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MATRICES = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Rgb = NDArray[np.float64]


def seen(rgb: Rgb, deficiency: str) -> Rgb:
    """Return sRGB colours ``(..., 3)`` from 0 to 1 as a person with a deficiency sees them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    changed = np.clip(linear @ np.array(MATRICES[deficiency]).T, 0, 1)
    return np.where(changed <= 0.0031308, 12.92 * changed, 1.055 * changed ** (1 / 2.4) - 0.055)


def colour(text: str) -> Rgb:
    """Return the sRGB colour that is written as ``#rrggbb``."""
    return np.array([int(text[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def difference(one: Rgb, other: Rgb) -> float:
    """Return the difference of two sRGB colours, CIEDE2000: 2 is just seen, from 10 on it is seen at once."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    return float(deltaE_ciede2000(rgb2lab(one[None, None]), rgb2lab(other[None, None]))[0, 0])


def differences(colours: Iterable[str], deficiency: str | None) -> dict[tuple[str, str], float]:
    """Return the difference of each two of some colours, as it is seen."""
    shown = {text: colour(text) for text in colours}
    if deficiency is not None:
        shown = {text: seen(rgb, deficiency) for text, rgb in shown.items()}
    return {(a, b): difference(shown[a], shown[b]) for a, b in combinations(shown, 2)}


def main() -> None:
    """Write the pictures, and print the differences."""
    from PIL import Image

    from napari_necroseg.layerdata import COLOURS, PREDICTION_COLOURS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="where to write; beside the picture by default")
    options = parser.parse_args()
    pixels = np.asarray(Image.open(options.picture).convert("RGB")) / 255
    folder = options.folder or options.picture.parent
    folder.mkdir(parents=True, exist_ok=True)
    colours = dict.fromkeys((*COLOURS.values(), *PREDICTION_COLOURS))
    for deficiency in (None, *MATRICES):
        nearest = sorted(differences(colours, deficiency).items(), key=lambda pair: pair[1])[:3]
        told = ", ".join(f"{a} and {b} {apart:.0f}" for (a, b), apart in nearest)
        print(f"{deficiency or 'full colour vision'}: nearest contour colours {told}")
        if deficiency is not None:
            changed = Image.fromarray((255 * seen(pixels, deficiency)).round().astype(np.uint8))
            changed.save(folder / f"{options.picture.stem}_{deficiency}.png")


if __name__ == "__main__":
    main()
