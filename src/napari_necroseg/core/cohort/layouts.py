"""Sorts the images of folders in a standard layout: BIDS, or nnU-Net's raw folder."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_necroseg.core.case_names import name_key, shown, tidy_name
from napari_necroseg.core.cohort.file_names import (
    NOTHING,
    FileRole,
    Judgement,
    Kind,
    judge,
    tokens_of,
    variants_among,
)
from napari_necroseg.core.cohort.scan import Folder, relative_name
from napari_necroseg.core.files import read_json_quietly
from napari_necroseg.core.images.file_image import image_stem

# Roles of files that are not images of a patient, as far as their names tell.
MASK_ROLES = (FileRole.REFERENCE, FileRole.TUMOUR, FileRole.OTHER_MASK, FileRole.VARIANT, None)
NAME = re.compile(r"sub-[0-9A-Za-z+]+(_[a-z]+-[0-9A-Za-z+]+)*_[0-9A-Za-z]+")
IMAGE_SUFFIXES = ("T1w", "T2w")
MASK_SUFFIXES = ("dseg", "mask", "roi", "label", "seg")
Entities = dict[str, str]
PARTS = (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs"))
CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>[0-9]{4})")
LARGEST_JSON_BYTES = 32_000_000

# Names of a single label that only mean "the mask".
PLAIN_LABELS = ("foreground", "target", "1")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file, and the judgement on its name."""

    path: Path
    judgement: Judgement = NOTHING

    @property
    def role(self) -> FileRole | None:
        """The role by its name."""
        return self.judgement.role


@dataclass(frozen=True, kw_only=True)
class Group:
    """The files that might belong to one case."""

    name: str
    # The name preceded by those of the folders above, used if two cases have the same name.
    long_name: str
    # All files of the group.
    files: tuple[Candidate, ...]
    # The patient, if the layout names one.
    patient: str = ""

    def of_role(self, role: FileRole) -> list[Path]:
        """Return the files that could have this role."""
        return [one.path for one in self.files if one.role is role]

    @property
    def has_image(self) -> bool:
        """Whether any file is, or might be, an image of the patient."""
        return any(one.role not in MASK_ROLES for one in self.files)

    @property
    def has_role(self) -> bool:
        """Whether any file is, or might be, part of a case; otherwise the folder is no case."""
        return any(one.role not in (None, FileRole.OTHER_MASK, FileRole.VARIANT) for one in self.files)


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The images of a folder, sorted by its layout; `problems` and `unused` concern files in no group."""

    groups: list[Group] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unused: list[Path] = field(default_factory=list)


def is_bids(folder: Folder) -> bool:
    """Whether a folder holds subjects whose images have BIDS names."""
    subjects = (sub for sub in folder.folders if sub.path.name.startswith("sub-"))
    return any(entities_of(path).get("suffix") in IMAGE_SUFFIXES for sub in subjects for path in sub.below())


def bids_groups(folder: Folder, root: Path) -> Sorted:
    """Sort images and masks by the entities of their names.

    A case is a subject, or a session of one; the patient is the subject. A T1w image with a ``ce-`` entity is
    ceT1. The structure of a mask among the derivatives is told by ``label-`` and ``desc-``, else by the
    folder of the derivatives: ``derivatives/necrosis``.
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
        elif candidate.role in (FileRole.REFERENCE, FileRole.TUMOUR):
            problems.append(f"{relative_name(path, root)}: there are no images of its subject and session.")
    above = folder.path.relative_to(root).parts
    groups = [_group(key, found, above=above) for key, found in files.items()]
    return Sorted(groups=groups, problems=problems, unused=[*unused, *foreign])


def _with_entities(paths: Iterable[Path]) -> tuple[list[tuple[Path, Entities]], list[Path]]:
    """Separate the files with BIDS names from the others."""
    entities = {path: entities_of(path) for path in paths}
    return [(path, found) for path, found in entities.items() if found], [
        path for path, found in entities.items() if not found
    ]


