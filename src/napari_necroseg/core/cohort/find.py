"""Finds the cases in a folder of any layout; only what is certain is used, and the rest is reported."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.case_names import check_case_name, name_key, tidy_name
from napari_necroseg.core.cohort.file_names import TAKEN_ROLES, FileRole
from napari_necroseg.core.cohort.folders import folder_groups, without_variants
from napari_necroseg.core.cohort.layouts import (
    Candidate,
    Group,
    Sorted,
    bids_groups,
    is_bids,
    is_nnunet,
    nnunet_groups,
)
from napari_necroseg.core.cohort.scan import Folder, Walk, litter_sentence, natural_key, relative_name, scan
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.events import Event, run

UNDERSTOOD = (
    "This program understands NIfTI and TIFF files in one folder per case, with names like ceT1, T1ce, t1c, "
    "T1_Gd or T1-KM; T2 or t2w; necrosis, mask, label, seg or roi; tumour, metastasis or lesion; or all in "
    "one folder (case01_ceT1, case01_T2); nnU-Net raw folders; and BIDS."
)

# A file of this role is mentioned only if the case lacks one of the roles that it might be mistaken for.
WORTH_A_WORD = {
    FileRole.NATIVE_T1: {FileRole.CET1},
    FileRole.OTHER_IMAGE: {FileRole.CET1, FileRole.T2},
    FileRole.OTHER_MASK: {FileRole.REFERENCE},
    FileRole.UNCLEAR: set(TAKEN_ROLES),
}
WHAT = {
    FileRole.CET1: "ceT1 image",
    FileRole.T2: "T2 image",
    FileRole.REFERENCE: "reference mask",
    FileRole.TUMOUR: "tumour mask",
}
ADVICE: dict[FileRole | None, str] = {
    FileRole.NATIVE_T1: "rename it (for instance ceT1) if it was taken after contrast",
    FileRole.OTHER_MASK: "rename it (for instance necrosis) if it is",
}


@dataclass(frozen=True, kw_only=True)
class Gap:
    """An image that a case lacks, and the files that it might be."""

    case: str
    # The folder of its files.
    folder: Path
    # ceT1 or T2.
    sequence: Sequence
    candidates: tuple[Path, ...] = ()
    # The images and masks that are certain, by their columns of the table.
    certain: Mapping[str, Path] = field(default_factory=dict)
    patient: str = ""
    # The sentences among the problems that tell of it.
    told: tuple[str, ...] = ()
    # Whether no name of a file in the folder tells anything.
    is_guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The cases of a folder."""

    # Cases with at least a ceT1 image, in natural order of their names.
    cases: tuple[CaseFiles, ...]
    # A sentence for everything that is missing, ambiguous or left out.
    problems: tuple[str, ...]
    # Images that were not used and that no problem mentions.
    unused: tuple[Path, ...] = ()
    # What is missing and may be mended by choosing a file.
    gaps: tuple[Gap, ...] = ()


