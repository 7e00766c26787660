"""The training cases in memory: interpolated to the network's slices once, cut from many times."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.case import Case, CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import Target, TrainConfig
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Progress, Warned
from napari_necroseg.core.grids.slices import mask_to_slices, to_slices
from napari_necroseg.core.io.load import load_case
from napari_necroseg.core.learning.interrupt import check
from napari_necroseg.core.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingVolume:
    """A case on the network's slices.

    Held as float32, 4 bytes a voxel and sequence: 26 cases of 64 x 400 x 400 with both take 2.1 GB.

    Parameters
    ----------
    name
        The case.
    images
        ``(C, Z, Y, X)``, float32.
    target
        ``(Z, Y, X)``, uint8, 0 and 1; there is at least one 1.
    """

    name: str
    images: NDArray[np.float32]
    target: NDArray[np.uint8]

    @cached_property
    def air(self) -> NDArray[np.float32]:
        """``(C,)``; the smallest value of each sequence, which stands for what is beyond the border."""
        return np.asarray(self.images.min(axis=(1, 2, 3)))

    @cached_property
    def target_centre(self) -> tuple[float, float]:
        """Row and column of the centre of mass of the target, m_c of the paper."""
        in_plane = self.target.sum(axis=0, dtype=np.int64)
        rows, columns = in_plane.sum(axis=1), in_plane.sum(axis=0)
        total = in_plane.sum()
        return float(rows @ np.arange(len(rows)) / total), float(columns @ np.arange(len(columns)) / total)

    @cached_property
    def target_pixels(self) -> NDArray[np.int64]:
        """``(n, 2)``; rows and columns at which some slice shows the target."""
        return np.argwhere(self.target.any(axis=0))

    @cached_property
    def target_slices(self) -> NDArray[np.int64]:
        """``(n,)``; the slices that show the target."""
        return np.flatnonzero(self.target.any(axis=(1, 2)))


def load_volumes(
    plan: Plan, cohort: Cohort, stop: threading.Event
) -> Generator[Event, None, tuple[TrainingVolume, ...]]:
    """Load the training cases one by one; yield progress, return those that have a target.

    Raises
    ------
    CohortError
        If the target mask of every case is empty.
    """
    volumes = []
    for number, files in enumerate(cohort):
        check(stop)
        yield Progress(done=number, total=len(cohort), message=f"Reading {files.name}")
        case = load_case(only_needed(files, plan.config.sequences, plan.config.target))
        for note in case.notes:
            yield Warned(message=f"{case.name}: {note}")
        volume = training_volume(case, plan.config, n_slices=plan.patch_shape[0])
        if volume.target.any():
            volumes.append(volume)
        else:
            yield Warned(message=f"{case.name} is left out: its {plan.config.target} mask is empty.")
    if not volumes:
        raise CohortError(
            f"No case is left to train on: the {plan.config.target} mask of each of the {len(cohort)} is "
            "empty. Outline the target in at least one case."
        )
    yield Progress(done=len(cohort), total=len(cohort), message=f"{len(volumes)} cases in memory")
    return tuple(volumes)


def only_needed(files: CaseFiles, sequences: tuple[Sequence, ...], target: Target | None = None) -> CaseFiles:
    """Return the files without those that are not used: they cost no time and cannot fail.

    The ceT1 image stays in any case, since it says where the voxels of the case lie.
    """
    kept = {name: path for name, path in files.sequences.items() if name in (Sequence.CET1, *sequences)}
    return replace(
        files,
        sequences=kept,
        reference=files.reference if target == "reference" else None,
        tumour=files.tumour if target == "tumour" else None,
    )


def training_volume(case: Case, config: TrainConfig, *, n_slices: int) -> TrainingVolume:
    """Bring the chosen sequences and the target of a case to the network's slices."""
    mask = case.reference if config.target == "reference" else case.tumour
    assert mask is not None, "the plan was made of cases that have the mask"
    return TrainingVolume(
        name=case.name,
        images=network_images(case, config.sequences, n_slices=n_slices),
        target=mask_to_slices(mask.voxels, n_slices),
    )


def network_images(case: Case, sequences: tuple[Sequence, ...], *, n_slices: int) -> NDArray[np.float32]:
    """Stack the sequences of a case, interpolated to the network's slices: ``(C, Z, Y, X)``, float32."""
    return np.stack([to_slices(case.sequences[sequence].voxels, n_slices) for sequence in sequences])
