"""Sorts the images of folders in no standard layout: one folder per case, or many cases in one folder."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from napari_necroseg.core.case_names import shown, tidy_name
from napari_necroseg.core.cohort.file_names import (
    TAKEN_ROLES,
    FileRole,
    Judgement,
    Kind,
    has_additions,
    is_role_name,
    is_variants_folder,
    is_vocabulary,
    judge,
    meaning_of,
    tokens_of,
    variants_among,
    words_of,
)
from napari_necroseg.core.cohort.layouts import MASK_ROLES, Candidate, Group
from napari_necroseg.core.cohort.scan import Folder, relative_name
from napari_necroseg.core.images.file_image import image_stem

CET1_OR_T1 = (FileRole.CET1, FileRole.NATIVE_T1)
EDGES = " _-.()[]"


class Entry(NamedTuple):
    """An image; `above` are the names of folders such as ``masks`` that tell its role.

    `of` says of which file it is a copy or a derived image, by its name or folder; empty for an original.
    """

    path: Path
    above: str
    of: str = ""


class SplitName(NamedTuple):
    """A file of a folder with many cases: the case in its name, and the judgement on the rest."""

    case: str
    candidate: Candidate


def folder_groups(folder: Folder, root: Path) -> tuple[list[Group], list[Folder]]:
    """Group the images of a folder by case; return the groups, and the subfolders that remain to be sorted.

    Subfolders such as ``masks`` or ``T1ce`` are no cases and belong to the folder. The cases' long names
    begin at `root`, the folder that is searched.
    """
    everything, below = _own_entries(folder, "")
    entries, variants = _parted(everything, is_beside_cases=bool(below))
    if not everything:
        return [], below
    above = tuple(map(tidy_name, folder.path.relative_to(root).parts))
    name = tidy_name(folder.name)
    split = [split_name(entry) for entry in entries]
    if not _are_many_cases(split) and not _are_masks_of_other_folders(entries, split):
        files = (*_judge_one_case(entries, folder.name), *map(_variant, variants))
        return [Group(name=name, long_name="_".join(above) or name, files=files)], below
    cases: dict[str, list[Candidate]] = defaultdict(list)
    for case, candidate in split:
        cases[tidy_name(case)].append(candidate)
    case_of = {image_stem(one.candidate.path): tidy_name(one.case) for one in split}
    for variant in variants:
        cases[case_of.get(variant.of, "")].append(_variant(variant))
    return [
        Group(name=case or name, long_name="_".join((*above, case)), files=tuple(files))
        for case, files in cases.items()
    ], below


def without_variants(folders: list[Folder], root: Path) -> tuple[list[Folder], list[str]]:
    """Leave out folders with the name of a copy of another one, with a sentence for each."""
    originals = variants_among(folder.path.name for folder in folders)
    problems = [
        f"{relative_name(folder.path, root)}: its name is that of a copy of {shown(originals[name])}, or of "
        "something derived from it, so its images were left out; rename it if it is a case of its own."
        for folder in folders
        if (name := folder.path.name) in originals
    ]
    return [folder for folder in folders if folder.path.name not in originals], problems


def _parted(entries: list[Entry], *, is_beside_cases: bool) -> tuple[list[Entry], list[Entry]]:
    """Separate original images from copies and derived images."""
    stems: dict[Path, list[str]] = defaultdict(list)
    for entry in entries:
        stems[entry.path.parent].append(image_stem(entry.path))
    originals = {parent: variants_among(names, of_files=True) for parent, names in stems.items()}
    parted: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        stem = image_stem(entry.path)
        of = originals[entry.path.parent].get(stem, entry.of)
        if not of and is_beside_cases and has_additions(stem):
            of = "beside the folders of cases"
        parted[bool(of)].append(entry._replace(of=of))
    # Without originals the derived images are used.
    is_alone = not parted[0] and not is_beside_cases
    return ([entry._replace(of="") for entry in parted[1]], []) if is_alone else parted


def _variant(entry: Entry) -> Candidate:
    reason = entry.of if entry.of.startswith(("in the ", "beside the ")) else f"beside {entry.of}"
    return Candidate(path=entry.path, judgement=Judgement(role=FileRole.VARIANT, reason=shown(reason)))


def _own_entries(folder: Folder, above: str, *, of: str = "") -> tuple[list[Entry], list[Folder]]:
    """Return the images of a folder and subfolders named after roles or variants, and the others."""
    entries = [Entry(path, above, of) for path in folder.images]
    others: list[Folder] = []
    for sub in folder.folders:
        has_variants = bool(folder.images) and is_variants_folder(sub.path.name)
        if has_variants or is_role_name(sub.path.name):
            inside = f"in the folder {sub.path.name}" if has_variants else of
            more_entries, more_others = _own_entries(sub, f"{above} {sub.path.name}", of=inside)
            entries += more_entries
            others += more_others
        else:
            others.append(sub)
    return entries, others


def split_name(entry: Entry) -> SplitName:
    """Split the name of a file into case and role: the words for the role come last, or first."""
    stem = image_stem(entry.path)
    pieces = re.split(r"([\s_\-.()\[\]]+)", stem)
    words = pieces[::2]
    n_end = _run(words[::-1])
    n_start = 0 if n_end else _run(words)
    role_words = words[len(words) - n_end :] if n_end else words[:n_start]
    case = "".join(pieces[: 2 * (len(words) - n_end)] if n_end else pieces[2 * n_start :]).strip(EDGES)
    tokens = tokens_of(f"{entry.above} {' '.join(role_words)}")
    # "earlier" and "prediction" count anywhere in the name: case-01_earlier-002.
    tokens += tuple(token for token in tokens_of(stem) if token.kind is Kind.DERIVED)
    return SplitName(case, Candidate(path=entry.path, judgement=judge(tokens)))


def case_in_name(stem: str) -> str:
    """Return the words of a name that tell no role: ``case-03`` of ``case-03_ceT1``, none of ``T2``."""
    return split_name(Entry(Path(f"{stem}.nii"), "")).case


def _run(words: list[str]) -> int:
    """Return how many of the first words are vocabulary; 0 unless one of them tells a role."""
    n = 0
    for word in words:
        # "T1+C" is one piece of the file name, but two words of the vocabulary.
        if word and not all(is_vocabulary(part) for part in words_of(word)):
            break
        n += 1
    kinds = {token.kind for word in words[:n] for token in tokens_of(word)}
    return n if kinds - {Kind.NEUTRAL} else 0


def _are_many_cases(split: list[SplitName]) -> bool:
    roles: dict[str, set[FileRole]] = defaultdict(set)
    for case, candidate in split:
        if candidate.role is not None:
            roles[case].add(candidate.role)
    with_image = [case for case, found in roles.items() if not found.isdisjoint(CET1_OR_T1)]
    if len(with_image) > 1:
        # A bare ceT1 makes the folder a case, to which one more image with an addition belongs.
        return FileRole.CET1 not in roles[""] or len(with_image) > 2
    # Numbers of series (3_T1ce, 5_T2) give the images of one case different names.
    return (
        "" not in roles
        and len(roles) > 1
        and any(len(found & set(TAKEN_ROLES)) > 1 for found in roles.values())
    )


def _are_masks_of_other_folders(entries: list[Entry], split: list[SplitName]) -> bool:
    """Whether all files are masks in folders such as ``labels``, so that each name is that of a case."""
    return all(entry.above for entry in entries) and all(one.candidate.role in MASK_ROLES for one in split)


def _judge_one_case(entries: list[Entry], folder_name: str) -> tuple[Candidate, ...]:
    """Judge each file by its words, except those that repeat the name of the case."""
    words = [_without_prefix(words_of(image_stem(entry.path)), words_of(folder_name)) for entry in entries]
    n_shared = _shared_identity(words)
    return tuple(
        Candidate(path=entry.path, judgement=judge(tokens_of(f"{entry.above} {' '.join(own[n_shared:])}")))
        for entry, own in zip(entries, words, strict=True)
    )


def _without_prefix(words: list[str], prefix: list[str]) -> list[str]:
    n = len(prefix)
    return words[n:] if len(words) > n and words[:n] == prefix else words


def _shared_identity(names: list[list[str]]) -> int:
    """Return how many first words all names share, up to the first word for a role."""
    if len(names) < 2:
        return 0
    n = 0
    for column in zip(*(words[:-1] for words in names), strict=False):
        word = column[0]
        is_numbered = n + 1 < min(map(len, names)) and names[0][n + 1].isdecimal()
        if len(set(column)) > 1 or (is_vocabulary(word) and not (is_numbered and _is_structure(word))):
            break
        n += 1
    return n


def _is_structure(word: str) -> bool:
    """Whether cases may be numbered after this word: lesion 1, lesion 2."""
    return all(token.kind in (Kind.TUMOUR, Kind.NECROSIS) for token in meaning_of(word))
