"""An augmentation as a file: what comes back, and what is refused in one sentence."""

import json

import pytest

from napari_necroseg.core.config import AugmentConfig
from napari_necroseg.core.errors import FileError, SettingsError
from napari_necroseg.core.project.augmentation_file import read_augment, write_augment


def test_what_was_written_comes_back(tmp_path) -> None:
    config = AugmentConfig(elastic=False, scale_range=(0.9, 1.1), shift_voxels=3)
    write_augment(tmp_path / "mine.json", config)
    assert read_augment(tmp_path / "mine.json") == config


def test_what_a_file_does_not_name_is_the_papers(tmp_path) -> None:
    (tmp_path / "few.json").write_text('{"mirror": false}')
    assert read_augment(tmp_path / "few.json") == AugmentConfig(mirror=False)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("not json", FileError, "f.json is not an augmentation: it holds no JSON"),
        ("[1, 2]", FileError, "f.json is not an augmentation: it holds no names and values"),
        ("[" * 100_000, FileError, "f.json is not an augmentation: it holds no JSON"),
        ('{"speed": 3}', SettingsError, "f.json: speed: Extra inputs are not permitted"),
        ('{"cls": 1, "self": 2}', SettingsError, "f.json: cls: Extra inputs are not permitted"),
        ('{"scale_range": [2, 1]}', SettingsError, "f.json: The range scale_range goes from 2 to 1"),
        (" " * 1_000_001, FileError, "f.json is too large for an augmentation"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, text, error, message) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(error) as caught:
        read_augment(path)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(FileError, match=r"absent\.json could not be read"):
        read_augment(tmp_path / "absent.json")


def test_it_is_plain_json_for_other_programs(tmp_path) -> None:
    write_augment(tmp_path / "paper.json", AugmentConfig())
    assert json.loads((tmp_path / "paper.json").read_text())["scale_range"] == [0.6, 1.4]
