"""The cases of a study: checked, read once, given their folds, and kept in memory as far as they fit."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.seen_cases import ImageMark, marks_of
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import CohortError, SettingsError
from napari_necroseg.core.events import Event, Progress, Warned
from napari_necroseg.core.files import relative_path, voxels_sha256
from napari_necroseg.core.masks.components import measure
from napari_necroseg.core.process import available_bytes
from napari_necroseg.core.study.folds import (
    FOLDS_NAME,
    check_folds,
    check_images,
    draw_folds,
    folds_of_cohort,
    read_folds,
    write_folds,
)
from napari_necroseg.core.study.record import StudyCase, StudyRecord

_SHARE_OF_FREE_MEMORY = 0.3
_Stamps = tuple[tuple[Path, int, int], ...]


def check_cases(config: StudyConfig, cohort: Cohort) -> None:
    """Refuse cases without the images or masks that a configuration needs; nothing is read for it.

    All configurations are compared on the same cases.
    """
    sequences = {sequence for configuration in config.configurations for sequence in configuration.sequences}
    lacking = {}
    for case in cohort:
        if missing := case.missing(sorted(sequences), config.target):
            lacking[case.name] = missing
    if lacking:
        name, missing = next(iter(lacking.items()))
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise CohortError(
            f"{name}{more} cannot take part: it has no {' and no '.join(missing)}. Add the files, leave such "
            "cases out, or choose configurations that do not need them."
        )


class CaseStore:
    """Keeps cases in memory as long as their files stay the same and there is room.

    `most_bytes`: limit for all voxels together; if None, 30 % of the memory that is free now, over `share`.
    `share`: how many processes share this memory.
    `n_read`: how often a case was read from its files.
    """

    def __init__(self, most_bytes: float | None = None, *, share: int = 1) -> None:
        free = available_bytes() * _SHARE_OF_FREE_MEMORY / share
        self._most_bytes = free if most_bytes is None else most_bytes
        self._cases: dict[str, tuple[_Stamps, Case]] = {}
        self._n_bytes = 0
        self.n_read = 0

    def load(self, files: CaseFiles) -> Case:
        """Return a case, from memory if it is there.

        Raises what `load_case` raises.
        """
        if files.loaded is not None:
            return files.loaded
        stamps = _stamps(files)
        kept = self._cases.get(files.name)
        if kept is not None and kept[0] == stamps:
            return kept[1]
        case = load_case(files)
        self.n_read += 1
        self._keep(files.name, stamps, case=case)
        return case

    def with_voxels(self, files: CaseFiles) -> CaseFiles:
        """Return the row of a case with its voxels, read if need be, as long as they fit into memory.

        The notes on how it was read are left out: they were reported when the study began.
        """
        if files.name not in self._cases and self._is_full:
            return files
        return replace(files, loaded=replace(self.load(files), notes=()))

    @property
    def _is_full(self) -> bool:
        return self._n_bytes >= self._most_bytes

    def _keep(self, name: str, stamps: _Stamps, *, case: Case) -> None:
        dropped = self._cases.pop(name, None)
        if dropped is not None:
            self._n_bytes -= _n_bytes(dropped[1])
        if not self._is_full:
            self._cases[name] = (stamps, case)
            self._n_bytes += _n_bytes(case)


def read_study_cases(
    config: StudyConfig, cohort: Cohort, *, store: CaseStore, out: Path, stop: threading.Event
) -> Generator[Event, None, Mapping[str, StudyCase] | None]:
    """Read every case once and decide its fold; return None if stopped.

    Folds come from a table of folds in `out`, else from the cohort's table, else they are drawn; then the
    table is written.

    Raises `NecrosegError` if a case cannot be read, the folds are not as they must be, or two patients share
    an image.
    """
    volumes: dict[str, float] = {}
    marks: dict[str, Mapping[Sequence, ImageMark]] = {}
    targets: dict[str, str] = {}
    for number, files in enumerate(cohort):
        if stop.is_set():
            return None
        yield Progress(done=number, total=len(cohort), message=f"Reading {files.name}")
        case = store.load(files)
        for note in case.notes:
            yield Warned(message=f"{case.name}: {note}")
        mask = case.mask(config.target)
        assert mask is not None, "checked before"
        volumes[files.name] = measure(mask.voxels > 0, case.grid).volume_ml
        targets[files.name] = voxels_sha256(mask)
        marks[files.name] = marks_of(case, case.sequences)
    yield Progress(done=len(cohort), total=len(cohort), message=f"{len(cohort)} cases read")
    patients = {files.name: files.patient_or_name for files in cohort}
    folds = decide_folds(config, cohort, volumes_ml=volumes, out=out)
    if (out / FOLDS_NAME).exists():
        yield Progress(done=len(cohort), total=len(cohort), message=f"Folds are those of {FOLDS_NAME}")
    cases = {
        name: StudyCase(
            patient=patients[name],
            fold=fold,
            target_ml=volumes[name],
            images_sha256={str(sequence): mark.sha256 for sequence, mark in marks[name].items()},
            images_likeness={str(sequence): mark.likeness for sequence, mark in marks[name].items()},
            target_sha256=targets[name],
            target_file=stored_path(cohort[name].mask(config.target), out),
            target_from=cohort[name].whose(config.target),
        )
        for name, fold in folds.items()
    }
    check_images(cases)
    if not (out / FOLDS_NAME).exists():
        write_folds(out / FOLDS_NAME, folds, patients=patients)
    return cases


def decide_folds(
    config: StudyConfig, cohort: Cohort, *, volumes_ml: Mapping[str, float], out: Path
) -> dict[str, int]:
    """Return the fold of each case: as the table in `out` has them, or the cohort's, or drawn anew.

    Raises `CohortError` if they are not as many as were asked for, or divide a patient.
    """
    patients = {files.name: files.patient_or_name for files in cohort}
    if (out / FOLDS_NAME).exists():
        folds = read_folds(out / FOLDS_NAME, cohort)
    else:
        folds = folds_of_cohort(cohort) or draw_folds(
            volumes_ml, patients, folds=config.folds, seed=config.fold_seed
        )
    check_folds(folds, patients, n_folds=config.folds)
    return folds


def number_of_folds(cohort: Cohort, out: Path) -> int | None:
    """Return how many folds there are already, in the table in `out` or in the cohort's; None without any."""
    table = out / FOLDS_NAME
    folds = read_folds(table, cohort) if table.exists() else folds_of_cohort(cohort)
    return None if folds is None else max(folds.values())


