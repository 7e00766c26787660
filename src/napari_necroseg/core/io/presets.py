"""An augmentation as a file: written by the preview, read by a training."""

import json
from pathlib import Path

from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.io.atomic import write_text

_MOST_BYTES = 1_000_000


def write_augment(path: Path, config: AugmentConfig) -> None:
    """Write an augmentation as JSON.

    Raises
    ------
    ResourceError
        If the folder cannot be written to or the disk is full; what was there before is untouched.
    """
    write_text(path, config.model_dump_json(indent=2) + "\n")


def read_augment(path: Path) -> AugmentConfig:
    """Read an augmentation; what the file does not name is as in the paper.

    Raises
    ------
    FileError
        If there is no such file, or it is no JSON object.
    SettingsError
        For an unknown name or a value out of bounds.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FileError(f"{path.name} is too large for an augmentation; choose a file that Save wrote.")
        choices = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} could not be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(
            f"{path.name} is not an augmentation: it holds no JSON. Choose a file that the preview saved."
        ) from error
    if not isinstance(choices, dict):
        raise FileError(
            f"{path.name} is not an augmentation: it holds no names and values. Choose a file that the "
            "preview saved."
        )
    try:
        return AugmentConfig.checked(**choices)
    except SettingsError as error:
        raise SettingsError(f"{path.name}: {error}") from None
