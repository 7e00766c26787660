"""BIDS: ``sub-01/ses-1/anat/sub-01_ses-1_ce-gadolinium_T1w.nii.gz``, masks among the derivatives."""

import re
from collections.abc import Iterable
from pathlib import Path

from napari_necroseg.core.io.candidates import Candidate, Group, Sorted
from napari_necroseg.core.io.file_image import image_stem
from napari_necroseg.core.io.naming import NOTHING, Judgement, Role, judge
from napari_necroseg.core.io.scanning import Folder, relative_name
from napari_necroseg.core.io.words import Kind, tokens_of

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
    entity is ceT1. Of a mask among the derivatives ``label-`` and ``desc-`` tell the structure, or where
    it has neither, the folder of the derivatives: ``derivatives/necrosis``.
    """
    files: dict[tuple[str, str], list[Candidate]] = {}
    problems: list[str] = []
    subjects = [sub for sub in folder.folders if sub.path.name.startswith("sub-")]
    named, unused = _with_entities(path for sub in subjects for path in sub.below())
    for path, entities in named:
        files.setdefault(_key(entities), []).append(Candidate(path=path, judgement=_judge_image(entities)))
    derivatives = folder.get("derivatives")
    masks, foreign = _with_entities(derivatives.below() if derivatives else ())
    for path, entities in masks:
        if entities["suffix"] not in MASK_SUFFIXES:
            continue
        candidate = Candidate(path=path, judgement=_judge_mask(entities, _pipeline(path, derivatives)))
        if _key(entities) in files:
            files[_key(entities)].append(candidate)
        elif candidate.role in (Role.REFERENCE, Role.TUMOUR):
            problems.append(f"{relative_name(path, root)}: there are no images of its subject and session.")
    above = folder.path.relative_to(root).parts
    groups = [_group(key, found, above) for key, found in files.items()]
    return Sorted(groups=groups, problems=problems, unused=[*unused, *foreign])


def _with_entities(paths: Iterable[Path]) -> tuple[list[tuple[Path, Entities]], list[Path]]:
    """The files that are named as BIDS wants it, and the others."""
    entities = {path: entities_of(path) for path in paths}
    return [(path, found) for path, found in entities.items() if found], [
        path for path, found in entities.items() if not found
    ]


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
        return _judge_mask(entities, "") if suffix in MASK_SUFFIXES else NOTHING
    # The entity alone says contrast, whatever agent it names, unless it names none.
    agent = entities.get("ce", "")
    is_enhanced = bool(agent) and agent.casefold() not in ("none", "no", "without", "pre", "native")
    described = " ".join(entities.get(key, "") for key in ("acq", "desc"))
    return judge((*tokens_of(described), *tokens_of(f"{'ce' if is_enhanced else ''} {suffix}")))


def _pipeline(path: Path, derivatives: Folder | None) -> str:
    """``manual`` of ``derivatives/manual/sub-01/...``; empty where the subjects follow at once."""
    parts = path.relative_to(derivatives.path).parts if derivatives else ()
    return "" if not parts or parts[0].startswith("sub-") else parts[0]


def _judge_mask(entities: Entities, pipeline: str) -> Judgement:
    """A label or description says what is outlined; else the name of the derivatives' folder may."""
    described = " ".join(entities[key] for key in ("label", "desc") if key in entities)
    # Masks that a program made are no reference, whatever they outline.
    made = tuple(token for token in tokens_of(pipeline) if token.kind is Kind.DERIVED)
    return judge((*made, *tokens_of(f"{described or pipeline} mask")))