def find_cases(folder: str | Path) -> Generator[Event, None, Pairing]:
    """Find and pair the images in a folder.

    Understands nnU-Net's raw layout, BIDS, one folder per case (also if `folder` is the case), and many cases
    in one folder, told apart by their file names; each of them also in subfolders.

    Yields
    ------
    Event
        `Progress` while the folder is searched; the `Pairing` is the generator's return value.

    Raises
    ------
    CohortError
        If the folder is missing, holds no image, or has more files than can be searched.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CohortError(f"There is no folder {folder}; name the folder that holds the cases.")
    walk = Walk(root=folder)
    tree = yield from scan(folder, walk)
    if not tree.images and not tree.folders:
        raise CohortError(_nothing(folder, walk))
    found = _sort(tree, folder)
    groups = _with_unique_names(_with_masks_joined(found.groups))
    decisions = [decide(group, folder) for group in groups]
    decisions.sort(key=lambda decision: natural_key(decision.name))
    decisions, name_problems = _with_possible_names(decisions)
    said = (*walk.problems, *_litter(walk))
    mentioned = [problem for decision in decisions for problem in decision.problems]
    return Pairing(
        cases=tuple(decision.case for decision in decisions if decision.case is not None),
        problems=(
            *said,
            *found.problems,
            *name_problems,
            *mentioned,
            *_missing(decisions, FileRole.T2, FileRole.REFERENCE),
        ),
        unused=(*found.unused, *(path for decision in decisions for path in decision.unused)),
        gaps=_gaps(decisions),
    )


def find_case(folder: Path) -> CaseFiles:
    """Find the files of the only case in a folder, whose name it takes; an error says why there is none."""
    pairing: Pairing = run(find_cases(folder))
    if len(pairing.cases) == 1:
        name = tidy_name(folder.resolve().name)
        return pairing.cases[0] if check_case_name(name) else replace(pairing.cases[0], name=name)
    if pairing.cases:
        raise CohortError(
            f"{folder} holds {len(pairing.cases)} cases; make a table of them with: necroseg prepare {folder}"
        )
    raise CohortError(
        f"No case with a ceT1 image was found in {folder}. {' '.join(pairing.problems)} {UNDERSTOOD}"
    )


def unused_sentence(unused: Iterable[Path], root: Path) -> tuple[str, ...]:
    """Name the images that were not used, so that none is ignored silently."""
    names = [relative_name(path, root) for path in unused]
    if not names:
        return ()
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    were = "image was" if len(names) == 1 else "images were"
    return (f"{len(names)} {were} not needed, or not named like one that is: {shown}.",)


def _sort(folder: Folder, root: Path) -> Sorted:
    """Sort the images of a folder by its layout, and those of its subfolders by theirs."""
    if is_nnunet(folder):
        return nnunet_groups(folder, root)
    if is_bids(folder):
        return bids_groups(folder, root)
    groups, below = folder_groups(folder, root)
    below, problems = without_variants(below, root)
    parts = [_sort(sub, root) for sub in below]
    return Sorted(
        groups=[*groups, *(group for part in parts for group in part.groups)],
        problems=[*problems, *(problem for part in parts for problem in part.problems)],
        unused=[path for part in parts for path in part.unused],
    )


def _with_masks_joined(groups: list[Group]) -> list[Group]:
    """Add masks without images, such as ``labels/case-01.nii.gz``, to the only case of their name."""
    count = Counter(name_key(group.name) for group in groups if group.has_image)
    masks: dict[str, tuple[Candidate, ...]] = {}
    for group in groups:
        name = name_key(group.name)
        if not group.has_image and group.has_role and count[name] == 1:
            masks[name] = (*masks.get(name, ()), *group.files)
    return [
        replace(group, files=(*group.files, *masks.get(name_key(group.name), ())))
        if group.has_image
        else group
        for group in groups
        if group.has_image or not (group.has_role and name_key(group.name) in masks)
    ]


def _with_unique_names(groups: list[Group]) -> list[Group]:
    """Put the names of their folders before equal names of groups: site-1_case-01, site-2_case-01."""
    count = Counter(name_key(group.name) for group in groups if group.has_role)
    return [
        replace(group, name=group.long_name) if count[name_key(group.name)] > 1 else group for group in groups
    ]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The decision on a group of files."""

    # The name of the case, and the folder or file for messages.
    name: str
    where: str
    # The case, or None if no ceT1 image is certain.
    case: CaseFiles | None
    # A sentence for everything that is ambiguous or left out.
    problems: tuple[str, ...] = ()
    # Roles that no file has, and that no problem mentions.
    lacks: tuple[FileRole, ...] = ()
    # Files that were not used.
    unused: tuple[Path, ...] = ()
    # What a person may mend by choosing a file.
    gaps: tuple[Gap, ...] = ()


def _with_possible_names(decisions: list[Decision]) -> tuple[list[Decision], list[str]]:
    """Leave out cases with impossible names, with a sentence for each."""
    problems: list[str] = []
    kept: list[Decision] = []
    taken: dict[str, str] = {}
    for one in decisions:
        reason = check_case_name(one.name) if one.case is not None else None
        if one.case is not None and reason is None:
            other = taken.setdefault(name_key(one.name), one.where)
            reason = f"there is a case of that name in {other} already" if other != one.where else None
        if reason is not None:
            problems.append(f"{one.where}: {reason}; rename it. The case was left out.")
        kept.append(one if reason is None else replace(one, case=None))
    return kept, problems


def _missing(decisions: list[Decision], *roles: FileRole) -> list[str]:
    """Return a sentence for each role that cases lack, with the names of those cases."""
    cases = [one for one in decisions if one.case is not None]
    sentences = []
    for role in roles:
        what = WHAT[role]
        names = [one.name for one in cases if role in one.lacks]
        if names and len(names) == len(cases) > 1:
            sentences.append(f"None of the {len(cases)} cases has a {what}.")
        elif names:
            sentences.append(f"No {what} was found for {', '.join(names)}.")
    return sentences


def _litter(walk: Walk) -> tuple[str, ...]:
    """Report left-out entries only if they could hide a patient, which a file manager's settings cannot."""
    return litter_sentence(walk.litter) if walk.may_hide else ()


def _nothing(folder: Path, walk: Walk) -> str:
    reasons = " ".join((*walk.problems, *_litter(walk)))
    if walk.has_dicom:
        reasons += " It holds DICOM files: convert them to NIfTI first, for instance with dcm2niix."
    return f"There is no image in {folder}.{' ' * bool(reasons)}{reasons.strip()} {UNDERSTOOD}"


