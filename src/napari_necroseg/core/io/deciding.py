"""From the files that might belong to a case to the case itself: only what is certain is taken."""

from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.io.candidates import Candidate, Group
from napari_necroseg.core.io.naming import TAKEN_ROLES, Role
from napari_necroseg.core.io.scanning import relative_name

# A file of such a role is worth a word only where the case lacks what it might be mistaken for.
WORTH_A_WORD = {
    Role.NATIVE_T1: {Role.CET1},
    Role.OTHER_IMAGE: {Role.CET1, Role.T2},
    Role.OTHER_MASK: {Role.REFERENCE},
    Role.UNCLEAR: set(TAKEN_ROLES),
}
WHAT = {
    Role.CET1: "ceT1 image",
    Role.T2: "T2 image",
    Role.REFERENCE: "reference mask",
    Role.TUMOUR: "tumour mask",
}
ADVICE: dict[Role | None, str] = {
    Role.NATIVE_T1: "rename it (for instance ceT1) if it was taken after contrast",
    Role.OTHER_MASK: "rename it (for instance necrosis) if it is",
}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about a group of files.

    Parameters
    ----------
    name, place
        What the case would be called, and the folder or file that messages name.
    case
        The case, or None without one certain ceT1 image.
    problems
        A sentence for each thing that is ambiguous or left out.
    lacks
        Roles that no file has, and of which no problem speaks.
    unused
        Files that nothing was made of.
    """

    name: str
    place: str
    case: CaseFiles | None
    problems: tuple[str, ...] = ()
    lacks: tuple[Role, ...] = ()
    unused: tuple[Path, ...] = ()


def decide(group: Group, root: Path) -> Decision:
    """Take the files whose role is certain; say what is ambiguous, and why a file was not taken."""
    place = _place(group, root)
    if not group.has_role:
        unused = tuple(one.path for one in group.files if one.role is not Role.VARIANT)
        told = tuple(_variants(group, root))
        return Decision(name=group.name, place=place, case=None, problems=told, unused=unused)
    files = {role: group.of_role(role) for role in TAKEN_ROLES}
    sure = {role: paths[0] for role, paths in files.items() if len(paths) == 1}
    problems = [_ambiguous(role, paths, group.name, root) for role, paths in files.items() if len(paths) > 1]
    lacking = {role for role in TAKEN_ROLES if role not in sure}
    doubtful = [one for one in group.files if one.role in WORTH_A_WORD and lacking & WORTH_A_WORD[one.role]]
    reasons = [_reason(one, root) for one in doubtful]
    problems += _variants(group, root)
    if not files[Role.CET1]:
        problems.append(_left_out(group.name, sure, root))
    known = (*TAKEN_ROLES, Role.VARIANT)
    unused = tuple(one.path for one in group.files if one.role not in known and one not in doubtful)
    return Decision(
        name=group.name,
        place=place,
        case=_case(group, sure) if Role.CET1 in sure else None,
        problems=(*problems, *reasons),
        lacks=tuple(role for role in TAKEN_ROLES if not files[role]),
        unused=unused,
    )


def _case(group: Group, sure: dict[Role, Path]) -> CaseFiles:
    role_of_sequence = {Sequence.CET1: Role.CET1, Sequence.T2: Role.T2}
    return CaseFiles(
        name=group.name,
        sequences={sequence: sure[role] for sequence, role in role_of_sequence.items() if role in sure},
        reference=sure.get(Role.REFERENCE),
        tumour=sure.get(Role.TUMOUR),
        patient=group.patient,
    )


def _place(group: Group, root: Path) -> str:
    """The folder that holds all files of the group, or its first file where that is the root itself."""
    parents = {one.path.parent for one in group.files}
    if len(parents) == 1 and parents != {root}:
        return relative_name(parents.pop(), root)
    return relative_name(group.files[0].path, root)


def _ambiguous(role: Role, paths: list[Path], case: str, root: Path) -> str:
    names = ", ".join(relative_name(path, root) for path in paths)
    then = "the case was left out" if role is Role.CET1 else "none was taken"
    return (
        f"{case}: {len(paths)} files could be its {WHAT[role]} ({names}), so {then}; keep one, or name it "
        "in the table."
    )


def _variants(group: Group, root: Path) -> list[str]:
    """Name the files that are no images of their own, with what each is a variant of."""
    variants = [one for one in group.files if one.role is Role.VARIANT]
    if not variants:
        return []
    names = ", ".join(f"{relative_name(one.path, root)} ({one.judgement.reason})" for one in variants)
    files = "1 file was" if len(variants) == 1 else f"{len(variants)} files were"
    return [
        f"{group.name}: {files} not taken, named like copies of others or images derived from them: {names}."
    ]


def _left_out(case: str, sure: dict[Role, Path], root: Path) -> str:
    has = ", ".join(relative_name(path, root) for path in sure.values())
    return f"{case}: no ceT1 image was found, so it was left out{f'; it has {has}' if has else ''}."


def _reason(one: Candidate, root: Path) -> str:
    advice = ADVICE.get(one.role, "rename it, or write it into the table, if it is what you mean")
    return f"{relative_name(one.path, root)} {one.judgement.reason}; {advice}."
