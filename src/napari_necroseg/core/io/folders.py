"""A folder a case, or many cases in one folder told apart by the numbers in their file names."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_necroseg.core.io.candidates import Candidates, images_in, sort_by_role
from napari_necroseg.core.io.image import image_stem
from napari_necroseg.core.io.naming import case_part, role_of

DEEPEST_FOLDER = 6


def folder_candidates(folder: Path) -> list[Candidates]:
    """Take every folder that holds images for a case, or for many if its file names speak of many."""
    found = []
    for place, images in _folders_with_images(folder):
        inside = place.relative_to(folder)
        for part, files in _by_case(images).items():
            name = "_".join((*inside.parts, part) if part else inside.parts)
            found.append(sort_by_role(name or folder.resolve().name, files))
    return found


def _folders_with_images(folder: Path) -> Iterable[tuple[Path, list[Path]]]:
    for place, folders, _ in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and depth < DEEPEST_FOLDER)
        images = images_in(Path(place))
        if images:
            yield Path(place), images


def _by_case(images: list[Path]) -> Mapping[str, list[Path]]:
    """Split the images of a folder by case, if numbers in their names tell that there are several."""
    part_of = {path: case_part(image_stem(path)) for path in images if role_of(image_stem(path))}
    numbers = {tuple(re.findall(r"\d+", part)) for part in part_of.values() if part}
    if len(numbers) < 2:
        return {"": images}
    cases: dict[str, list[Path]] = defaultdict(list)
    for path in images:
        cases[part_of.get(path, case_part(image_stem(path)))].append(path)
    return cases
