"""The journals of one case: that of the person's own mask, and one for each other layer that is drawn on."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from napari_necroseg.core.case import Case, Sequence
from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.disk import file_lock
from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.files import remove, user_data_folder
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.labels_folder import JOURNAL_SUFFIX, draft_path, journal_path
from napari_necroseg.core.project.journal import Journal, OtherBaseError, Recovered, check_free, recover
from napari_necroseg.core.project.journal_records import voxels_sha256
from napari_necroseg.core.project.labels import saved_voxels
from napari_necroseg.core.volume import Grid, Origin, Voxels

JOURNALS_FOLDER = "journals"
_LAYER = "layer-"
_LOCK = ".journals.lock"

# To choose a name takes milliseconds; longer is a drive that does not answer.
_LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class KeptStrokes:
    """What a journal on disk holds that is saved nowhere else.

    Parameters
    ----------
    path, is_own
        The journal, and whether it is that of the person's own mask.
    note
        Which layer it was drawn on, see `Recovered.note`.
    edits, volume_ml
        How many edits are in it, and how large the mask is after them.
    is_changed_since
        Whether the mask on disk was changed since the edits began.
    loss
        What of it cannot be read, in a sentence; nothing if all can.
    problem
        Why it cannot be taken back, in a sentence; nothing if it can.
    is_elsewhere
        Whether another window or program is writing it just now.
    """

    path: Path
    is_own: bool
    note: Mapping[str, str] = field(default_factory=dict)
    edits: int = 0
    volume_ml: float = 0.0
    is_changed_since: bool = False
    loss: str = ""
    problem: str = ""
    is_elsewhere: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class JournalFolder:
    """Where the journals of a case are.

    Parameters
    ----------
    key
        What the journals belong to: the name of a case of a project, or what its image looks like.
    grid
        The working grid that the masks lie on.
    own, others
        The journal of the person's own mask, and the folder of those of all other layers.
    labels, case
        The folder of the project's masks and the name of its case; no folder for a case in no project.
    """

    key: str
    grid: Grid
    own: Path
    others: Path
    case: str
    labels: Path | None = None

    @classmethod
    def of_project(cls, labels: Path, case: str, grid: Grid) -> "JournalFolder":
        """Return that of a case in a project, beside its masks."""
        others = named_file(labels / JOURNALS_FOLDER, case)
        return cls(
            key=case, grid=grid, own=journal_path(labels, case), others=others, case=case, labels=labels
        )

    @classmethod
    def of_image(cls, case: Case) -> "JournalFolder":
        """Return that of a case in no project, such as a pair of files: in the data folder of the user.

        It is found by what the ceT1 image looks like, so that files may be moved and renamed. The first time
        takes as long as to look at each voxel.
        """
        image = voxels_sha256(case.sequences[Sequence.CET1].voxels).hex()
        place = user_data_folder() / JOURNALS_FOLDER / image[:32]
        own = place / f"mask{JOURNAL_SUFFIX}"
        return cls(key=f"image {image}", grid=case.grid, own=own, others=place / "layers", case=case.name)

    def begin(self, voxels: Voxels, *, is_own: bool, note: Mapping[str, str]) -> Journal:
        """Begin the journal of a mask ``(Z, Y, X)`` under a name that no journal has.

        Parameters
        ----------
        voxels
            The mask as it is now.
        is_own
            Whether it is the person's own mask; while there is an older journal of that, or another window is
            writing it, this one is kept as that of another layer.
        note
            Which layer it is.

        Raises
        ------
        ResourceError
            If the folder cannot be written to, or has too little room.
        """
        with file_lock(self.own.parent / _LOCK, "Beginning a journal", wait_s=_LONGEST_WAIT_S):
            is_own = is_own and not self.own.exists()
            base = (self.saved() if is_own else None) if self.labels is not None else None
            return Journal.begin(
                self.own if is_own else self._free(),
                np.zeros(self.grid.shape, np.uint8) if base is None else base,
                case=self.key,
                now=voxels,
                note=None if is_own else note,
            )

    def saved(self) -> Voxels | None:
        """Return the own mask as it is saved in the project, ``(Z, Y, X)``; None if there is none."""
        return None if self.labels is None else saved_voxels(self.labels, self.case, self.grid)

    def kept(self, held: Collection[Path] = ()) -> tuple[KeptStrokes, ...]:
        """Return the strokes to take back, those of the own mask first; `held` are journals in use here.

        A journal of which all is saved is removed.
        """
        others = sorted(self.others.glob(f"*{JOURNAL_SUFFIX}")) if self.others.is_dir() else []
        found = [self._kept(path) for path in (self.own, *others) if path not in held and path.exists()]
        return tuple(one for one in found if one is not None)

    def take_back(self, path: Path) -> tuple[Journal, Recovered]:
        """Take up a journal to the last edit, in place of whatever is saved; see `Journal.resume`."""
        return Journal.resume(path, self._base(path), case=self.key, any_base=True)

    def write_draft(self, voxels: Voxels | None, origin: Origin) -> None:
        """Write the own mask as a file that any program reads, or remove that; nothing without a project."""
        if self.labels is None:
            return
        path = draft_path(self.labels, self.case)
        if voxels is None:
            remove(path)
        else:
            save_mask(path, voxels, origin)

    def _free(self) -> Path:
        paths = (self.others / f"{_LAYER}{number:03d}{JOURNAL_SUFFIX}" for number in count(1))
        return next(path for path in paths if not path.exists())

    def _base(self, path: Path) -> Voxels:
        saved = self.saved() if path == self.own else None
        return np.zeros(self.grid.shape, np.uint8) if saved is None else saved

    def _kept(self, path: Path) -> KeptStrokes | None:
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
