"""Walking a folder for image files, without being led astray by links, hidden files or sheer numbers."""

import os
import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.io.file_image import image_suffix

DEEPEST_FOLDER = 12
MOST_ENTRIES = 200_000
SECONDS_BETWEEN_EVENTS = 0.1
# What archives and file managers leave behind, besides names that begin with a dot.
LITTER = ("__macosx", "thumbs.db", "desktop.ini", "@eadir")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder with the images in it; `folders` have images somewhere below, all in natural order."""

    path: Path
    images: tuple[Path, ...]
    folders: tuple["Folder", ...]

    @property
    def name(self) -> str:
        """The folder's own name, also where it was given as ``.``."""
        return self.path.name or self.path.resolve().name

    def below(self) -> list[Path]:
        """All images in the folder and its subfolders."""
        return [*self.images, *(path for folder in self.folders for path in folder.below())]

    def get(self, name: str) -> "Folder | None":
        """The subfolder of that name, if it holds an image."""
        return next((folder for folder in self.folders if folder.path.name == name), None)


@dataclass(kw_only=True)
class Walk:
    """What a walk has seen: how many entries, which real folders, and what could not be opened."""

    root: Path
    n_entries: int = 0
    has_dicom: bool = False
    problems: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    last_event_s: float = 0.0


def scan(folder: Path, walk: Walk) -> Generator[Event, None, Folder]:
    """Collect the images of a folder and its subfolders.

    Hidden files are skipped, links are followed but never in a circle; a folder that cannot be opened
    and a link that leads nowhere become problems of the walk.

    Raises
    ------
    CohortError
        If there are more than 200,000 files.
    """
    walk.seen.add(folder.resolve())
    files, names = _entries(folder, walk)
    if time.monotonic() - walk.last_event_s > SECONDS_BETWEEN_EVENTS:
        walk.last_event_s = time.monotonic()
        yield Progress(done=0, total=1, message=f"looking for images, {walk.n_entries} files seen")
    folders = []
    for name in names:
        below = folder / name
        if below.resolve() not in walk.seen:
            found = yield from scan(below, walk)
            folders.append(found)
    with_images = tuple(one for one in folders if one.images or one.folders)
    return Folder(path=folder, images=tuple(_without_twins(files)), folders=with_images)


def relative_name(path: Path, root: Path) -> str:
    """How a file is called in messages: its path below the folder that was searched."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which case-2 comes before case-10."""
    pieces = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces if p)


def _entries(folder: Path, walk: Walk) -> tuple[list[Path], list[str]]:
    """The image files and the names of the subfolders that are to be searched."""
    files: list[Path] = []
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                walk.n_entries += 1
                _check_number(walk)
                if not (entry.name.startswith(".") or entry.name.casefold() in LITTER):
                    _sort_entry(entry, walk, files, names)
    except OSError as error:
        place = relative_name(folder, walk.root)
        walk.problems.append(f"{place}: the folder could not be read ({error.strerror}); it was left out.")
    depth = len(folder.parts) - len(walk.root.parts)
    if names and depth >= DEEPEST_FOLDER:
        walk.problems.append(
            f"{relative_name(folder, walk.root)}: what lies deeper than {DEEPEST_FOLDER} folders was not "
            "searched."
        )
        names = []
    return sorted(files, key=lambda path: natural_key(path.name)), sorted(names, key=natural_key)


def _sort_entry(entry: os.DirEntry[str], walk: Walk, files: list[Path], names: list[str]) -> None:
    path = Path(entry.path)
    if entry.is_dir():
        names.append(entry.name)
    elif path.suffix.lower() in (".dcm", ".ima") or entry.name == "DICOMDIR":
        walk.has_dicom = True
    elif not image_suffix(path):
        return
    elif entry.is_file():
        files.append(path)
    else:
        place = relative_name(path, walk.root)
        walk.problems.append(f"{place}: it is a link to a file that is not there; it was left out.")


def _check_number(walk: Walk) -> None:
    if walk.n_entries > MOST_ENTRIES:
        raise CohortError(
            f"{walk.root} has more than {MOST_ENTRIES} files, so it is not searched to the end; name the "
            "folder that holds only the cases."
        )


def _without_twins(paths: list[Path]) -> list[Path]:
    """Leave out an ``.img`` that stands beside its ``.hdr``: they are one image."""
    names = {path.name.lower() for path in paths}
    return [path for path in paths if _header_name(path.name.lower()) not in names]


def _header_name(name: str) -> str | None:
    for image, header in ((".img", ".hdr"), (".img.gz", ".hdr.gz")):
        if name.endswith(image):
            return name.removesuffix(image) + header
    return None
