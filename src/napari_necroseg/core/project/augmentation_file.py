"""Reads and writes the file of an augmentation, which carries it from the preview to a training."""

from pathlib import Path

from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.files import read_json, write_text

_MOST_BYTES = 1_000_000


def write_augment(path: Path, config: AugmentConfig) -> None:
    """Write an augmentation as JSON, atomically."""
    write_text(path, config.model_dump_json(indent=2) + "\n")


def read_augment(path: Path) -> AugmentConfig:
    """Read an augmentation; settings that the file does not name are those of the paper.

    Raises `FileError` if there is no such JSON file, `SettingsError` for an unknown name or a value out of
    bounds.
    """
    choices = read_json(path, "an augmentation", most_bytes=_MOST_BYTES)
    try:
        return AugmentConfig.checked(**choices)
    except SettingsError as error:
        raise SettingsError(f"{path.name}: {error}") from None
