"""Reads a case and makes its layers; one case may be read before it is wanted."""

from dataclasses import dataclass

from napari_necroseg.core.case import Case, CaseFiles
from napari_necroseg.layerdata import LayerData, case_layers


def read_for_display(files: CaseFiles) -> tuple[Case, list[LayerData]]:
    """Read a case, and make its layers."""
    from napari_necroseg.core.cohort.load import load_case

    case = load_case(files)
    return case, case_layers(case)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Read:
    files: CaseFiles
    # Time and size of each file, which change with it.
    stamps: tuple[tuple[int, int], ...]
    case: Case
    layers: list[LayerData]


class ReadAhead:
    """Holds one case that was read ahead; it is handed out once, and only while its files are the same."""

    def __init__(self) -> None:
        self._read: _Read | None = None

    def holds(self, files: CaseFiles) -> bool:
        """Whether this case was read, and its files have not changed since."""
        read = self._read
        return read is not None and read.files == files and read.stamps == _stamps(files)

    def read(self, files: CaseFiles) -> Case:
        """Read a case in place of the one that is held, unless it is held already."""
        read = self._read
        if read is not None and self.holds(files):
            return read.case
        self._read = None
        stamps = _stamps(files)
        case, layers = read_for_display(files)
        self._read = _Read(files=files, stamps=stamps, case=case, layers=layers)
        return case

    def take(self, files: CaseFiles) -> tuple[Case, list[LayerData]] | None:
        """Hand the case out if it was read; None if it has to be read now."""
        if not self.holds(files):
            return None
        read, self._read = self._read, None
        return None if read is None else (read.case, read.layers)


def _stamps(files: CaseFiles) -> tuple[tuple[int, int], ...]:
    found = []
    for path in files.paths.values():
        try:
            stat = path.stat()
        except OSError:
            return ()
        found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)