def entities_of(path: Path) -> Entities:
    """Parse ``sub-01_ce-gad_T1w`` to ``{"sub": "01", "ce": "gad", "suffix": "T1w"}``; {} for other names."""
    stem = image_stem(path)
    if not NAME.fullmatch(stem):
        return {}
    *pairs, suffix = stem.split("_")
    return dict(pair.split("-", 1) for pair in pairs) | {"suffix": suffix}


def _key(entities: Entities) -> tuple[str, str]:
    return entities["sub"], entities.get("ses", "")


def _group(key: tuple[str, str], files: list[Candidate], *, above: tuple[str, ...]) -> Group:
    subject, session = f"sub-{key[0]}", f"ses-{key[1]}" if key[1] else ""
    name = f"{subject}_{session}" if session else subject
    # Sessions need the patient's name, which keeps them on the same side of a split.
    return Group(
        name=name, long_name="_".join((*above, name)), files=tuple(files), patient=subject if session else ""
    )


def _judge_image(entities: Entities) -> Judgement:
    suffix = entities["suffix"]
    if suffix not in IMAGE_SUFFIXES:
        return _judge_mask(entities, "") if suffix in MASK_SUFFIXES else NOTHING
    # The entity means contrast whatever agent it names, unless it names none.
    agent = entities.get("ce", "")
    is_enhanced = bool(agent) and agent.casefold() not in ("none", "no", "without", "pre", "native")
    described = " ".join(entities.get(key, "") for key in ("acq", "desc"))
    return judge((*tokens_of(described), *tokens_of(f"{'ce' if is_enhanced else ''} {suffix}")))


def _pipeline(path: Path, derivatives: Folder | None) -> str:
    """Return ``manual`` of ``derivatives/manual/sub-01/...``; empty if the subjects follow directly."""
    parts = path.relative_to(derivatives.path).parts if derivatives else ()
    return "" if not parts or parts[0].startswith("sub-") else parts[0]


def _judge_mask(entities: Entities, pipeline: str) -> Judgement:
    """Judge a mask by its label or description, else by the name of the derivatives' folder."""
    described = " ".join(entities[key] for key in ("label", "desc") if key in entities)
    # A mask made by a program is no reference, whatever it outlines.
    made = tuple(token for token in tokens_of(pipeline) if token.kind is Kind.DERIVED)
    return judge((*made, *tokens_of(f"{described or pipeline} mask")))


@dataclass(frozen=True, kw_only=True)
class Description:
    """The content of ``dataset.json``: the sequence of each channel, and the structure of the labels."""

    channels: Mapping[int, Judgement] = field(default_factory=dict)
    label: Judgement | None = None
    problems: tuple[str, ...] = ()


def is_nnunet(folder: Folder) -> bool:
    """Whether a folder has nnU-Net's raw layout."""
    return any(folder.get(images) is not None for images, _ in PARTS)


def nnunet_groups(folder: Folder, root: Path) -> Sorted:
    """Sort the images by the channel names of ``dataset.json``, and pair the labels by name.

    Channel names are judged like file names; without them nothing is used, since ``_0000`` may be any
    sequence.
    """
    has_labels = any(folder.get(labels) is not None for _, labels in PARTS)
    description = _describe(folder.path / "dataset.json", root, has_labels=has_labels)
    problems = list(description.problems)
    files: dict[str, list[Candidate]] = {}
    names: dict[str, str] = {}
    for images, labels in PARTS:
        for path in _images(folder, images):
            match = CHANNEL.fullmatch(image_stem(path))
            if match is not None and int(match["channel"]) in description.channels:
                judgement = description.channels[int(match["channel"])]
                name = names.setdefault(name_key(match["case"]), match["case"])
                files.setdefault(name, []).append(Candidate(path=path, judgement=judgement))
            elif description.channels:
                problems.append(f"{relative_name(path, root)}: dataset.json has no channel for this name.")
        problems += _add_labels(files, _images(folder, labels), description=description, root=root)
    above = folder.path.relative_to(root).parts
    originals = variants_among(files)
    problems += [
        f"{shown(name)}: its name is that of a copy of {shown(of)}, or of something derived from it, so it "
        "was left out; rename it if it is a case of its own."
        for name, of in originals.items()
    ]
    groups = [
        Group(name=tidy_name(name), long_name="_".join((*above, tidy_name(name))), files=tuple(found))
        for name, found in files.items()
        if name not in originals
    ]
    return Sorted(groups=groups, problems=problems)


