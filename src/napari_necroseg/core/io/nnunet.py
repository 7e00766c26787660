"""nnU-Net's raw folder: ``imagesTr/NAME_0000.nii.gz``, ``labelsTr/NAME.nii.gz`` and ``dataset.json``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_necroseg.core.casename import name_key, shown, tidy_name
from napari_necroseg.core.files import read_json_quietly
from napari_necroseg.core.io.candidates import Candidate, Group, Sorted
from napari_necroseg.core.io.file_image import image_stem
from napari_necroseg.core.io.naming import Judgement, Role, judge
from napari_necroseg.core.io.scanning import Folder, relative_name
from napari_necroseg.core.io.variants import variants_among
from napari_necroseg.core.io.words import tokens_of

PARTS = (("imagesTr", "labelsTr"), ("imagesTs", "labelsTs"))
CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>[0-9]{4})")
LARGEST_JSON_BYTES = 32_000_000
# Names of a single label that say nothing but "this is the mask".
PLAIN_LABELS = ("foreground", "target", "1")


@dataclass(frozen=True, kw_only=True)
class Description:
    """What ``dataset.json`` says: the sequence of each channel, and what the labels outline."""

    channels: Mapping[int, Judgement] = field(default_factory=dict)
    label: Judgement | None = None
    problems: tuple[str, ...] = ()


def is_nnunet(folder: Folder) -> bool:
    """Whether a folder has nnU-Net's raw layout."""
    return any(folder.get(images) is not None for images, _ in PARTS)


def nnunet_groups(folder: Folder, root: Path) -> Sorted:
    """Sort the images by the channel names of ``dataset.json``, and pair the labels by name.

    Channel names are judged as file names are; without them nothing is taken, since ``_0000`` alone
    may be any sequence.
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
        problems += _add_labels(files, _images(folder, labels), description, root)
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
    files: dict[str, list[Candidate]], labels: tuple[Path, ...], description: Description, root: Path
) -> list[str]:
    """Add each label file to the case of its name; the problems are those without one."""
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
    """The role of each channel; version 2 of the format calls them channel_names, version 1 modality."""
    names = content.get("channel_names", content.get("modality"))
    if not isinstance(names, dict) or not all(str(key).isdecimal() for key in names) or not names:
        return {}, [f"{name}: it has neither channel_names nor modality, so its channels could be anything."]
    channels = {int(key): judge(tokens_of(str(text))) for key, text in names.items()}
    if any(judgement.role is Role.CET1 for judgement in channels.values()):
        return channels, []
    shown = ", ".join(
        f"{key} = {text}" + (f", which {judge_.reason}" if (judge_ := channels[int(key)]).reason else "")
        for key, text in names.items()
    )
    return {}, [f"{name}: no channel is called like a ceT1 image ({shown}); give that channel the name ceT1."]


def _label(labels: object, name: str) -> tuple[Judgement | None, list[str]]:
    """What the labels outline, and the problem if that is not one structure."""
    if not isinstance(labels, dict):
        return None, [f"{name}: it does not say what the labels outline, so none was taken as reference."]
    # Version 2 maps a name to its value, version 1 a value to its name.
    names = [str(value) if str(key).isdecimal() else str(key) for key, value in labels.items()]
    structures = [text for text in names if text.casefold() not in ("background", "ignore")]
    if len(structures) != 1:
        return None, [
            f"{name}: the label files hold {len(structures)} structures ({', '.join(structures)}), but a "
            "mask with one is needed, so none was taken; save the necrosis zone as a mask of its own."
        ]
    judgement = judge(tokens_of(f"mask {structures[0]}"))
    if structures[0].casefold() in PLAIN_LABELS:
        judgement = Judgement(role=Role.REFERENCE)
    if judgement.role in (Role.REFERENCE, Role.TUMOUR):
        return judgement, []
    return None, [
        f"{name}: the label files outline {structures[0]!r}, which is not known to be the necrosis zone, so "
        "none was taken; call the label necrosis if it is."
    ]
