"""Samples exactly as a training draws them: in memory, or written for the eye and for other programs."""

import json
from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_necroseg import __version__
from napari_necroseg.core.augment.contact_sheet import contact_sheet, make_tile
from napari_necroseg.core.augment.draw import draw_sample, generator_of, sampling_of
from napari_necroseg.core.augment.mapping import Drawn
from napari_necroseg.core.augment.sample import make_sample
from napari_necroseg.core.augment.source import Source
from napari_necroseg.core.case import Case, CaseFiles, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import atomic_folder, atomic_path, write_text
from napari_necroseg.core.images.save import write_nifti
from napari_necroseg.core.network.images import check_images, image_notes, only_needed
from napari_necroseg.core.output import check_out_folder, sweep
from napari_necroseg.core.plan import patch_shape_of
from napari_necroseg.core.training.sources import training_source
from napari_necroseg.core.volume import Grid, Origin

# Working order: slices towards the left, rows towards the feet, columns towards the back.
_DIRECTIONS_RAS = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnSample:
    """One sample of a case, as a network sees it in training.

    Parameters
    ----------
    number
        Which draw of the seed.
    images
        ``(C, Z, Y, X)``, or ``(C, Y, X)`` in 2D; float32, whitened.
    target
        ``(Z, Y, X)`` or ``(Y, X)``; uint8, 0 and 1.
    drawn
        The random values that it was made from.
    spacing_mm
        Of slices, rows and columns.
    """

    number: int
    images: NDArray[np.float32]
    target: NDArray[np.uint8]
    drawn: Drawn
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class WrittenSamples:
    """The folder of samples, their number, the picture of all of them, and the file of their draws."""

    folder: Path
    samples: int
    sheet: Path
    draws: Path

    def __str__(self) -> str:
        if self.samples == 1:
            return f"1 sample is in {self.folder}; {self.sheet.name} shows it."
        return f"{self.samples} samples are in {self.folder}; {self.sheet.name} shows them all."


def draw_samples(
    case: Case, config: TrainConfig | None = None, *, n: int = 16, first: int = 0
) -> Iterator[DrawnSample]:
    """Draw samples of one case, exactly as a training on it alone draws them.

    Parameters
    ----------
    case
        The case; it may lack the target, and sequences of the configuration, which are then left out.
    config
        A training: whose patch, whitening, share at the target, augmentation and seed count; the preset
        ``fast`` in 2D if not given.
    n
        How many samples.
    first
        Number of the first one, from 0; each sample has random numbers of its own.

    Returns
    -------
    iterator of DrawnSample
        Made one by one, as they are asked for.

    Raises
    ------
    CohortError
        If an image has one value everywhere.
    """
    config = _of_case(config or train_preset("fast", "2d"), case.sequences)
    check_images(case, config.sequences)
    source = training_source(case, config, n_slices=config.slices)
    return _samples(source, config, numbers=range(first, first + n))


def write_samples(
    files: CaseFiles, config: TrainConfig, *, out: Path, n: int
) -> Generator[Event, None, None]:
    """Write `n` samples as `draw_samples` draws them, a file for each sequence and the target.

    The folder `out`, new or empty, appears when all is written; a job that is closed before leaves nothing.

    Yields `Started`, `Warned`, `Progress` for each sample, and `Finished` with `WrittenSamples`. Raises
    `FileError` if `out` is not empty or the case cannot be read, `CohortError` if an image has one value
    everywhere, `ResourceError` if the folder cannot be written to or the disk is full.
    """
    check_out_folder(out)
    sweep(out.absolute().parent)
    if out.exists() and any(out.iterdir()):
        raise FileError(f"{out} is not empty; choose a new folder, so that nothing is replaced.")
    config = _of_case(config, files.sequences)
    samples = "1 sample" if n == 1 else f"{n} samples"
    yield Started(message=f"Drawing {samples} of {files.name} on {' and '.join(config.sequences)}.")
    case = load_case(only_needed(files, config.sequences, target=config.target))
    yield from (Warned(message=note) for note in case.notes)
    check_images(case, config.sequences)
    yield from (Warned(message=note) for note in image_notes(case, config))
    source = training_source(case, config, n_slices=config.slices)
    if not source.target.any():
        yield Warned(message=f"The case shows no {config.target}: samples are drawn from its middle.")
    with atomic_folder(out) as stage:
        yield from _write_all(source, config, folder=stage, n=n)
    sheet, draws = out / "contact_sheet.png", out / "draws.json"
    yield Finished(result=WrittenSamples(folder=out, samples=n, sheet=sheet, draws=draws))


