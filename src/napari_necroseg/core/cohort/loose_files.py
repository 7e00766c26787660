"""Sorts files that a person chose one by one into the images and masks of cases."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.case_names import check_case_name, tidy_name
from napari_necroseg.core.cohort.file_names import FileRole, is_role_name
from napari_necroseg.core.cohort.find import Decision, decide
from napari_necroseg.core.cohort.folders import Entry, case_in_name, folder_groups, split_name
from napari_necroseg.core.cohort.layouts import Candidate, Group
from napari_necroseg.core.cohort.scan import Folder, natural_key
from napari_necroseg.core.images.file_image import image_stem

_MASKS = (FileRole.REFERENCE, FileRole.TUMOUR, FileRole.OTHER_MASK)


@dataclass(frozen=True, kw_only=True)
class LooseFiles:
    """What the names of some files tell.

    `cases`: what is certain. If that is nothing, `images` may be the ceT1 image of the only case, which is
    called `name`, and `certain` its other files by their columns of the table.
    """

    cases: tuple[CaseFiles, ...] = ()
    name: str = ""
    images: tuple[Path, ...] = ()
    certain: Mapping[str, Path] | None = None

    def with_cet1(self, cet1: Path) -> CaseFiles:
        """Return the only case with a file as its ceT1 image."""
        case = CaseFiles(name=self.name, sequences={Sequence.CET1: cet1})
        for column, path in (self.certain or {}).items():
            case = case if path == cet1 else case.with_file(column, path)
        return case


def sort_files(paths: Iterable[Path]) -> LooseFiles:
    """Sort image files by their names, and by their folders where the names do not tell."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(paths, key=lambda path: natural_key(str(path))):
        by_folder[path.parent].append(path)
    decisions = [one for folder, files in by_folder.items() for one in _decide(folder, files)]
    cases = [one.case for one in decisions if one.case is not None]
    if len(by_folder) > 1 and len(cases) < len(by_folder):
        # One case whose sequences lie in folders of their own.
        decisions = [_decide_one([path for files in by_folder.values() for path in files])]
        cases = [one.case for one in decisions if one.case is not None]
    if cases:
        return LooseFiles(cases=tuple(_named(case, is_alone=len(cases) == 1) for case in cases))
    return _unsure([path for files in by_folder.values() for path in files])


def name_of(cet1: Path) -> str:
    """Return the name of a case by its ceT1 file: what that tells besides the sequence, else its folder."""
    told = tidy_name(case_in_name(image_stem(cet1)))
    if told and not told.isdecimal() and check_case_name(told) is None:
        return told
    above = (tidy_name(folder.name) for folder in cet1.resolve().parents)
    usable = (name for name in above if not is_role_name(name) and check_case_name(name) is None)
    return next(usable, told or tidy_name(image_stem(cet1)))


def _decide(folder: Path, files: list[Path]) -> list[Decision]:
    groups, _ = folder_groups(Folder(path=folder, images=tuple(files), folders=()), folder)
    return [decide(group, folder) for group in groups]


def _decide_one(files: list[Path]) -> Decision:
    candidates = tuple(_candidate(path) for path in files)
    return decide(Group(name="case", long_name="case", files=candidates), files[0].parent)


def _candidate(path: Path) -> Candidate:
    above = path.parent.name if is_role_name(path.parent.name) else ""
    return split_name(Entry(path, above)).candidate


def _named(case: CaseFiles, *, is_alone: bool) -> CaseFiles:
    return replace(case, name=name_of(case.sequences[Sequence.CET1])) if is_alone else case


def _unsure(files: list[Path]) -> LooseFiles:
    candidates = [_candidate(path) for path in files]
    images = tuple(one.path for one in candidates if one.role not in _MASKS)
    # What is named T2 may be ceT1 only if there is nothing else.
    images = tuple(path for path in images if _candidate(path).role is not FileRole.T2) or images
    certain = {
        str(role): found[0]
        for role in (FileRole.T2, FileRole.REFERENCE, FileRole.TUMOUR)
        if len(found := [one.path for one in candidates if one.role is role]) == 1
    }
    name = name_of(images[0]) if images else ""
    return LooseFiles(name=name, images=images, certain=certain)
