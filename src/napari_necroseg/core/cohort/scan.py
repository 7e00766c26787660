"""Searches a folder for image files, safe from loops of links, hidden files and huge numbers of files."""

import errno
import os
import re
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.case_names import is_unicode, listed, name_key, shown
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.core.images.file_image import image_suffix

DEEPEST_FOLDER = 12
MOST_ENTRIES = 200_000
SECONDS_BETWEEN_EVENTS = 0.1
LEFT_OUT = "it was left out."
GONE = "it is a link to a file that is not there"

# Compared by `name_key`. Deleted files, snapshots and thumbnails of network drives (Synology, QNAP, NetApp,
# Buffalo, Samba) and clouds; of Windows; of macOS and its archives; of Linux.
_LITTER = frozenset(
    {
        *("#recycle", "@recycle", "recycle", "trashbox", "#snapshot", "~snapshot", "@snapshot"),
        *("@recently-snapshot", "@eadir", "@tmp", "@sharebin", "@sharesnap", "@app", "@appdata", "@apptemp"),
        *("files_trashbin", "files_versions", "_gsdata_", "onedrivetemp", "_nas_recycle_raid", "dfsrprivate"),
        *("recycle bin", "trash", "papierkorb", "corbeille", "papelera", "papelera de reciclaje", "cestino"),
        *("$recycle.bin", "recycler", "recycled", "system volume information", "thumbs.db", "ehthumbs.db"),
        *("ehthumbs_vista.db", "desktop.ini", "msocache", "config.msi", "$winreagent", "found.000"),
        *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "icon\r"),
        *("lost+found",),
    }
)
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder with its images, and those of its subfolders that hold images, all in natural order."""

    path: Path
    images: tuple[Path, ...]
    folders: tuple["Folder", ...]

    @property
    def name(self) -> str:
        """The name of the folder, also if it was given as ``.``."""
        return self.path.name or self.path.resolve().name

    def below(self) -> list[Path]:
        """All images in the folder and its subfolders."""
        return [*self.images, *(path for folder in self.folders for path in folder.below())]

    def get(self, name: str) -> "Folder | None":
        """The subfolder of that name, if it holds an image."""
        return next((folder for folder in self.folders if folder.path.name == name), None)


@dataclass(kw_only=True)
class Walk:
    """The state of a search: the entries counted, the real folders searched, the problems.

    `litter` names entries that a system or program left; `may_hide` says whether they could hold images. With
    `for_table`, names that no table can hold are left out.
    """

    root: Path
    for_table: bool = True
    n_entries: int = 0
    has_dicom: bool = False
    problems: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    may_hide: bool = False
    seen: set[Path] = field(default_factory=set)
    last_event_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The image files of a single folder, in natural order, and a sentence for each entry left out."""

    images: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def scan(folder: Path, walk: Walk) -> Generator[Event, None, Folder]:
    """Collect the images of a folder and its subfolders, if there are no more than 200,000 files.

    Hidden files and those of a system are skipped and counted. Links are followed, except to folders that are
    searched anyway. Every entry that cannot be opened, every broken link and every name that is not text
    becomes a problem of the walk.
    """
    walk.seen.add(_real(folder))
    files, names = _entries(folder, walk)
    if time.monotonic() - walk.last_event_s > SECONDS_BETWEEN_EVENTS:
        walk.last_event_s = time.monotonic()
        yield Progress(done=0, total=1, message=f"looking for images, {walk.n_entries} files seen")
    folders = []
    for name in names:
        below = folder / name
        if _real(below) in walk.seen:
            where = relative_name(below, walk.root)
            walk.problems.append(f"{where}: it is a link to a folder that was searched already; {LEFT_OUT}")
            continue
        found = yield from scan(below, walk)
        folders.append(found)
    with_images = tuple(one for one in folders if one.images or one.folders)
    return Folder(path=folder, images=tuple(_without_twins(files)), folders=with_images)


def list_images(folder: Path) -> Listing:
    """List the images of one folder, without its subfolders; see `scan` for rules and errors."""
    walk = Walk(root=folder, for_table=False)
    files, _ = _entries(folder, walk)
    litter = litter_sentence(walk.litter) if walk.may_hide else ()
    return Listing(images=tuple(_without_twins(files)), notes=(*walk.problems, *litter))