def decide(group: Group, root: Path) -> Decision:
    """Use the files whose role is certain; report what is ambiguous, and why a file was not used."""
    where = _where(group, root)
    if not group.has_role:
        unused = tuple(one.path for one in group.files if one.role is not FileRole.VARIANT)
        told = tuple(_variants(group, root))
        return Decision(
            name=group.name, where=where, case=None, problems=told, unused=unused, gaps=_guess(group)
        )
    files = {role: group.of_role(role) for role in TAKEN_ROLES}
    sure = {role: paths[0] for role, paths in files.items() if len(paths) == 1}
    problems = [
        _ambiguous(role, paths, case=group.name, root=root) for role, paths in files.items() if len(paths) > 1
    ]
    lacking = {role for role in TAKEN_ROLES if role not in sure}
    doubtful = [one for one in group.files if one.role in WORTH_A_WORD and lacking & WORTH_A_WORD[one.role]]
    reasons = [_reason(one, root) for one in doubtful]
    if not files[FileRole.CET1]:
        problems.append(_left_out(group.name, sure, root=root))
    told = (*problems, *reasons)
    problems += _variants(group, root)
    known = (*TAKEN_ROLES, FileRole.VARIANT)
    unused = tuple(one.path for one in group.files if one.role not in known and one not in doubtful)
    return Decision(
        name=group.name,
        where=where,
        case=_case(group, sure) if FileRole.CET1 in sure else None,
        problems=(*problems, *reasons),
        lacks=tuple(role for role in TAKEN_ROLES if not files[role]),
        unused=unused,
        gaps=tuple(_group_gaps(group, files, told=told)),
    )


def _group_gaps(
    group: Group, files: Mapping[FileRole, list[Path]], *, told: tuple[str, ...]
) -> Iterator[Gap]:
    """Yield the images that are missing in a group, with the files that each of them might be."""
    certain = {str(role): paths[0] for role, paths in files.items() if len(paths) == 1}
    for role, sequence in ((FileRole.CET1, Sequence.CET1), (FileRole.T2, Sequence.T2)):
        if str(role) in certain:
            continue
        might = (one.path for one in group.files if one.role and role in WORTH_A_WORD.get(one.role, ()))
        yield Gap(
            case=group.name,
            folder=group.files[0].path.parent,
            sequence=sequence,
            candidates=(*files[role], *might),
            certain=certain,
            patient=group.patient,
            told=told,
        )


def _guess(group: Group) -> tuple[Gap, ...]:
    """Return the gap of a group of files whose names tell nothing."""
    nameless = tuple(one.path for one in group.files if one.role is None)
    folder = group.files[0].path.parent
    gap = Gap(case=group.name, folder=folder, sequence=Sequence.CET1, candidates=nameless, is_guess=True)
    return (gap,) if nameless else ()


def _gaps(decisions: list[Decision]) -> tuple[Gap, ...]:
    """Return the gaps worth a word: a T2 image that none of the cases has is not missed.

    Files whose names tell nothing may be anything, unless there is nothing else.
    """
    if not any(one.case is not None or any(not gap.is_guess for gap in one.gaps) for one in decisions):
        return tuple(gap for one in decisions for gap in one.gaps)
    has_t2 = any(one.case is not None and Sequence.T2 in one.case.sequences for one in decisions)
    missing = tuple(_missing(decisions, FileRole.T2))
    return tuple(
        gap if gap.sequence is Sequence.CET1 or gap.candidates else replace(gap, told=missing)
        for one in decisions
        for gap in one.gaps
        if not gap.is_guess
        and (gap.sequence is Sequence.CET1 or gap.candidates or (has_t2 and one.case is not None))
    )


def _case(group: Group, sure: dict[FileRole, Path]) -> CaseFiles:
    role_of_sequence = {Sequence.CET1: FileRole.CET1, Sequence.T2: FileRole.T2}
    return CaseFiles(
        name=group.name,
        sequences={sequence: sure[role] for sequence, role in role_of_sequence.items() if role in sure},
        reference=sure.get(FileRole.REFERENCE),
        tumour=sure.get(FileRole.TUMOUR),
        patient=group.patient,
    )


def _where(group: Group, root: Path) -> str:
    """Return the folder of all files of the group, or the first file if that folder is the root."""
    parents = {one.path.parent for one in group.files}
    if len(parents) == 1 and parents != {root}:
        return relative_name(parents.pop(), root)
    return relative_name(group.files[0].path, root)


def _ambiguous(role: FileRole, paths: list[Path], *, case: str, root: Path) -> str:
    names = ", ".join(relative_name(path, root) for path in paths)
    then = "the case was left out" if role is FileRole.CET1 else "none was taken"
    return (
        f"{case}: {len(paths)} files could be its {WHAT[role]} ({names}), so {then}; keep one, or name it "
        "in the table."
    )


def _variants(group: Group, root: Path) -> list[str]:
    """Name the copies and derived images, and the original of each."""
    variants = [one for one in group.files if one.role is FileRole.VARIANT]
    if not variants:
        return []
    names = ", ".join(f"{relative_name(one.path, root)} ({one.judgement.reason})" for one in variants)
    files = "1 file was" if len(variants) == 1 else f"{len(variants)} files were"
    return [
        f"{group.name}: {files} not taken, named like copies of others or images derived from them: {names}."
    ]


def _left_out(case: str, sure: dict[FileRole, Path], *, root: Path) -> str:
    has = ", ".join(relative_name(path, root) for path in sure.values())
    return f"{case}: no ceT1 image was found, so it was left out{f'; it has {has}' if has else ''}."


def _reason(one: Candidate, root: Path) -> str:
    advice = ADVICE.get(one.role, "rename it, or write it into the table, if it is what you mean")
    return f"{relative_name(one.path, root)} {one.judgement.reason}; {advice}."
