"""BIDS: ``sub-01/ses-1/anat/sub-01_ses-1_ce-gadolinium_T1w.nii.gz``, masks among the derivatives."""

import re
from pathlib import Path

from napari_necroseg.core.io.candidates import Candidate, Group, Sorted
from napari_necroseg.core.io.image import image_stem
from napari_necroseg.core.io.naming import NOTHING, Judgement, Role, judge
from napari_necroseg.core.io.scanning import Folder, relative_name
from napari_necroseg.core.io.words import tokens_of

NAME = re.compile(r"sub-[0-9A-Za-z+]+(_[a-z]+-[0-9A-Za-z+]+)*_[0-9A-Za-z]+")
IMAGE_SUFFIXES = ("T1w", "T2w")
MASK_SUFFIXES = ("dseg", "mask", "roi", "label", "seg")
Entities = dict[str, str]


def is_bids(folder: Folder) -> bool:
    """Whether a folder holds subjects whose images are named as BIDS wants it."""
    subjects = (sub for sub in folder.folders if sub.path.name.startswith("sub-"))
    return any(entities_of(path).get("suffix") in IMAGE_SUFFIXES for sub in subjects for path in sub.below())


def bids_groups(folder: Folder, root: Path) -> Sorted:
    """Sort images and masks by the entities of their names.

    A case is a subject, or a session of one; the patient is the subject. A T1w image with a ``ce-``
    entity is ceT1; a mask of the derivatives needs a ``label-`` or ``desc-`` that names the structure.
    """
    files: dict[tuple[str, str], list[Candidate]] = {}
    problems: list[str] = []
    for path in (p for sub in folder.folders if sub.path.name.startswith("sub-") for p in sub.below()):
        entities = entities_of(path)
        if entities:
            judgement = _judge_image(entities)
            files.setdefault(_key(entities), []).append(Candidate(path=path, judgement=judgement))
    derivatives = folder.get("derivatives")
    for path in derivatives.below() if derivatives else []:
        entities = entities_of(path)
        if entities.get("suffix") not in MASK_SUFFIXES:
            continue
        candidate = Candidate(path=path, judgement=_judge_mask(entities))
        if _key(entities) in files:
            files[_key(entities)].append(candidate)
        elif candidate.role in (Role.REFERENCE, Role.TUMOUR):
            problems.append(f"{relative_name(path, root)}: there are no images of its subject and session.")
    above = folder.path.relative_to(root).parts
    return Sorted(groups=[_group(key, found, above) for key, found in files.items()], problems=problems)


def entities_of(path: Path) -> Entities:
    """``sub-01_ce-gad_T1w`` as ``{"sub": "01", "ce": "gad", "suffix": "T1w"}``; empty for other names."""
    stem = image_stem(path)
    if not NAME.fullmatch(stem):
        return {}
    *pairs, suffix = stem.split("_")
    return dict(pair.split("-", 1) for pair in pairs) | {"suffix": suffix}


def _key(entities: Entities) -> tuple[str, str]:
    return entities["sub"], entities.get("ses", "")


def _group(key: tuple[str, str], files: list[Candidate], above: tuple[str, ...]) -> Group:
    subject, session = f"sub-{key[0]}", f"ses-{key[1]}" if key[1] else ""
    name = f"{subject}_{session}" if session else subject
    # Only sessions need the patient's name to keep them on one side of a split.
    return Group(
        name=name, long_name="_".join((*above, name)), files=tuple(files), patient=subject if session else ""
    )


def _judge_image(entities: Entities) -> Judgement:
    suffix = entities["suffix"]
    if suffix not in IMAGE_SUFFIXES:
        return judge(tokens_of(suffix)) if suffix in MASK_SUFFIXES else NOTHING
    # The entity alone says contrast, whatever agent it names, unless it names none.
    agent = entities.get("ce", "")
    is_enhanced = bool(agent) and agent.casefold() not in ("none", "no", "without", "pre", "native")
    described = " ".join(entities.get(key, "") for key in ("acq", "desc"))
    return judge((*tokens_of(described), *tokens_of(f"{'ce' if is_enhanced else ''} {suffix}")))


def _judge_mask(entities: Entities) -> Judgement:
    described = " ".join(entities[key] for key in ("label", "desc") if key in entities)
    if not described:
        return Judgement(
            role=Role.OTHER_MASK,
            reason="has neither a label- nor a desc- entity that says what is outlined",
        )
    return judge(tokens_of(f"{described} mask"))
