"""The image files that might belong to a case, before anything is decided."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from napari_necroseg.core.io.image import image_stem, image_suffix
from napari_necroseg.core.io.naming import Role, role_of


@dataclass(kw_only=True)
class Candidates:
    """The files that might belong to one case, by their role, before anything is decided."""

    name: str
    patient: str = ""
    files: dict[Role, list[Path]] = field(default_factory=lambda: defaultdict(list))
    unknown: list[Path] = field(default_factory=list)


def sort_by_role(name: str, files: Iterable[Path], *, patient: str = "") -> Candidates:
    """Sort the files of a case by what their names say."""
    candidates = Candidates(name=name, patient=patient)
    for path in files:
        role = role_of(image_stem(path))
        (candidates.unknown if role is None else candidates.files[role]).append(path)
    return candidates


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder; an ``.img`` goes with its ``.hdr`` and is not listed."""
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_file()]
    headers = {path.name for path in paths if image_suffix(path).startswith(".hdr")}
    is_twin = {path: path.name.replace(".img", ".hdr") in headers and ".img" in path.name for path in paths}
    return [path for path in paths if image_suffix(path) and not is_twin[path]]
