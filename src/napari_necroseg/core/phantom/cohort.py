"""A cohort of phantoms as files, stored as differently as scanners and converters store theirs."""

import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.events import CaseDone, Event, Finished, Started
from napari_necroseg.core.files import atomic_folder, write_text
from napari_necroseg.core.io.cohort import write_cohort
from napari_necroseg.core.io.nifti import write_nifti
from napari_necroseg.core.output import check_out_folder
from napari_necroseg.core.phantom.case import PhantomImages, phantom_images
from napari_necroseg.core.volume import Grid, Origin, Volume

README = """These images are numerical phantoms, not patients.

They were computed by napari-necroseg to try the program on. Scores on them say nothing about the accuracy
of the method on patients. Research software, not a medical device.
"""


@dataclass(frozen=True, kw_only=True)
class PhantomCohort:
    """The table that was written, and how many cases it has."""

    cohort: Path
    cases: int

    def __str__(self) -> str:
        return f"{self.cases} phantom cases written; their table is {self.cohort}."


def write_phantom_cohort(out: Path, *, cases: int = 26, seed: int = 0) -> Generator[Event]:
    """Write phantom cases as NIfTI, a folder a case, and their ``cohort.csv``.

    Parameters
    ----------
    out
        A folder that has no ``cohort.csv`` yet.
    cases
        How many; a case depends on its number and the seed alone.
    seed
        Which cohort.

    Yields
    ------
    Event
        `CaseDone` a case, then `Finished` with a `PhantomCohort`.

    Raises
    ------
    SettingsError
        For less than one or more than 999 cases.
    FileError
        If there is a cohort already, or something of these names that is no phantom.
    """
    table = out / "cohort.csv"
    if not 1 <= cases <= 999 or seed < 0:
        raise SettingsError(f"A cohort has 1 to 999 cases and a seed from 0 on, not {cases} and {seed}.")
    check_out_folder(out)
    if table.exists():
        raise FileError(f"There is a cohort in {out} already; choose another folder.")
    note = out / "README.txt"
    if note.exists() and (not note.is_file() or note.read_bytes() != README.encode()):
        raise FileError(f"{note} is there already; choose a new folder, so that nothing is replaced.")
    yield Started(message=f"Making {cases} numerical phantoms in {out}.")
    written: list[CaseFiles] = []
    for index in range(cases):
        started = time.perf_counter()
        written.append(_write_case(out, phantom_images(seed, index), np.random.default_rng((seed, index, 1))))
        seconds = time.perf_counter() - started
        name = written[-1].name
        yield CaseDone(case=name, done=index + 1, total=cases, seconds=seconds, path=out / name)
    write_text(note, README)
    write_cohort(table, Cohort(cases=tuple(written)))
    yield Finished(result=PhantomCohort(cohort=table, cases=cases))


def _write_case(out: Path, made: PhantomImages, generator: np.random.Generator) -> CaseFiles:
    """Write a case into a folder that appears only when it is complete."""
    folder = out / made.name
    files = {
        "ceT1": made.images[Sequence.CET1],
        "T2": made.images[Sequence.T2],
        "necrosis": made.necrosis,
        "metastasis": made.metastasis,
    }
    axes = generator.permutation(3)
    flips = generator.random(3) < 0.5
    with atomic_folder(folder) as stage:
        for name, volume in files.items():
            stored = _stored(volume, axes, flips)
            write_nifti(stage / f"{name}.nii.gz", stored.voxels, Origin(stored.grid))
        if folder.exists():
            _check_same(folder, stage)
            shutil.rmtree(folder)
    return CaseFiles(
        name=made.name,
        sequences={sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence},
        reference=folder / "necrosis.nii.gz",
        tumour=folder / "metastasis.nii.gz",
        patient=made.name,
    )


def _check_same(folder: Path, unfinished: Path) -> None:
    """Leave a case of a cohort that was interrupted as it is; refuse to replace anything else.

    Raises
    ------
    FileError
        If the folder holds other files, or others of these names.
    """
    held = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    made = {path.name: path for path in unfinished.iterdir()}
    are_same = held.keys() == made.keys() and all(
        held[name].is_file() and held[name].read_bytes() == path.read_bytes() for name, path in made.items()
    )
    if not are_same:
        raise FileError(
            f"{folder} is there already and is not this phantom as it was made; choose a new folder, so that "
            "nothing is replaced."
        )


def _stored(volume: Volume, axes: np.ndarray, flips: np.ndarray) -> Volume:
    """Permute and flip the axes, with the affine that says so; images as int16, as scanners store them."""
    voxels = volume.voxels if volume.voxels.dtype == np.uint8 else volume.voxels.astype(np.int16)
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[old, new] = -1 if flip else 1
        matrix[old, 3] = volume.grid.shape[old] - 1 if flip else 0
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    stored = np.ascontiguousarray(np.transpose(voxels, axes)[steps])
    return Volume(stored, Grid(stored.shape, volume.grid.affine_ras @ matrix))
