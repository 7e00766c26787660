"""The images as a network sees them: checked, whitened, and interpolated to its slices."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.augment.intensity import for_network
from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.config import Target, TrainConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.tissue import blank_in_words, tissue_of, unreal_in_words, wild_in_words
from napari_necroseg.core.volume import Volume

_MISLED = "the whitening of this network is misled by that, so mend the image."


def only_needed(files: CaseFiles, sequences: tuple[Sequence, ...], target: Target | None = None) -> CaseFiles:
    """Return the files without those that are not used: they cost no time and cannot fail.

    The ceT1 image stays in any case, since it says where the voxels of the case lie.
    """
    return replace(
        files.only_sequences(sequences),
        reference=files.reference if target == "reference" else None,
        tumour=files.tumour if target == "tumour" else None,
    )


def target_mask(case: Case, target: Target) -> Volume | None:
    """Return the mask of a case that is to be learned."""
    return case.reference if target == "reference" else case.tumour


def check_images(case: Case, sequences: tuple[Sequence, ...]) -> None:
    """Refuse an image that shows nothing.

    Raises
    ------
    CohortError
        If it has one value everywhere, or everywhere but in a ten-thousandth of its voxels.
    """
    for sequence in sequences:
        if words := blank_in_words(case.sequences[sequence].voxels):
            raise CohortError(
                f"The {sequence} image of {case.name} has {words}, so it shows nothing: "
                "export it again, or leave the case out."
            )


def image_notes(case: Case, config: TrainConfig) -> tuple[str, ...]:
    """Tell of images and voxels that cannot be signal, and what networks of this training make of it."""
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
