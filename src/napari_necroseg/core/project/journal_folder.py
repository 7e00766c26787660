"""Finds the journals of a case: one of the person's own mask, and one of each other layer drawn on."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.files import free_path, remove, user_data_folder
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.labels_folder import JOURNAL_SUFFIX, draft_path, journal_path
from napari_necroseg.core.project.journal import Journal, OtherBaseError, Recovered, check_free, recover
from napari_necroseg.core.project.journal_records import raw_sha256
from napari_necroseg.core.project.labels import saved_voxels
from napari_necroseg.core.volume import Grid, Origin, Voxels

JOURNALS_FOLDER = "journals"
_LAYER = "layer-"
_LOCK = ".journals.lock"

# Choosing a name takes milliseconds, unless the drive does not answer.
_LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class KeptStrokes:
    """Strokes in a journal on disk that are saved nowhere else."""

    path: Path
    is_own: bool  # Whether they are on the person's own mask.
    # Which layer was drawn on; see `Recovered.note`.
    note: Mapping[str, str] = field(default_factory=dict)
    edits: int = 0
    volume_ml: float = 0.0  # Of the mask after the edits.
    is_changed_since: bool = False  # Whether the mask on disk was changed after the edits began.
    loss: str = ""  # A sentence on what cannot be read.
    problem: str = ""  # A sentence on why the strokes cannot be taken back.
    is_elsewhere: bool = False  # Whether another window or program is writing the journal now.


@dataclass(frozen=True, kw_only=True, eq=False)
class JournalFolder:
    """The places of a case's journals."""

    # Identifies the case in the journals: its name in a project, or else a hash of its image.
    key: str
    grid: Grid  # The working grid of the masks.
    own: Path  # The journal of the person's own mask.
    others: Path  # The folder with the journals of all other layers.
    case: str
    labels: Path | None = None  # The folder of the project's masks; None outside of a project.

    @classmethod
    def of_project(cls, labels: Path, case: str, *, grid: Grid) -> "JournalFolder":
        """Return the places for a case in a project: beside its masks."""
        others = named_file(labels / JOURNALS_FOLDER, case)
        return cls(
            key=case, grid=grid, own=journal_path(labels, case), others=others, case=case, labels=labels
        )

    @classmethod
    def of_image(cls, case: Case) -> "JournalFolder":
        """Return the places for a case outside of a project: in the user's data folder.

        They are named by a hash of the ceT1 image, so that its file may be moved and renamed. Hashing reads
        every voxel.
        """
        image = raw_sha256(case.sequences[Sequence.CET1].voxels).hex()
        place = user_data_folder() / JOURNALS_FOLDER / image[:32]
        own = place / f"mask{JOURNAL_SUFFIX}"
        return cls(key=f"image {image}", grid=case.grid, own=own, others=place / "layers", case=case.name)

    def begin(self, voxels: Voxels, *, is_own: bool, note: Mapping[str, str]) -> Journal:
        """Begin the journal of a mask ``(Z, Y, X)``, and note which layer it is, under a free name.

        If the person's own mask has a journal already, which another window may be writing, the new one is
        kept among those of other layers. Raises `ResourceError` if the folder cannot be written to, or is
        nearly full.
        """
        with file_lock(self.own.parent / _LOCK, "Beginning a journal", wait_s=_LONGEST_WAIT_S):
            is_own = is_own and not self.own.exists()
            base = (self.saved() if is_own else None) if self.labels is not None else None
            return Journal.begin(
                self.own if is_own else self._free(),
                np.zeros(self.grid.shape, np.uint8) if base is None else base,
                case=self.key,
                now=voxels,
                note=note,
            )

    def saved(self) -> Voxels | None:
        """Return the person's own mask as saved in the project, ``(Z, Y, X)``; None if there is none."""
        return None if self.labels is None else saved_voxels(self.labels, self.case, grid=self.grid)

    def kept(self, held: Collection[Path] = (), *, tidies: bool = True) -> tuple[KeptStrokes, ...]:
        """Return the strokes that can be taken back, those of the own mask first, without journals in `held`.

        A journal whose strokes are all saved is removed if this `tidies`.
        """
        others = sorted(self.others.glob(f"*{JOURNAL_SUFFIX}")) if self.others.is_dir() else []
        paths = [path for path in (self.own, *others) if path not in held and path.exists()]
        found = [self._kept(path, tidies=tidies) for path in paths]
        return tuple(one for one in found if one is not None)

    def take_back(self, path: Path) -> tuple[Journal, Recovered]:
        """Go on with a journal from its last edit, whatever mask is saved; see `Journal.resume`."""
        return Journal.resume(path, self._base(path), case=self.key, any_base=True)

    def write_draft(self, voxels: Voxels | None, origin: Origin) -> None:
        """Write the own mask as a file that any program can read, or remove it; in a project only."""
        if self.labels is None:
            return
        path = draft_path(self.labels, self.case)
        if voxels is None:
            remove(path)
        else:
            save_mask(path, voxels, origin)

    def _free(self) -> Path:
        return free_path(lambda number: self.others / f"{_LAYER}{number:03d}{JOURNAL_SUFFIX}")

    def _base(self, path: Path) -> Voxels:
        saved = self.saved() if path == self.own else None
        return np.zeros(self.grid.shape, np.uint8) if saved is None else saved

    def _kept(self, path: Path, *, tidies: bool) -> KeptStrokes | None:
        is_own = path == self.own
        try:
            check_free(path)
        except FileError as error:
            return KeptStrokes(path=path, is_own=is_own, problem=str(error), is_elsewhere=True)
        except OSError as error:
            return KeptStrokes(path=path, is_own=is_own, problem=f"{path.name}: {error.strerror}.")
        base = self._base(path)
        try:
            found, is_changed = recover(path, base, case=self.key), False
        except OtherBaseError:
            found, is_changed = recover(path, base, case=self.key, any_base=True), is_own
        except NecrosegError as error:
            return KeptStrokes(path=path, is_own=is_own, problem=str(error))
        if found.is_saved and (is_own or not found.edits):
            if tidies:
                self._remove(path)
            return None
        return KeptStrokes(
            path=path,
            is_own=is_own,
            note=found.note,
            edits=found.edits,
            volume_ml=int(np.count_nonzero(found.voxels)) * self.grid.voxel_ml,
            is_changed_since=is_changed,
            loss=found.loss,
        )

    def _remove(self, path: Path) -> None:
        with suppress(NecrosegError):
            remove(path)
            if path == self.own and self.labels is not None:
                remove(draft_path(self.labels, self.case))