def without_voxels(cohort: Cohort) -> Cohort:
    """Refuse cases that are not in files: other processes cannot read them, and nothing could be repeated."""
    loaded: list[CaseFiles] = [case for case in cohort if case.loaded is not None]
    if loaded:
        raise SettingsError(
            f"{loaded[0].name} is open layers, not files; save it as a case of the cohort first."
        )
    return cohort


def cohort_of(folder: Path, record: StudyRecord) -> Cohort:
    """Return the cases of a study with the masks that it used: corrected ones in place of the cohort's.

    Raises `CohortError` if the cohort's table is gone, or no longer has one of them.
    """
    table = read_cohort(folder / record.cohort)
    return replace(table, cases=tuple(_as_used(table[name], folder, record=record) for name in record.cases))


def _as_used(files: CaseFiles, folder: Path, *, record: StudyRecord) -> CaseFiles:
    used = record.cases[files.name].target_file
    if not used:
        return files
    mask, target = folder / used, record.config.target
    named = files.mask(target)
    # A mask that is not the table's is a corrected one.
    is_own = named is None or named.resolve() != mask.resolve()
    own = files.own_masks | ({target} if is_own else set())
    if target == "reference":
        return replace(files, reference=mask, own_masks=own)
    return replace(files, tumour=mask, own_masks=own)


def stored_path(path: Path | None, folder: Path) -> str:
    """Return a path as the record of a study in a folder stores it; empty if there is none."""
    return "" if path is None else relative_path(path.resolve(), folder)


def _stamps(files: CaseFiles) -> _Stamps:
    """Time and size of each file of the case, which change with it; nothing for one that is not there."""
    there = {path: path.stat() for path in files.paths.values() if path.exists()}
    return tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in there.items())


def _n_bytes(case: Case) -> int:
    masks = [mask for mask in (case.reference, case.tumour) if mask is not None]
    return sum(volume.voxels.nbytes for volume in [*case.sequences.values(), *masks])
