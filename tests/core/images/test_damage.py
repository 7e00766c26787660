"""Damaged files are noticed by header and size, sound ones are not suspected."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.images.damage import damage_of


@pytest.fixture
def image(tmp_path: Path, write_image) -> Path:
    noise = np.random.default_rng(0).integers(0, 4000, (6, 40, 36)).astype(np.int16)
    return write_image(tmp_path / "ceT1.nii.gz", noise)


def test_a_sound_file_has_no_damage(image):
    assert damage_of(image) == ""


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
def test_a_truncated_file_is_noticed_and_noticed_to_be_mended(image, share):
    whole = image.read_bytes()
    image.write_bytes(whole[: int(share * len(whole))])
    assert "ceT1.nii.gz is truncated or damaged" in damage_of(image)
    image.write_bytes(whole)
    assert damage_of(image) == ""


def test_a_truncated_file_without_compression_is_noticed(image):
    plain = image.with_name("ceT1.nii")
    plain.write_bytes(gzip.decompress(image.read_bytes())[:-100])
    assert "truncated" in damage_of(plain)


def test_a_file_in_several_pieces_or_with_padding_is_sound(image):
    content = gzip.decompress(image.read_bytes())
    image.write_bytes(gzip.compress(content[:5000]) + gzip.compress(content[5000:]))
    assert damage_of(image) == ""
    image.write_bytes(gzip.compress(content) + bytes(512))
    assert damage_of(image) == ""


def test_what_is_no_image_or_not_there_is_said(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    assert "a.nii.gz" in damage_of(tmp_path / "a.nii.gz")
    assert damage_of(tmp_path / "b.nii.gz") == "b.nii.gz is not there."
