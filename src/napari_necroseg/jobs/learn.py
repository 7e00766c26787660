"""Decides, without asking, what a model is to learn from and to be tested on."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import is_among
from napari_necroseg.core.config import TrainConfig, train_preset
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.images.read import read_mask
from napari_necroseg.core.labels_folder import LABELS_FOLDER
from napari_necroseg.core.project.labels import marked
from napari_necroseg.core.project.model_folder import learned_cases, trained_config
from napari_necroseg.jobs.train import starting_point

TARGET = "reference"
DEFAULT_MINUTES = 10.0
# With fewer patients there is none to spare for a test.
_LEAST_PATIENTS_TO_TEST = 3
# One patient in five is kept back.
_MOST_FOLDS = 5
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class LearningProposal:
    """The cases to learn from and to test on, and the images that all of them have."""

    # All cases of the project, with the signed-off masks in place of the table's.
    cohort: Cohort
    learned: tuple[str, ...] = ()
    tested: tuple[str, ...] = ()
    sequences: tuple[Sequence, ...] = (Sequence.CET1,)

    @property
    def signed(self) -> tuple[str, ...]:
        """The cases, learned from or tested on, whose mask was drawn and signed off here."""
        return tuple(name for name in self._used if self.cohort[name].whose(TARGET) == "signed")

    @property
    def unsigned(self) -> tuple[str, ...]:
        """The cases with a mask that nobody has signed off; it is not learned from."""
        return tuple(
            files.name for files in self.cohort if TARGET in files.drawn and not files.drawn[TARGET].is_used
        )

    @property
    def without_mask(self) -> tuple[str, ...]:
        """The cases that have no mask to learn from."""
        return tuple(files.name for files in self.cohort if files.mask(TARGET) is None)

    @property
    def _used(self) -> tuple[str, ...]:
        return (*self.learned, *self.tested)

    def config(self, minutes: float) -> TrainConfig:
        """Return the settings of the training: the fast preset."""
        return train_preset("fast").changed(minutes=minutes, sequences=self.sequences)


def propose_learning(cohort: Cohort, folder: Path | None) -> LearningProposal:
    """Choose the cases: all with a mask that was signed off here or is the expert's.

    About one patient in five is kept back to test on, small and large zones alike; a cohort's own folds rule.
    """
    known = cohort if folder is None else marked(cohort, folder / LABELS_FOLDER)
    usable = tuple(files for files in known if files.mask(TARGET) is not None)
    tested = _kept_back(usable)
    return LearningProposal(
        cohort=known,
        learned=tuple(files.name for files in usable if files.name not in tested),
        tested=tuple(files.name for files in usable if files.name in tested),
        sequences=tuple(one for one in Sequence if all(one in files.sequences for files in usable)),
    )


def _kept_back(usable: tuple[CaseFiles, ...]) -> frozenset[str]:
    patients = Counter(files.patient_or_name for files in usable)
    if len(patients) < _LEAST_PATIENTS_TO_TEST:
        return frozenset()
    given = {files.name: files.fold for files in usable if files.fold is not None}
    if len(given) == len(usable) and len(set(given.values())) > 1:
        return frozenset(name for name, fold in given.items() if fold == min(given.values()))
    drawn = _drawn_folds(usable, n_folds=min(_MOST_FOLDS, len(patients)))
    return frozenset(name for name, fold in drawn.items() if fold == max(drawn.values()))


def _drawn_folds(usable: tuple[CaseFiles, ...], *, n_folds: int) -> Mapping[str, int]:
    from napari_necroseg.core.study.folds import draw_folds

    volumes = {files.name: _volume_ml(files) for files in usable}
    patients = {files.name: files.patient_or_name for files in usable}
    return draw_folds(volumes, patients, folds=n_folds, seed=_SEED)


def _volume_ml(files: CaseFiles) -> float:
    """Return the volume of a mask; 0 if it cannot be read, which the training says better."""
    path = files.mask(TARGET)
    assert path is not None, "only cases with a mask are asked for"
    try:
        stat = path.stat()
        return _read_volume_ml(
            path,
            (stat.st_mtime_ns, stat.st_size),
            spacing_mm=files.spacing_mm,
            is_own=TARGET in files.own_masks,
        )
    except (NecrosegError, OSError):
        return 0.0


@lru_cache(maxsize=4096)
def _read_volume_ml(
    path: Path, _stamp: tuple[int, int], *, spacing_mm: tuple[float, float, float] | None, is_own: bool
) -> float:
    volume = read_mask(path, spacing_mm=spacing_mm, is_own=is_own).volume
    return int(np.count_nonzero(volume.voxels)) * volume.grid.voxel_ml


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """A training that goes on from a model with cases that are new to it."""

    run: Path
    learned: tuple[str, ...]
    tested: tuple[str, ...]

    def config(self, minutes: float) -> TrainConfig:
        """Return the settings of the training: what the model dictates, and its preset for going on."""
        learned = trained_config(self.run) or train_preset("fast")
        personal = {"sequences": learned.sequences, "minutes": minutes}
        return starting_point("fast", learned.dimension, personal=personal, run=self.run)


def propose_improvement(
    proposal: LearningProposal, run: Path, *, wanted: tuple[str, ...]
) -> Improvement | None:
    """Choose of the wanted cases those that are new to a model; None if there are none.

    It is tested on the cases that neither it nor the model before has learned from.
    """
    known, config = learned_cases(run), trained_config(run)
    sequences = proposal.sequences if config is None else config.sequences
    new = tuple(
        files.name
        for files in proposal.cohort
        if files.name in wanted
        and not files.missing(sequences, TARGET)
        and (not is_among(files.name, known) or files.whose(TARGET) == "signed")
    )
    if not new:
        return None
    patients = {files.patient_or_name for files in proposal.cohort if files.name in {*new, *known}}
    tested = tuple(name for name in proposal.tested if proposal.cohort[name].patient_or_name not in patients)
    return Improvement(run=run, learned=new, tested=tested)