def _add_labels(
    files: dict[str, list[Candidate]], labels: tuple[Path, ...], *, description: Description, root: Path
) -> list[str]:
    """Add each label file to the case of its name; return a problem for each file without a case."""
    if description.label is None:
        return []
    problems = []
    names = {name_key(name): name for name in files}
    for path in labels:
        name = names.get(name_key(image_stem(path)))
        if name is not None:
            files[name].append(Candidate(path=path, judgement=description.label))
        else:
            problems.append(f"{relative_name(path, root)}: there are no images that belong to this label.")
    return problems


def _images(folder: Folder, name: str) -> tuple[Path, ...]:
    found = folder.get(name)
    return found.images if found else ()


def _describe(path: Path, root: Path, *, has_labels: bool) -> Description:
    name = relative_name(path, root)
    content = read_json_quietly(path, LARGEST_JSON_BYTES)
    if not content:
        return Description(
            problems=(
                f"{name}: it is missing or damaged, and nothing else says which of the channels _0000, "
                "_0001, ... is ceT1 and which T2.",
            )
        )
    channels, problems = _channels(content, name)
    label, label_problems = _label(content.get("labels"), name) if has_labels and channels else (None, [])
    return Description(channels=channels, label=label, problems=(*problems, *label_problems))


def _channels(content: dict[str, Any], name: str) -> tuple[dict[int, Judgement], list[str]]:
    """Return the role of each channel; version 2 of the format has channel_names, version 1 modality."""
    names = content.get("channel_names", content.get("modality"))
    if not isinstance(names, dict) or not all(str(key).isdecimal() for key in names) or not names:
        return {}, [f"{name}: it has neither channel_names nor modality, so its channels could be anything."]
    channels = {int(key): judge(tokens_of(str(text))) for key, text in names.items()}
    if any(judgement.role is FileRole.CET1 for judgement in channels.values()):
        return channels, []
    shown = ", ".join(
        f"{key} = {text}" + (f", which {judge_.reason}" if (judge_ := channels[int(key)]).reason else "")
        for key, text in names.items()
    )
    return {}, [f"{name}: no channel is called like a ceT1 image ({shown}); give that channel the name ceT1."]


def _label(labels: object, name: str) -> tuple[Judgement | None, list[str]]:
    """Return the structure that the labels outline, and a problem if it is not exactly one."""
    if not isinstance(labels, dict):
        return None, [f"{name}: it does not say what the labels outline, so none was taken as reference."]
    # Version 2 maps names to values, version 1 values to names.
    names = [str(value) if str(key).isdecimal() else str(key) for key, value in labels.items()]
    structures = [text for text in names if text.casefold() not in ("background", "ignore")]
    if len(structures) != 1:
        return None, [
            f"{name}: the label files hold {len(structures)} structures ({', '.join(structures)}), but a "
            "mask with one is needed, so none was taken; save the necrosis zone as a mask of its own."
        ]
    judgement = judge(tokens_of(f"mask {structures[0]}"))
    if structures[0].casefold() in PLAIN_LABELS:
        judgement = Judgement(role=FileRole.REFERENCE)
    if judgement.role in (FileRole.REFERENCE, FileRole.TUMOUR):
        return judgement, []
    return None, [
        f"{name}: the label files outline {structures[0]!r}, which is not known to be the necrosis zone, so "
        "none was taken; call the label necrosis if it is."
    ]