def _of_case(config: TrainConfig, sequences: Collection[Sequence]) -> TrainConfig:
    """Leave out sequences that a case lacks."""
    return config.changed(sequences=tuple(name for name in config.sequences if name in sequences))


def _samples(source: Source, config: TrainConfig, *, numbers: Iterable[int]) -> Iterator[DrawnSample]:
    sampling = sampling_of(config, patch_shape_of(config))
    for number in numbers:
        drawn = draw_sample(source, sampling, generator=generator_of(config.seed, number))
        made = make_sample(source, drawn, patch_shape=sampling.patch_shape)
        yield DrawnSample(
            number=number,
            images=made.images.numpy(),
            target=made.target.numpy(),
            drawn=drawn,
            spacing_mm=source.spacing_mm,
        )


def _write_all(source: Source, config: TrainConfig, *, folder: Path, n: int) -> Generator[Event, None, None]:
    draws, tiles = [], []
    for made in _samples(source, config, numbers=range(n)):
        _write_sample(made, config.sequences, stem=folder / f"sample-{made.number:02d}")
        draws.append(_record(made))
        tiles.append(make_tile(made.images, made.target, drawn=made.drawn, number=made.number))
        yield Progress(done=made.number + 1, total=n, message=f"Sample {made.number + 1} of {n}")
    write_text(folder / "draws.json", json.dumps(_document(source, config, draws=draws), indent=2) + "\n")
    sheet = contact_sheet(
        tiles,
        spacing_mm=source.spacing_mm[1:],
        title=f"{n} augmented samples, seed {config.seed}; research software, not a medical device",
    )
    with atomic_path(folder / "contact_sheet.png") as temporary:
        sheet.save(temporary, format="PNG")


def _write_sample(made: DrawnSample, sequences: tuple[Sequence, ...], *, stem: Path) -> None:
    """Write images and target; of their place in the patient only spacing and orientation are left."""
    affine = np.eye(4)
    affine[:3, :3] = _DIRECTIONS_RAS.T * np.array(made.spacing_mm)
    z, y, x = made.target.shape if made.target.ndim == 3 else (1, *made.target.shape)
    origin = Origin(Grid((z, y, x), affine), None, nifti_header=None)
    stacks = dict(zip(map(str, sequences), made.images, strict=True)) | {"target": made.target}
    for name, voxels in stacks.items():
        write_nifti(stem.with_name(f"{stem.name}_{name}.nii.gz"), voxels.reshape(z, y, x), origin=origin)


def _record(made: DrawnSample) -> dict[str, object]:
    record, n = asdict(made.drawn), len(made.images)
    # 1 and 0 where a training varies neither.
    varied = {"contrast": (1.0,) * n, "brightness": (0.0,) * n}
    varied = {name: record.pop(name) or neutral for name, neutral in varied.items()}
    n_voxels = int(made.target.sum())
    voxel_ml = float(np.prod(made.spacing_mm)) / 1000
    is_2d = made.drawn.slice_index is not None
    return record | ({"target_voxels": n_voxels} if is_2d else {"target_ml": n_voxels * voxel_ml}) | varied


def _document(source: Source, config: TrainConfig, *, draws: list[dict[str, object]]) -> dict[str, object]:
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
