"""Finding the cases in a folder, whatever its layout; what is ambiguous is reported, never guessed."""

from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.io.bids import bids_candidates, is_bids
from napari_necroseg.core.io.candidates import Candidates
from napari_necroseg.core.io.cohort import check_case_name
from napari_necroseg.core.io.folders import folder_candidates
from napari_necroseg.core.io.naming import ROLE_OF_SEQUENCE, Role
from napari_necroseg.core.io.nnunet import is_nnunet, nnunet_candidates


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """What was found: cases with at least a ceT1 image, and a sentence for each thing that is wrong."""

    cases: tuple[CaseFiles, ...]
    problems: tuple[str, ...]


def find_cases(folder: Path) -> Pairing:
    """Find and pair the images in a folder.

    Knows nnU-Net's raw layout, BIDS, one folder a case, and many cases in one folder told apart by
    their file names.

    Raises
    ------
    CohortError
        If the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise CohortError(f"There is no folder {folder}.")
    if is_nnunet(folder):
        candidates, problems = nnunet_candidates(folder)
    elif is_bids(folder):
        candidates, problems = bids_candidates(folder)
    else:
        candidates, problems = folder_candidates(folder), []
    if not candidates and not problems:
        raise CohortError(
            f"There is no NIfTI or TIFF image in {folder}. Expected is a folder a case with ceT1, T2 and "
            "mask, an nnU-Net raw folder, or BIDS; DICOM files must be converted first."
        )
    return _decide(candidates, problems, folder)


def find_case(folder: Path) -> CaseFiles:
    """Find the files of the one case in a folder; what is unclear about it is an error.

    Raises
    ------
    CohortError
        If there is no case, or more than one, or its ceT1 image is not certain.
    """
    pairing = find_cases(folder)
    if len(pairing.cases) == 1:
        return pairing.cases[0]
    if pairing.cases:
        raise CohortError(
            f"{folder} holds {len(pairing.cases)} cases; make a table of them with: necroseg prepare {folder}"
        )
    raise CohortError(" ".join(pairing.problems))


def _decide(candidates: list[Candidates], problems: list[str], root: Path) -> Pairing:
    cases: list[CaseFiles] = []
    taken: dict[str, str] = {}
    for one in candidates:
        problems += _problems_of(one, root)
        case = _case_of(one)
        if case is None:
            continue
        if case.name.casefold() in taken:
            problems.append(f"{case.name}: two cases have this name; the second was left out. Rename one.")
            continue
        taken[case.name.casefold()] = case.name
        cases.append(case)
    return Pairing(cases=tuple(cases), problems=tuple(problems))


def _case_of(one: Candidates) -> CaseFiles | None:
    """The case, from the roles that are certain; None without a certain ceT1 or with an impossible name."""
    sure = {role: files[0] for role, files in one.files.items() if len(files) == 1}
    if Role.CET1 not in sure or check_case_name(one.name):
        return None
    sequences = {sequence: sure[role] for sequence, role in ROLE_OF_SEQUENCE.items() if role in sure}
    return CaseFiles(
        name=one.name,
        sequences={sequence: sequences[sequence] for sequence in Sequence if sequence in sequences},
        reference=sure.get(Role.REFERENCE),
        tumour=sure.get(Role.TUMOUR),
        patient=one.patient,
    )


def _problems_of(one: Candidates, root: Path) -> list[str]:
    problems = []
    bad_name = check_case_name(one.name)
    if bad_name:
        problems.append(f"{one.name}: {bad_name}; rename it.")
    for role in (Role.CET1, Role.T2, Role.REFERENCE, Role.TUMOUR):
        files = one.files.get(role, [])
        if len(files) > 1:
            problems.append(
                f"{one.name}: {len(files)} files could be the {role} ({_names(files, root)}); none was "
                "taken. Keep one, or name it in the table."
            )
    problems += [
        f"{one.name}: {_names([path], root)} looks like a T1 without contrast and was not taken for ceT1."
        for path in one.files.get(Role.NATIVE_T1, [])
    ]
    if one.unknown:
        problems.append(f"{one.name}: the name does not say what this is: {_names(one.unknown, root)}.")
    missing = [str(role) for role in (Role.CET1, Role.T2, Role.REFERENCE) if not one.files.get(role)]
    if missing:
        left_out = " The case was left out." if Role.CET1 in missing else ""
        problems.append(f"{one.name}: no {' and no '.join(missing)} was found.{left_out}")
    return problems


def _names(files: list[Path], root: Path) -> str:
    shown = [path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name for path in files]
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")
