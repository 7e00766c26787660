"""Makes phantom cases and cohorts: a spine segment, a treated metastasis, two sequences, two masks.

The cases of a cohort are stored in as many ways as scanners and converters store theirs.
"""

import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case, CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.table import write_cohort
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.events import CaseDone, Event, Finished, Started
from napari_necroseg.core.files import atomic_folder, write_text
from napari_necroseg.core.grids.resample import resample_image
from napari_necroseg.core.images.save import write_nifti
from napari_necroseg.core.output import check_out_folder
from napari_necroseg.core.phantom.anatomy import Field, Spine, draw_spine
from napari_necroseg.core.phantom.lesion import (
    Distractor,
    Lesion,
    Mask,
    draw_distractors,
    draw_lesion,
    paint_distractor,
    paint_lesion,
)
from napari_necroseg.core.phantom.scanner import (
    Acquisition,
    Canvas,
    acquire,
    draw_acquisition,
    paint_spine,
    per_slice_mean,
    sample_canvas,
)
from napari_necroseg.core.volume import Affine, Grid, Origin, Volume

NOTE = "This is a numerical phantom, not a patient."
SHARE_WITH_OWN_T2_GRID = 0.5

# Points across the slices that are painted at once: two slices.
POINTS_PER_SLAB = 4
README = """These images are numerical phantoms, not patients.

They were computed by napari-necroseg to try the program on. Scores on them say nothing about the accuracy
of the method on patients. Research software, not a medical device.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class PhantomImages:
    """The images of a phantom, each on the grid on which it was acquired; masks on the ceT1 grid."""

    name: str
    images: dict[Sequence, Volume]
    necrosis: Volume
    metastasis: Volume


@dataclass(frozen=True, kw_only=True)
class _Patient:
    spine: Spine
    lesion: Lesion
    distractors: tuple[Distractor, ...]
    wobble: Field
    texture: Field


def phantom_case(seed: int, index: int) -> Case:
    """Make a phantom case in working order, T2 on the ceT1 grid; `seed` and `index` say which, from 0 on."""
    made = phantom_images(seed, index)
    grid = made.necrosis.grid
    t2 = made.images[Sequence.T2]
    on_grid = t2 if t2.grid.matches(grid) else resample_image(t2, grid)
    return Case(
        name=made.name,
        sequences={Sequence.CET1: made.images[Sequence.CET1], Sequence.T2: on_grid},
        reference=made.necrosis,
        tumour=made.metastasis,
        origin=Origin(grid),
        notes=(NOTE,),
    )


def phantom_images(seed: int, index: int) -> PhantomImages:
    """Make the images of a phantom case, each on its own grid; see `phantom_case`."""
    generator = np.random.default_rng((seed, index))
    grid = _draw_grid(generator)
    patient = _draw_patient(generator, grid)
    cet1 = draw_acquisition(generator, grid)
    has_own_grid = generator.random() < SHARE_WITH_OWN_T2_GRID
    t2 = draw_acquisition(generator, _neighbouring_grid(generator, grid) if has_own_grid else grid)
    canvas, necrosis, metastasis = _paint(patient, cet1)
    t2_canvas = _paint(patient, t2)[0] if has_own_grid else canvas
    images = {
        Sequence.CET1: Volume(
            acquire(canvas, cet1, sequence=Sequence.CET1, texture=patient.texture, generator=generator), grid
        ),
        Sequence.T2: Volume(
            acquire(t2_canvas, t2, sequence=Sequence.T2, texture=patient.texture, generator=generator),
            t2.grid,
        ),
    }
    return PhantomImages(
        name=f"phantom-{index + 1:02d}",
        images=images,
        necrosis=Volume((per_slice_mean(necrosis) >= 0.5).astype(np.uint8), grid),
        metastasis=Volume((per_slice_mean(metastasis) >= 0.5).astype(np.uint8), grid),
    )


def _draw_patient(generator: np.random.Generator, grid: Grid) -> _Patient:
    spine = draw_spine(generator)
    half_view_mm = grid.shape[1] * grid.spacing_mm[1] / 2
    in_view = tuple(
        level
        for level, vertebra in enumerate(spine.vertebrae)
        if abs(vertebra.centre_mm[2]) + vertebra.half_height_mm < half_view_mm
    )
    lesion = draw_lesion(generator, spine, in_view=in_view)
    seeds = generator.integers(0, 2**32, 2)
    return _Patient(
        spine=spine,
        lesion=lesion,
        distractors=draw_distractors(generator, spine, in_view=in_view, lesion=lesion),
        wobble=Field(int(seeds[0]), 3.0),
        texture=Field(int(seeds[1]), 2.2),
    )


def _paint(patient: _Patient, acquisition: Acquisition) -> tuple[Canvas, Mask, Mask]:
    """Paint the patient on the points of an acquisition; return masks of necrosis and metastasis, too."""
    canvas = sample_canvas(acquisition)
    necrosis, metastasis = np.zeros(canvas.tissues.shape, bool), np.zeros(canvas.tissues.shape, bool)
    # Slab by slab: intermediate arrays that fit the processor's cache are several times as fast.
    for first in range(0, len(canvas.tissues), POINTS_PER_SLAB):
        slab = (slice(first, first + POINTS_PER_SLAB), slice(None), slice(None))
        necrosis[slab], metastasis[slab] = _paint_slab(patient, canvas.part(slab))
    return canvas, necrosis, metastasis


def _paint_slab(patient: _Patient, canvas: Canvas) -> tuple[Mask, Mask]:
    paint_spine(canvas, patient.spine, wobble=patient.wobble)
    for distractor in patient.distractors:
        vertebra = patient.spine.vertebrae[distractor.level]
        part = canvas.part(canvas.window_about(vertebra))
        paint_distractor(part, vertebra, distractor=distractor, wobble=patient.wobble)
    vertebra = patient.spine.vertebrae[patient.lesion.level]
    window = canvas.window_about(vertebra)
    necrosis, metastasis = np.zeros(canvas.tissues.shape, bool), np.zeros(canvas.tissues.shape, bool)
    necrosis[window], metastasis[window] = paint_lesion(
        canvas.part(window), vertebra, lesion=patient.lesion, spine=patient.spine, wobble=patient.wobble
    )
    return necrosis, metastasis


def _draw_grid(generator: np.random.Generator) -> Grid:
    """A sagittal stack as in the paper: 15 to 25 slices 3.3 to 4.8 mm apart, 0.45 to 1.25 mm in plane."""
    n_slices = int(generator.integers(15, 26))
    slice_mm = generator.uniform(3.3, 4.8)
    is_fine = generator.random() < 0.15
    in_plane_mm = generator.uniform(0.45, 0.7) if is_fine else generator.uniform(0.7, 1.25)
    # Scanners keep their matrix and narrow the field of view when the pixels get small.
    n_rows = min(384, round(generator.uniform(250, 290) / in_plane_mm))
    n_columns = min(288, round(generator.uniform(180, 215) / in_plane_mm))
    return _centred_grid(
        (n_slices, n_rows, n_columns), (slice_mm, in_plane_mm, in_plane_mm), turned=np.eye(3)
    )


def _neighbouring_grid(generator: np.random.Generator, grid: Grid) -> Grid:
    """A grid such as a second sequence has: other pixels, a few millimetres aside, slightly turned."""
    in_plane_mm = float(np.clip(grid.spacing_mm[1] * generator.uniform(0.85, 1.2), 0.45, 1.25))
    extents = [n * spacing for n, spacing in zip(grid.shape, grid.spacing_mm, strict=True)]
    slice_mm = float(np.clip(grid.spacing_mm[0] * generator.uniform(0.92, 1.08), 3.3, 4.8))
    n_slices = int(np.clip(np.ceil(extents[0] / slice_mm), 15, 25))
    shape = (n_slices, round(extents[1] / in_plane_mm), round(extents[2] / in_plane_mm))
    turned = _rotation(generator.normal(0, np.radians(1.5), 3))
    moved = generator.normal(0, 2.0, 3)
    return _centred_grid(shape, (slice_mm, in_plane_mm, in_plane_mm), turned=turned, moved=moved)


def _centred_grid(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    *,
    turned: Affine,
    moved: Affine | None = None,
) -> Grid:
    """A working grid about the middle of the spine, which lies a little before the middle of the image."""
    affine = np.eye(4)
    # Working order L, I, P against the RAS+ axes x, y, z.
    axes = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
    affine[:3, :3] = turned @ axes * np.asarray(spacing_mm)
    centre = np.array([0.0, -12.0, 0.0]) + (0 if moved is None else moved)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid(shape, affine)


def _rotation(angles_rad: Affine) -> Affine:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(angles_rad).as_matrix())


@dataclass(frozen=True, kw_only=True)
class PhantomCohort:
    """The table that was written, and how many cases it has."""

    cohort: Path
    cases: int

    def __str__(self) -> str:
        return f"{self.cases} phantom cases written; their table is {self.cohort}."


def write_phantom_cohort(out: Path, *, cases: int = 26, seed: int = 0) -> Generator[Event]:
    """Write phantom cases as NIfTI, a folder for each, and their ``cohort.csv``.

    A case depends on its number and the seed alone. Yields `CaseDone` for each, then `Finished` with a
    `PhantomCohort`. Raises `SettingsError` for fewer than one or more than 999 cases, `FileError` if there
    is a cohort already, or something else has one of the names to write.
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
        written.append(
            _write_case(out, phantom_images(seed, index), generator=np.random.default_rng((seed, index, 1)))
        )
        seconds = time.perf_counter() - started
        name = written[-1].name
        yield CaseDone(case=name, done=index + 1, total=cases, seconds=seconds, path=out / name)
    write_text(note, README)
    write_cohort(table, Cohort(cases=tuple(written)))
    yield Finished(result=PhantomCohort(cohort=table, cases=cases))


def _write_case(out: Path, made: PhantomImages, *, generator: np.random.Generator) -> CaseFiles:
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
            stored = _stored(volume, axes, flips=flips)
            write_nifti(stage / f"{name}.nii.gz", stored.voxels, origin=Origin(stored.grid))
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

    Raises `FileError` if the folder holds other files, or others of these names.
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


def _stored(volume: Volume, axes: np.ndarray, *, flips: np.ndarray) -> Volume:
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
