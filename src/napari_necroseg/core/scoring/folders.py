"""The masks in a folder by the name of their case: which share one, and which belong to another."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case_names import check_case_name, name_key, shown, tidy_name
from napari_necroseg.core.cohort.scan import list_images
from napari_necroseg.core.images.file_image import image_stem
from napari_necroseg.core.images.nifti import holds_fractions

# What is written beside a mask, under a name made of the mask's.
_BESIDE = re.compile(r"(.+)_(?:probability|uncertainty|tumour|earlier-\d{3,})", re.IGNORECASE | re.DOTALL)
_EARLIER = re.compile(r".+_earlier-\d{3,}", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class MaskFolder:
    """The image files of a folder, by their names as `name_key` makes them.

    Parameters
    ----------
    files
        Of each name; several are files among which nobody can choose.
    notes
        What was left out of the folder, a sentence each.
    """

    files: Mapping[str, tuple[Path, ...]]
    notes: tuple[str, ...] = ()

    def name_of(self, key: str) -> str:
        """Return a name as the (first) file has it, as a case is called."""
        return shown(tidy_name(image_stem(self.files[key][0])))

    def twins(self, key: str) -> str:
        """Say that several files have a name; nothing if one has it, or none."""
        files = self.files.get(key, ())
        if len(files) < 2:
            return ""
        names = ", ".join(shown(path.name) for path in files)
        folder = shown(files[0].parent.name)
        return f"{folder} holds {len(files)} files of this case ({names}); keep the right one."

    def impossible(self, key: str) -> str:
        """Say why no case can have a name; nothing if one can."""
        reason = check_case_name(tidy_name(image_stem(self.files[key][0])))
        return f"{reason[0].upper()}{reason[1:]}; rename its files." if reason else ""

    def cases(self, named: Collection[str]) -> "MaskFolder":
        """Return what can be a mask of a case: no probabilities, uncertainties, tumours or earlier versions.

        Parameters
        ----------
        named
            Names of cases, as `name_key` makes them: a case may be called like one of those files.
        """
        kept = {key: files for key, files in self.files.items() if not self._is_beside(key, named)}
        return MaskFolder(files=kept, notes=self.notes)

    def _is_beside(self, key: str, named: Collection[str]) -> bool:
        found = _BESIDE.fullmatch(key)
        if found is None or not self._is_there(found[1], named):
            return False
        return key not in named or all(map(holds_fractions, self.files[key]))

    def _is_there(self, key: str, named: Collection[str]) -> bool:
        """Whether there is a case of a name, or one whose file this would be."""
        found = _BESIDE.fullmatch(key)
        return key in self.files or key in named or (found is not None and self._is_there(found[1], named))


def read_folder(folder: Path) -> MaskFolder:
    """List the image files of a folder; litter is left out, and two halves of a pair are one file."""
    listing = list_images(folder)
    files: dict[str, list[Path]] = defaultdict(list)
    for path in listing.images:
        files[name_key(image_stem(path))].append(path)
    notes = tuple(f"{shown(folder.name)}: {note}" for note in listing.notes)
    return MaskFolder(files={key: tuple(found) for key, found in sorted(files.items())}, notes=notes)


def is_earlier_version(key: str) -> bool:
    """Whether a name is that of a mask that a newer one replaced."""
    return _EARLIER.fullmatch(key) is not None
