"""What file systems, network drives, archives and file managers leave among the images of people."""

from collections.abc import Sequence

from napari_necroseg.core.casename import name_key, shown

# Compared by `name_key`. Deleted files, snapshots and thumbnails of network drives (Synology, QNAP, NetApp,
# Buffalo, Samba) and clouds; of Windows; of macOS and its archives; of Linux.
_NAMES = frozenset(
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


def is_litter(name: str) -> bool:
    """Whether a file or folder is none of a person's: hidden, or left there by a system or program."""
    return name.startswith((".", "~$")) or name_key(name) in _NAMES


def litter_sentence(places: Sequence[str]) -> tuple[str, ...]:
    """Say how many such entries were left out, and name the first ones; nothing if there are none."""
    if not places:
        return ()
    named = ", ".join(map(shown, places[:_MOST_NAMED])) + (", ..." if len(places) > _MOST_NAMED else "")
    entries = "1 entry" if len(places) == 1 else f"{len(places)} entries"
    were = "was" if len(places) == 1 else "were"
    return (f"{entries} of the file system's own, or hidden, {were} left out: {named}.",)
