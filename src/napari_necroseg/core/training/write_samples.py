"""Writes training samples to disk, drawn exactly as a training draws them."""

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_necroseg import __version__
from napari_necroseg.core.augment.contact_sheet import contact_sheet, make_tile
from napari_necroseg.core.augment.draw import Cut, draw_sample
from napari_necroseg.core.augment.mapping import Drawn
from napari_necroseg.core.augment.sample import Sample, make_sample
from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import atomic_folder, atomic_path, write_text
from napari_necroseg.core.images.nifti import write_nifti
from napari_necroseg.core.network.images import check_images, image_notes, only_needed, training_source
from napari_necroseg.core.output import check_out_folder, sweep
from napari_necroseg.core.plan import patch_shape_of
from napari_necroseg.core.training.mini_batches import drawn_contrast, generator_of, vary
from napari_necroseg.core.volume import Grid, Origin

# Working order: slices towards the left, rows towards the feet, columns towards the back.
_DIRECTIONS_RAS = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])


@dataclass(frozen=True, kw_only=True)
class WrittenSamples:
    """What was written.

    Parameters
    ----------
    folder
        With a file for each sample and sequence, and one for its target.
    samples
        How many samples.
    sheet
        The picture of all of them.
    draws
        The values of each draw.
    """

    folder: Path
    samples: int
    sheet: Path
    draws: Path

    def __str__(self) -> str:
        return f"{self.samples} samples are in {self.folder}; {self.sheet.name} shows them all."


def write_samples(
    files: CaseFiles, config: TrainConfig, *, out: Path, n: int
) -> Generator[Event, None, None]:
    """Draw samples of one case and write them.

    Parameters
    ----------
    files
        The case; sequences of the configuration that it lacks are left out, and so may the target be.
    config
        A training: whose patch, whitening, share at the target, augmentation and seed count.
    out
        A folder that is new or empty. It appears when all is written; a job that is closed before leaves
        nothing.
    n
        How many samples.

    Yields
    ------
    Event
        `Started`, `Warned`, `Progress` for each sample, and `Finished` with `WrittenSamples`.

    Raises
    ------
    FileError
        If `out` is not empty, or the case cannot be read.
    CohortError
        If an image has one value everywhere.
    ResourceError
        If the folder cannot be written to or the disk is full.
    """
    check_out_folder(out)
    sweep(out.absolute().parent)
    if out.exists() and any(out.iterdir()):
        raise FileError(f"{out} is not empty; choose a new folder, so that nothing is replaced.")
    sequences = tuple(sequence for sequence in config.sequences if sequence in files.sequences)
    config = config.changed(sequences=sequences)
    yield Started(message=f"Drawing {n} samples of {files.name} on {' and '.join(sequences)}.")
    case = load_case(only_needed(files, sequences, config.target))
    for note in case.notes:
        yield Warned(message=note)
    check_images(case, sequences)
    for note in image_notes(case, config):
        yield Warned(message=note)
    source = training_source(case, config, n_slices=config.slices)
    if not source.target.any():
        yield Warned(message=f"The case shows no {config.target}: samples are drawn from its middle.")
    with atomic_folder(out) as stage:
        yield from _write_all(source, config, stage, n)
    sheet, draws = out / "contact_sheet.png", out / "draws.json"
    yield Finished(result=WrittenSamples(folder=out, samples=n, sheet=sheet, draws=draws))


def _write_all(source: Source, config: TrainConfig, folder: Path, n: int) -> Generator[Event, None, None]:
    patch_shape = patch_shape_of(config)
    cut = Cut(
        patch_shape=patch_shape,
        is_2d=config.dimension == "2d",
        target_share=config.target_share,
        slice_share=config.slice_share,
    )
    origin_shape = (1, *patch_shape[1:]) if cut.is_2d else patch_shape
    origin = Origin(_grid(source, origin_shape), None, None)
    draws, tiles = [], []
    for number in range(n):
        generator = generator_of(config.seed, number)
        drawn = draw_sample(config.augment, source, generator, cut=cut)
        made = make_sample(source, drawn, patch_shape=patch_shape)
        contrast = drawn_contrast([generator], source.n_sequences, config.intensity_spread)
        vary(made.images[None], *contrast)
        _write_sample(made, config.sequences, folder / f"sample-{number:02d}", origin)
        draws.append(_record(drawn, made, source) | _of_sequences(*contrast))
        tiles.append(make_tile(made, drawn, number=number))
        yield Progress(done=number + 1, total=n, message=f"Sample {number + 1} of {n}")
    write_text(folder / "draws.json", json.dumps(_document(source, config, draws), indent=2) + "\n")
    sheet = contact_sheet(
        tiles,
        spacing_mm=source.spacing_mm[1:],
        title=f"{n} augmented samples, seed {config.seed}; research software, not a medical device",
    )
    with atomic_path(folder / "contact_sheet.png") as temporary:
        sheet.save(temporary, format="PNG")


def _write_sample(made: Sample, sequences: tuple[Sequence, ...], stem: Path, origin: Origin) -> None:
    for sequence, image in zip(sequences, made.images, strict=True):
        write_nifti(stem.with_name(f"{stem.name}_{sequence}.nii.gz"), _stack(image, origin), origin)
    write_nifti(stem.with_name(f"{stem.name}_target.nii.gz"), _stack(made.target, origin), origin)


def _stack(voxels: Tensor, origin: Origin) -> np.ndarray:
    return voxels.numpy().reshape(origin.grid.shape)


def _grid(source: Source, shape: tuple[int, int, int]) -> Grid:
    """Give samples spacing and orientation; their place in the patient means nothing any more."""
    affine = np.eye(4)
    affine[:3, :3] = _DIRECTIONS_RAS.T * np.array(source.spacing_mm)
    return Grid(shape, affine)


def _record(drawn: Drawn, made: Sample, source: Source) -> dict[str, object]:
    voxel_ml = float(np.prod(source.spacing_mm)) / 1000
    name = "target_ml" if drawn.slice_index is None else "target_voxels"
    n_voxels = int(made.target.sum())
    return asdict(drawn) | {name: n_voxels * voxel_ml if drawn.slice_index is None else n_voxels}


def _of_sequences(factor: NDArray[np.float32], offset: NDArray[np.float32]) -> dict[str, list[float]]:
    """Contrast and brightness ``(1, C)`` of white samples; 1 and 0 where a training varies neither."""
    return {"contrast": factor[0].tolist(), "brightness": offset[0].tolist()}


def _document(source: Source, config: TrainConfig, draws: list[dict[str, object]]) -> dict[str, object]:
    voxel_ml = float(np.prod(source.spacing_mm)) / 1000
    return {
        "version": __version__,
        "case": source.name,
        "sequences": [str(sequence) for sequence in config.sequences],
        "target": config.target,
        "target_ml": int(source.target.sum()) * voxel_ml,
        "seed": config.seed,
        **config.model_dump(
            include={"preset", "dimension", "whitening", "intensity_spread", "target_share", "slice_share"}
        ),
        "patch_shape": patch_shape_of(config),
        "spacing_mm": source.spacing_mm,
        "augment": config.augment.model_dump(),
        "draws": draws,
    }
