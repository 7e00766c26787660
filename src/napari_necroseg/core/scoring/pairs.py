"""Finds which prediction belongs to which reference, and reads both onto one grid."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.case_names import check_case_name, name_key, shown, tidy_name
from napari_necroseg.core.cohort.scan import list_images
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.errors import CohortError, FileError
from napari_necroseg.core.grids.orient import working_grid
from napari_necroseg.core.images.file_image import Spacing, case_name_of, image_stem
from napari_necroseg.core.images.nifti import holds_fractions
from napari_necroseg.core.images.read import read_grid, read_mask_on
from napari_necroseg.core.volume import Grid, Voxels

# Files beside a mask whose names are made from the mask's.
_BESIDE = re.compile(r"(.+)_(?:probability|uncertainty|tumour|earlier-\d{3,})", re.IGNORECASE | re.DOTALL)
_EARLIER = re.compile(r".+_earlier-\d{3,}", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class MaskPair:
    """The two mask files of a case."""

    case: str
    patient: str
    reference: Path
    prediction: Path
    # The image whose grid they are compared on.
    grid_file: Path
    # Slice, row and column spacing for TIFF stacks that do not state theirs.
    spacing_mm: Spacing | None = None
    # The patient's other cases in the cohort's table.
    siblings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MaskPairs:
    """Pairs of masks, and everything that has no partner."""

    pairs: tuple[MaskPair, ...]
    # Names of cases with a reference and no prediction, and of predictions that no reference belongs to.
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    # Why a case cannot be scored, by its name: several files have this name.
    refused: Mapping[str, str] = field(default_factory=dict)
    # Further remarks, a sentence each.
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[MaskPair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> MaskPair:
        return self.pairs[index]

    @property
    def with_reference(self) -> int:
        """How many cases have a reference."""
        return len(self.pairs) + len(self.refused) + len(self.without_prediction)


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPair:
    """Both masks ``(Z, Y, X)`` on one grid, with the notes from reading them."""

    reference: Voxels
    prediction: Voxels
    grid: Grid
    reference_notes: tuple[str, ...]
    prediction_notes: tuple[str, ...]


def find_pairs(reference: Path, prediction: Path) -> MaskPairs:
    """Find which prediction belongs to which reference.

    `reference`, `prediction`: two files; two folders, whose files are paired by equal names; or a
    ``cohort.csv`` (or its folder) and a folder with ``<case>.nii.gz`` for each of its cases that has a
    reference. Names that differ only in letter case are the same.
    Raises `NecrosegError` if something named does not exist or nothing fits together.
    """
    for path in (reference, prediction):
        if not path.exists():
            raise FileError(f"There is no file or folder {path}.")
    if (reference / "cohort.csv").is_file():
        reference = reference / "cohort.csv"
    if reference.suffix.lower() == ".csv":
        return _pairs_of_cohort(reference, prediction)
    if reference.is_dir() and prediction.is_dir():
        return _pairs_of_folders(reference, prediction)
    if reference.is_dir() or prediction.is_dir():
        raise FileError("Give two files, two folders, or a cohort.csv and a folder; not a file and a folder.")
    case = case_name_of(prediction)
    pair = MaskPair(case=case, patient=case, reference=reference, prediction=prediction, grid_file=reference)
    return MaskPairs(pairs=(pair,))


def with_spacing(pairs: MaskPairs, spacing_mm: Spacing | None) -> MaskPairs:
    """Set the spacing of TIFF stacks in pairs whose cohort does not give it."""
    given = (replace(pair, spacing_mm=pair.spacing_mm or spacing_mm) for pair in pairs)
    return replace(pairs, pairs=tuple(given))


def read_pair(pair: MaskPair) -> ReadPair:
    """Read the two masks of a case onto its grid.

    Raises `NecrosegError` if a file cannot be read, or lies elsewhere in space.
    """
    grid = working_grid(read_grid(pair.grid_file, spacing_mm=pair.spacing_mm)[0])
    reference, prediction = (
        read_mask_on(path, grid, onto=pair.grid_file.name, spacing_mm=pair.spacing_mm)
        for path in (pair.reference, pair.prediction)
    )
    return ReadPair(
        reference=reference.volume.voxels,
        prediction=prediction.volume.voxels,
        grid=grid,
        reference_notes=tuple(f"{pair.case}: {note}" for note in reference.notes),
        prediction_notes=tuple(f"{pair.case}: {note}" for note in prediction.notes),
    )


def _pairs_of_cohort(table: Path, folder: Path) -> MaskPairs:
    everyone = read_cohort(table)
    cases = {name_key(case.name): case for case in everyone if case.reference is not None}
    of_patient: dict[str, list[str]] = {}
    for case in everyone:
        of_patient.setdefault(case.patient_or_name, []).append(case.name)
    found = read_folder(folder).cases(cases) if folder.is_dir() else MaskFolder(files={})
    pairs = tuple(
        MaskPair(
            case=case.name,
            patient=case.patient_or_name,
            reference=case.reference,
            prediction=found.files[key][0],
            grid_file=case.sequences[Sequence.CET1],
            spacing_mm=case.spacing_mm,
            siblings=tuple(name for name in of_patient[case.patient_or_name] if name != case.name),
        )
        for key, case in cases.items()
        if case.reference is not None and key in found.files and not found.twins(key)
    )
    refused = {case.name: found.twins(key) for key, case in cases.items() if found.twins(key)}
    if not pairs and not refused:
        raise CohortError(
            f"{folder} holds no prediction for any of the {len(cases)} cases with a reference in "
            f"{table.name}; predictions are named like their case."
        )
    return MaskPairs(
        pairs=pairs,
        refused=refused,
        without_prediction=tuple(case.name for key, case in cases.items() if key not in found.files),
        without_reference=tuple(found.name_of(key) for key in found.files if key not in cases),
        notes=found.notes,
    )


def _pairs_of_folders(references: Path, predictions: Path) -> MaskPairs:
    there = read_folder(references), read_folder(predictions)
    named = [{key for key in one.files if not is_earlier_version(key)} for one in there]
    of_reference, of_prediction = there[0].cases(named[1]), there[1].cases(named[0])
    both = [key for key in of_reference.files if key in of_prediction.files]
    if not both:
        raise FileError(
            f"No file in {predictions} ({len(of_prediction.files)} images) has the name of one in "
            f"{references} ({len(of_reference.files)} images)."
        )
    refused = {
        key: of_reference.impossible(key) or of_reference.twins(key) or of_prediction.twins(key)
        for key in both
    }
    pairs = (
        (of_reference.name_of(key), of_reference.files[key][0], of_prediction.files[key][0])
        for key in both
        if not refused[key]
    )
    return MaskPairs(
        pairs=tuple(
            MaskPair(case=name, patient=name, reference=path, prediction=other, grid_file=path)
            for name, path, other in pairs
        ),
        refused={of_reference.name_of(key): why for key, why in refused.items() if why},
        without_prediction=tuple(map(of_reference.name_of, _beyond(of_reference, both))),
        without_reference=tuple(map(of_prediction.name_of, _beyond(of_prediction, both))),
        notes=(*there[0].notes, *there[1].notes, *_on_earlier(*there, both=both)),
    )


@dataclass(frozen=True, kw_only=True)
class MaskFolder:
    """The image files of a folder, by their names as `name_key` makes them."""

    # The files with each name; with several, the right one cannot be known.
    files: Mapping[str, tuple[Path, ...]]
    # Sentences on files that were left out.
    notes: tuple[str, ...] = ()

    def name_of(self, key: str) -> str:
        """Return the case name in the spelling of the (first) file."""
        return shown(tidy_name(image_stem(self.files[key][0])))

    def twins(self, key: str) -> str:
        """Say that several files have a name; empty if one or none has."""
        files = self.files.get(key, ())
        if len(files) < 2:
            return ""
        names = ", ".join(shown(path.name) for path in files)
        folder = shown(files[0].parent.name)
        return f"{folder} holds {len(files)} files of this case ({names}); keep the right one."

    def impossible(self, key: str) -> str:
        """Say why a name is impossible for a case; empty if it is not."""
        reason = check_case_name(tidy_name(image_stem(self.files[key][0])))
        return f"{reason[0].upper()}{reason[1:]}; rename its files." if reason else ""

    def cases(self, named: Collection[str]) -> "MaskFolder":
        """Return the files that can be masks of a case, without probabilities, tumours or earlier versions.

        `named`: names of cases, as `name_key` makes them: a case may have the name of such a file.
        """
        kept = {key: files for key, files in self.files.items() if not self._is_beside(key, named)}
        return MaskFolder(files=kept, notes=self.notes)

    def _is_beside(self, key: str, named: Collection[str]) -> bool:
        found = _BESIDE.fullmatch(key)
        if found is None or not self._is_there(found[1], named):
            return False
        return key not in named or all(map(holds_fractions, self.files[key]))

    def _is_there(self, key: str, named: Collection[str]) -> bool:
        """Whether a case has this name, or has such a file."""
        found = _BESIDE.fullmatch(key)
        return key in self.files or key in named or (found is not None and self._is_there(found[1], named))


def _beyond(folder: MaskFolder, both: list[str]) -> list[str]:
    return [key for key in folder.files if key not in both]


def _on_earlier(references: MaskFolder, predictions: MaskFolder, *, both: list[str]) -> tuple[str, ...]:
    """Name the pairs that are earlier versions on both sides and are left out."""
    left_out = [
        predictions.name_of(key)
        for key in predictions.files
        if key in references.files and key not in both and is_earlier_version(key)
    ]
    return (f"Earlier versions of masks are not scored: {', '.join(left_out)}.",) if left_out else ()


def read_folder(folder: Path) -> MaskFolder:
    """List the image files of a folder without litter; the two halves of an Analyze pair are one file."""
    listing = list_images(folder)
    files: dict[str, list[Path]] = defaultdict(list)
    for path in listing.images:
        files[name_key(image_stem(path))].append(path)
    notes = tuple(f"{shown(folder.name)}: {note}" for note in listing.notes)
    return MaskFolder(files={key: tuple(found) for key, found in sorted(files.items())}, notes=notes)


def is_earlier_version(key: str) -> bool:
    """Whether a name is that of a replaced mask."""
    return _EARLIER.fullmatch(key) is not None
