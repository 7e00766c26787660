"""nnU-Net's raw folder: ``imagesTr/NAME_0000.nii.gz``, ``labelsTr/NAME.nii.gz`` and ``dataset.json``."""

import json
import re
from pathlib import Path

from napari_necroseg.core.errors import CohortError
from napari_necroseg.core.io.candidates import Candidates, images_in
from napari_necroseg.core.io.image import image_stem
from napari_necroseg.core.io.naming import Role, role_of

CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


def is_nnunet(folder: Path) -> bool:
    """Whether a folder has nnU-Net's layout."""
    return (folder / "imagesTr").is_dir()


def nnunet_candidates(folder: Path) -> tuple[list[Candidates], list[str]]:
    """Sort the images by the channel names of ``dataset.json``; the second value are problems.

    Raises
    ------
    CohortError
        If ``dataset.json`` is missing or does not say which channel is which sequence.
    """
    description = _description(folder / "dataset.json")
    role_of_channel = _channels(description)
    label_role, problems = _label_role(description)
    cases: dict[str, Candidates] = {}
    for images in ("imagesTr", "imagesTs"):
        for path in images_in(folder / images) if (folder / images).is_dir() else []:
            match = CHANNEL.fullmatch(image_stem(path))
            if match is None or int(match["channel"]) not in role_of_channel:
                problems.append(f"{images}/{path.name}: no channel of dataset.json belongs to this name.")
                continue
            case = cases.setdefault(match["case"], Candidates(name=match["case"]))
            role = role_of_channel[int(match["channel"])]
            (case.unknown if role is None else case.files[role]).append(path)
    for path in images_in(folder / "labelsTr") if (folder / "labelsTr").is_dir() and label_role else []:
        if image_stem(path) in cases and label_role:
            cases[image_stem(path)].files[label_role].append(path)
    return list(cases.values()), problems


def _description(path: Path) -> dict[str, object]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CohortError(
            f"This is an nnU-Net folder, but its {path.name} is missing or damaged, so nothing says which "
            "channel is ceT1 and which T2."
        ) from error
    if not isinstance(description, dict):
        raise CohortError(f"{path.name} does not describe a data set.")
    return description


def _channels(description: dict[str, object]) -> dict[int, Role | None]:
    """The role of each channel; version 2 of the format calls them channel_names, version 1 modality."""
    names = description.get("channel_names", description.get("modality"))
    if not isinstance(names, dict) or not all(str(key).isdigit() for key in names):
        raise CohortError("dataset.json has no channel_names (or modality), so the channels have no meaning.")
    roles = {int(key): role_of(str(name)) for key, name in names.items()}
    if Role.CET1 not in roles.values():
        shown = ", ".join(f"{key}: {name}" for key, name in names.items())
        raise CohortError(f"No channel of dataset.json is called like a ceT1 image ({shown}); name it ceT1.")
    return roles


def _label_role(description: dict[str, object]) -> tuple[Role | None, list[str]]:
    """What the labels show, and the problem if that is not one mask."""
    labels = description.get("labels")
    if not isinstance(labels, dict):
        return Role.REFERENCE, []
    # Version 2 maps a name to its value, version 1 a value to its name.
    names = [str(value) if str(key).isdigit() else str(key) for key, value in labels.items()]
    structures = [name for name in names if name.lower() not in ("background", "ignore")]
    if len(structures) != 1:
        return None, [
            f"labelsTr holds {len(structures)} structures ({', '.join(structures)}), but a mask with one is "
            "needed; the labels were left out. Save the necrosis zone as a mask of its own."
        ]
    role = role_of(structures[0])
    return (Role.TUMOUR if role is Role.TUMOUR else Role.REFERENCE), []
