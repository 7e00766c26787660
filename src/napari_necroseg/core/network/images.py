"""The images as a network sees them: checked, whitened, and interpolated to its slices."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.intensity import FLOAT32_NOISE
from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.config import Target, TrainConfig, Whitening
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.grids.slices import to_slices
from napari_necroseg.core.tissue import (
    BRIGHTEST,
    DARKEST,
    blank_in_words,
    tissue_of,
    unreal_in_words,
    whiten_by_tissue,
    wild_in_words,
)
from napari_necroseg.core.volume import Voxels

_MISLED = "the whitening of this network is misled by that, so mend the image."


def only_needed(
    files: CaseFiles, sequences: tuple[Sequence, ...], *, target: Target | None = None
) -> CaseFiles:
    """Return only the files that are used, so that the others cost no time and cannot fail.

    The ceT1 image always stays, since it says where the voxels of the case lie.
    """
    return replace(
        files.only_sequences(sequences),
        reference=files.reference if target == "reference" else None,
        tumour=files.tumour if target == "tumour" else None,
    )


def check_images(case: Case, sequences: tuple[Sequence, ...]) -> None:
    """Refuse an image that has one value everywhere, or in all but a ten-thousandth of its voxels."""
    for sequence in sequences:
        if words := blank_in_words(case.sequences[sequence].voxels):
            raise CohortError(
                f"The {sequence} image of {case.name} has {words}, so it shows nothing: "
                "export it again, or leave the case out."
            )


def image_notes(case: Case, config: TrainConfig) -> tuple[str, ...]:
    """Describe images and voxels that cannot be signal, and how the network sees them."""
    is_robust = config.whitening == "tissue"
    notes: list[str] = []
    for sequence in config.sequences:
        voxels = case.sequences[sequence].voxels
        if words := blank_in_words(voxels):
            notes.append(f"The {sequence} image has {words}, so it shows nothing.")
        elif tissue := tissue_of(voxels):
            told = {
                wild_in_words(voxels, tissue): "the network sees the median of the neighbours instead.",
                unreal_in_words(tissue): "the network sees it as 0.",
            }
            notes += [
                f"In the {sequence} image {words}; {seen if is_robust else _MISLED}"
                for words, seen in told.items()
                if words
            ]
    return tuple(notes)


def network_images(case: Case, config: TrainConfig, *, n_slices: int) -> NDArray[np.float32]:
    """Stack the chosen sequences of a case as `for_network` makes them: ``(C, Z, Y, X)``, float32."""
    images = [case.sequences[sequence].voxels for sequence in config.sequences]
    return for_network(images, config.whitening, n_slices=n_slices)


def for_network(images: Iterable[Voxels], whitening: Whitening, *, n_slices: int) -> NDArray[np.float32]:
    """Bring images ``(N, Y, X)`` to the network's slices and whiten them: ``(C, Z, Y, X)``, float32.

    Where each patch is whitened by itself, the images stay as they are.
    """
    if whitening == "tissue":
        # The spline between slices would spread outliers, so they are clipped before it; it also overshoots.
        white = np.stack([to_slices(whiten_by_tissue(image), n_slices) for image in images])
        return white.clip(DARKEST, BRIGHTEST, out=white)
    stacked = np.stack([to_slices(image, n_slices) for image in images])
    return whiten_volume(stacked) if whitening == "volume" else stacked


def whiten_volume(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whiten images ``(C, Z, Y, X)`` by their voxels above the mean: tissue, however much air there is.

    The result is float32; a constant sequence becomes zeros, never nan.
    """
    white = np.zeros(images.shape, np.float32)
    for image, made in zip(images, white, strict=True):
        tissue = image[image > image.mean(dtype=np.float64)].astype(np.float64)
        low, high = float(image.min()), float(image.max())
        if high - low > FLOAT32_NOISE * abs(high):
            # A single bright voxel has no spread: it becomes 1 above everything else.
            spread = tissue.std() if np.ptp(tissue) > FLOAT32_NOISE * abs(high) else high - low
            made[:] = (image - tissue.mean()) / spread
    return white