def relative_name(path: Path, root: Path) -> str:
    """Return the name of a file for messages: its path below the folder that was searched."""
    return shown(path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key by which case-2 comes before case-10."""
    pieces = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pieces if p)


def _entries(folder: Path, walk: Walk) -> tuple[list[Path], list[str]]:
    """Return the image files, and the names of the subfolders that are to be searched."""
    files: list[Path] = []
    names: list[str] = []
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                walk.n_entries += 1
                _check_number(walk)
                found.append(entry)
    except OSError as error:
        where = relative_name(folder, walk.root)
        walk.problems.append(f"{where}: the folder could not be read ({_reason(error)}); {LEFT_OUT}")
    for entry in sorted(found, key=lambda entry: natural_key(entry.name)):
        _sort_entry(entry, walk, files=files, names=names)
    depth = len(folder.parts) - len(walk.root.parts)
    if names and depth >= DEEPEST_FOLDER:
        walk.problems.append(
            f"{relative_name(folder, walk.root)}: what lies deeper than {DEEPEST_FOLDER} folders was not "
            "searched."
        )
        names = []
    return files, names


def _sort_entry(entry: os.DirEntry[str], walk: Walk, *, files: list[Path], names: list[str]) -> None:
    """Add an entry to the files or folders, or report why not; errors concern this entry only."""
    path = Path(entry.path)
    where = relative_name(path, walk.root)
    try:
        is_folder = entry.is_dir()
        reason = _why_not(entry, walk, is_folder=is_folder)
    except (OSError, RuntimeError) as error:
        walk.problems.append(f"{where}: {_reason(error)}; {LEFT_OUT}")
        return
    if is_litter(entry.name):
        walk.litter.append(where)
        walk.may_hide = walk.may_hide or is_folder or bool(image_suffix(path))
    elif reason:
        walk.problems.append(f"{where}: {reason}; {LEFT_OUT}")
    elif is_folder:
        names.append(entry.name)
    elif image_suffix(path):
        files.append(path)
    elif path.suffix.lower() in (".dcm", ".ima") or entry.name == "DICOMDIR":
        walk.has_dicom = True


def _why_not(entry: os.DirEntry[str], walk: Walk, *, is_folder: bool) -> str:
    """Return why an entry that may be or hold an image is not used; empty if it is used, or is neither."""
    is_bare_link = entry.is_symlink() and not Path(entry.path).suffix
    if not (is_folder or is_bare_link or image_suffix(Path(entry.path))):
        return ""
    if walk.for_table and not is_unicode(Path(entry.name)):
        return "its name holds bytes that are not text, so no table can name it (rename it)"
    if not is_folder and not entry.is_file():
        is_gone = entry.is_symlink() and not Path(entry.path).exists()
        return GONE if is_gone else "it is no ordinary file"
    if is_folder and entry.is_symlink() and _is_searched(_real(Path(entry.path)), _real(walk.root)):
        return "it is a link to a folder that is searched by itself, or above the one that is searched"
    return ""


def _is_searched(target: Path, root: Path) -> bool:
    return target.is_relative_to(root) or root.is_relative_to(target)


def _real(folder: Path) -> Path:
    """Return the folder to which links lead."""
    return Path(os.path.realpath(folder))


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
        return "it is a link that leads back to itself"
    return f"{error.strerror or type(error).__name__}"


def _check_number(walk: Walk) -> None:
    if walk.n_entries > MOST_ENTRIES:
        raise CohortError(
            f"{walk.root} has more than {MOST_ENTRIES} files, so it is not searched to the end; name the "
            "folder that holds only the cases."
        )


def _without_twins(paths: list[Path]) -> list[Path]:
    """Leave out each ``.img`` with an ``.hdr`` beside it: they are one image."""
    names = {path.name.lower() for path in paths}
    return [path for path in paths if _header_name(path.name.lower()) not in names]


def _header_name(name: str) -> str | None:
    for image, header in ((".img", ".hdr"), (".img.gz", ".hdr.gz")):
        if name.endswith(image):
            return name.removesuffix(image) + header
    return None


def is_litter(name: str) -> bool:
    """Whether a file or folder is hidden, or was left there by a system or program."""
    return name.startswith((".", "~$")) or name_key(name) in _LITTER


def litter_sentence(names: Sequence[str]) -> tuple[str, ...]:
    """Say how many such entries were left out, with the first names; nothing if there are none."""
    if not names:
        return ()
    named = listed([*map(shown, names)], _MOST_NAMED)
    entries = "1 entry" if len(names) == 1 else f"{len(names)} entries"
    were = "was" if len(names) == 1 else "were"
    return (f"{entries} of the file system's own, or hidden, {were} left out: {named}.",)
