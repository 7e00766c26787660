"""BIDS: ``sub-01/ses-1/anat/sub-01_ses-1_ce-gadolinium_T1w.nii.gz``, masks among the derivatives."""

import os
from pathlib import Path

from napari_necroseg.core.io.candidates import Candidates, images_in
from napari_necroseg.core.io.image import image_stem
from napari_necroseg.core.io.naming import Role, role_of

MASK_SUFFIXES = ("dseg", "mask", "roi", "label")


def is_bids(folder: Path) -> bool:
    """Whether a folder has the layout of BIDS."""
    return any(path.is_dir() for path in folder.glob("sub-*/anat")) or any(
        path.is_dir() for path in folder.glob("sub-*/ses-*/anat")
    )


def bids_candidates(folder: Path) -> tuple[list[Candidates], list[str]]:
    """Sort images and masks by the entities of their names; the second value are problems.

    A case is a subject, or a session of one; the patient is the subject.
    """
    cases: dict[str, Candidates] = {}
    for path in _images_below(folder, "sub-"):
        one = _case_of(cases, path)
        role = _image_role(path)
        if role is not None:
            one.files[role].append(path)
    problems: list[str] = []
    for path in _images_below(folder / "derivatives", ""):
        entities = _entities(path)
        if "sub" not in entities or entities["suffix"] not in MASK_SUFFIXES:
            continue
        role = _mask_role(entities)
        if role is None:
            problems.append(f"{path.relative_to(folder).as_posix()}: the name does not say what is outlined.")
        else:
            _case_of(cases, path).files[role].append(path)
    return list(cases.values()), problems


def _case_of(cases: dict[str, Candidates], path: Path) -> Candidates:
    entities = _entities(path)
    subject = f"sub-{entities['sub']}"
    name = f"{subject}_ses-{entities['ses']}" if "ses" in entities else subject
    return cases.setdefault(name, Candidates(name=name, patient=subject))


def _image_role(path: Path) -> Role | None:
    entities = _entities(path)
    if entities["suffix"] == "T1w":
        return Role.CET1 if "ce" in entities else Role.NATIVE_T1
    return Role.T2 if entities["suffix"] == "T2w" else None


def _mask_role(entities: dict[str, str]) -> Role | None:
    """A label or description names the structure; a mask with neither is taken for the reference."""
    named = [entities[key] for key in ("label", "desc") if key in entities]
    roles = {role_of(name) for name in named} if named else {Role.REFERENCE}
    masks = roles & {Role.REFERENCE, Role.TUMOUR}
    return masks.pop() if len(masks) == 1 else None


def _entities(path: Path) -> dict[str, str]:
    """``sub-01_ce-gad_T1w`` as ``{"sub": "01", "ce": "gad", "suffix": "T1w"}``."""
    *pairs, suffix = image_stem(path).split("_")
    entities = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return entities | {"suffix": suffix}


def _images_below(folder: Path, prefix: str) -> list[Path]:
    """Images in the subfolders of `folder` whose name begins with `prefix`."""
    found: list[Path] = []
    for top in sorted(folder.glob(f"{prefix}*")) if folder.is_dir() else []:
        for place, folders, _ in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [path for path in images_in(Path(place)) if path.name.startswith("sub-")]
    return found
