"""The tissues of the phantom, and how bright each is in either sequence."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Sequence


class Tissue(IntEnum):
    """What a point of the phantom is made of."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    VISCERA = 4
    VESSEL = 5
    MARROW = 6
    CORTEX = 7
    ANNULUS = 8
    NUCLEUS = 9
    NUCLEUS_DEGENERATED = 10
    LIGAMENT = 11
    CSF = 12
    CORD = 13
    ROOT = 14
    LYTIC = 15
    SCLEROTIC = 16
    HAEMANGIOMA = 17
    CEMENT = 18
    MODIC_1 = 19
    OEDEMA = 20
    RIM = 21
    NECROSIS = 22
    HAEMATOMA = 23
    TRACK = 24


# Brightness relative to the brightest tissue, as on contrast-enhanced T1 and native T2 at 1.5 T, after
# textbook images; every scanner of the phantom then varies them.
_BRIGHTNESS = {
    Tissue.AIR: (0.01, 0.01),
    Tissue.SKIN: (0.45, 0.30),
    Tissue.FAT: (0.88, 0.72),
    Tissue.MUSCLE: (0.30, 0.17),
    Tissue.VISCERA: (0.38, 0.40),
    Tissue.VESSEL: (0.12, 0.05),
    Tissue.MARROW: (0.50, 0.38),
    Tissue.CORTEX: (0.09, 0.07),
    Tissue.ANNULUS: (0.22, 0.13),
    Tissue.NUCLEUS: (0.27, 0.62),
    Tissue.NUCLEUS_DEGENERATED: (0.23, 0.20),
    Tissue.LIGAMENT: (0.15, 0.10),
    Tissue.CSF: (0.13, 0.96),
    Tissue.CORD: (0.33, 0.40),
    Tissue.ROOT: (0.32, 0.36),
    Tissue.LYTIC: (0.66, 0.60),
    Tissue.SCLEROTIC: (0.24, 0.15),
    Tissue.HAEMANGIOMA: (0.74, 0.70),
    Tissue.CEMENT: (0.10, 0.07),
    Tissue.MODIC_1: (0.30, 0.60),
    Tissue.OEDEMA: (0.40, 0.62),
    Tissue.RIM: (0.84, 0.66),
    Tissue.NECROSIS: (0.24, 0.30),
    Tissue.HAEMATOMA: (0.58, 0.22),
    Tissue.TRACK: (0.12, 0.30),
}
# How strongly each tissue's texture modulates it; the others are smooth.
_TEXTURE = {
    Tissue.FAT: 0.06,
    Tissue.MUSCLE: 0.16,
    Tissue.VISCERA: 0.22,
    Tissue.MARROW: 0.12,
    Tissue.NUCLEUS: 0.10,
    Tissue.LYTIC: 0.20,
    Tissue.SCLEROTIC: 0.30,
    Tissue.HAEMANGIOMA: 0.15,
    Tissue.MODIC_1: 0.15,
    Tissue.OEDEMA: 0.18,
    Tissue.RIM: 0.12,
    Tissue.NECROSIS: 0.35,
    Tissue.HAEMATOMA: 0.25,
}


def brightness(sequence: Sequence) -> NDArray[np.float32]:
    """``(tissues,)``; brightness of each tissue in a sequence, from 0 to 1."""
    column = 0 if sequence is Sequence.CET1 else 1
    return np.array([_BRIGHTNESS[tissue][column] for tissue in Tissue], dtype=np.float32)


def texture_strength() -> NDArray[np.float32]:
    """``(tissues,)``; standard deviation of each tissue's texture, relative to its brightness."""
    return np.array([_TEXTURE.get(tissue, 0.0) for tissue in Tissue], dtype=np.float32)
