"""Cases in memory: read once, used by all runs of a process, as far as they fit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from napari_necroseg.core.case import Case, CaseFiles
from napari_necroseg.core.images.load import load_case
from napari_necroseg.core.process import available_bytes

_SHARE_OF_FREE_MEMORY = 0.3
_Stamps = tuple[tuple[Path, int, int], ...]


class CaseStore:
    """Cases that were read, kept as long as their files stay the same and memory is left.

    Parameters
    ----------
    most_bytes
        Of all voxels together; by default a third of the memory that is free now.
    share
        How many processes share that.

    Attributes
    ----------
    n_read
        How often a case was read from its files.
    """

    def __init__(self, most_bytes: float | None = None, *, share: int = 1) -> None:
        free = available_bytes() * _SHARE_OF_FREE_MEMORY / share
        self._most_bytes = free if most_bytes is None else most_bytes
        self._cases: dict[str, tuple[_Stamps, Case]] = {}
        self._n_bytes = 0
        self.n_read = 0

    def load(self, files: CaseFiles) -> Case:
        """Return a case, from memory if it is there.

        Raises
        ------
        NecrosegError
            As `load_case`.
        """
        if files.loaded is not None:
            return files.loaded
        stamps = _stamps(files)
        kept = self._cases.get(files.name)
        if kept is not None and kept[0] == stamps:
            return kept[1]
        case = load_case(files)
        self.n_read += 1
        self._keep(files.name, stamps, case)
        return case

    def with_voxels(self, files: CaseFiles) -> CaseFiles:
        """Return the row of a case with its voxels if these fit into memory; reads them if need be.

        The notes on how it was read are left out: they were told when the experiment began.
        """
        if files.name not in self._cases and self._is_full:
            return files
        return replace(files, loaded=replace(self.load(files), notes=()))

    @property
    def _is_full(self) -> bool:
        return self._n_bytes >= self._most_bytes

    def _keep(self, name: str, stamps: _Stamps, case: Case) -> None:
        dropped = self._cases.pop(name, None)
        if dropped is not None:
            self._n_bytes -= _n_bytes(dropped[1])
        if not self._is_full:
            self._cases[name] = (stamps, case)
            self._n_bytes += _n_bytes(case)


def _stamps(files: CaseFiles) -> _Stamps:
    """What changes when a file of the case does; nothing for a file that is not there."""
    named: Mapping[str, Path | None] = dict(files.sequences) | {"r": files.reference, "t": files.tumour}
    found = []
    for path in named.values():
        if path is not None and path.exists():
            stat = path.stat()
            found.append((path, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _n_bytes(case: Case) -> int:
    masks = [mask for mask in (case.reference, case.tumour) if mask is not None]
    return sum(volume.voxels.nbytes for volume in [*case.sequences.values(), *masks])
