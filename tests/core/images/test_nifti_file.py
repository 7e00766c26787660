import gzip
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.images.file_image import FileImage
from napari_necroseg.core.images.nifti import read_nifti
from napari_necroseg.core.images.read import read_image, read_mask
from orientations import affine_of

AFFINE = affine_of(((0, 2, 1), (-1.0, -1.0, -1.0)), turn_deg=(4, -3, 2))
VOXELS = np.random.default_rng(0).integers(0, 100, (4, 6, 5)).astype(np.int16)
HEADER_BYTES = {nibabel.Nifti1Image: 352, nibabel.Nifti2Image: 544}
# Fields of 2 and 4 bytes at their bounds, not finite, or absurd.
EXTREMES = [
    *(bytes(two) for two in ((0, 0), (1, 0), (255, 255), (0, 128), (255, 127))),
    *(np.float32(value).tobytes() for value in (np.nan, np.inf, -1, 0, 1e30, 1e-30)),
]


def content_of(version: type) -> bytes:
    image = version(VOXELS, AFFINE)
    image.set_qform(AFFINE, code=1)
    return image.to_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.sampled_from(list(HEADER_BYTES)),
    st.lists(
        st.tuples(
            st.integers(0, 540), st.one_of(st.sampled_from(EXTREMES), st.binary(min_size=1, max_size=2))
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_a_damaged_header_is_read_or_refused_in_a_sentence_but_never_crashes(
    tmp_path: Path, version: type, damages: list[tuple[int, bytes]], is_gzip: bool
) -> None:
    content = bytearray(content_of(version))
    for place, damage in damages:
        start = place % HEADER_BYTES[version] // len(damage) * len(damage)
        content[start : start + len(damage)] = damage
    path = tmp_path / ("a.nii.gz" if is_gzip else "a.nii")
    path.write_bytes(gzip.compress(bytes(content)) if is_gzip else bytes(content))
    with warnings.catch_warnings():
        # nibabel warns of header extensions of an odd length, and goes on.
        warnings.filterwarnings("ignore", message="Extension size is not a multiple of 16")
        outcomes = [outcome(path, read) for read in (read_image, read_mask)]
    assert all(isinstance(one, str) or np.isfinite(one).all() for one in outcomes)
    assert all("a.nii" in one and "\n" not in one for one in outcomes if isinstance(one, str))


def outcome(path: Path, read: Callable[[Path], FileImage]) -> np.ndarray | str:
    """The voxels, or the sentence that refuses them."""
    try:
        return read(path).volume.voxels
    except NecrosegError as error:
        return str(error)


@pytest.fixture(autouse=True)
def _quiet_nibabel() -> None:
    """Hundreds of damaged headers would each be logged."""
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("names", [("a.hdr", "a.img"), ("a.img", "a.hdr")])
def test_half_of_a_pair_is_refused_and_the_other_half_named(tmp_path: Path, names: tuple[str, str]) -> None:
    there, missing = names
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINE), tmp_path / "a.img")
    (tmp_path / missing).unlink()
    with pytest.raises(
        FileError, match=rf"^{there} is one half of a pair of files, and {missing} is not beside it"
    ):
        read_image(tmp_path / there)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").touch()
    with pytest.raises(FileError, match=r"a\.nii\.gz is empty .0 bytes."):
        read_image(tmp_path / "a.nii.gz")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), tmp_path / "a.nii")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(nibabel, "load", refuse)
    with pytest.raises(FileError, match=r"a\.nii may not be read: Permission denied"):
        read_image(tmp_path / "a.nii")


def test_an_analyze_pair_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.AnalyzeImage(VOXELS, np.diag((-4.0, 1.0, 1.0, 1.0))), tmp_path / "a.img")
    with pytest.raises(FileError, match=r"not a NIfTI file; its place in the patient is not certain"):
        read_image(tmp_path / "a.img")


def test_a_gzipped_pair_is_checked_to_its_end(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, AFFINE), tmp_path / "a.img.gz")
    assert np.array_equal(read_image(tmp_path / "a.hdr.gz").volume.voxels, VOXELS)
    packed = bytearray((tmp_path / "a.img.gz").read_bytes())
    # The last eight bytes are the checksum and the length.
    packed[-6] ^= 1
    (tmp_path / "a.img.gz").write_bytes(packed)
    with pytest.raises(FileError, match=r"a\.hdr\.gz is truncated or damaged"):
        read_image(tmp_path / "a.hdr.gz")


def test_names_in_capitals_are_read(tmp_path: Path) -> None:
    path = tmp_path / "A.NII.GZ"
    path.write_bytes(gzip.compress(content_of(nibabel.Nifti1Image)))
    assert np.array_equal(read_image(path).volume.voxels, VOXELS)


def test_what_was_read_does_not_change_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(VOXELS.astype(np.float32), AFFINE), path)
    voxels = read_nifti(path).volume.voxels
    with path.open("r+b") as file:
        file.seek(352)
        file.write(bytes(VOXELS.size * 4))
    assert np.array_equal(voxels, VOXELS)


def test_a_mask_stored_as_255_with_a_slope_is_a_mask(tmp_path: Path) -> None:
    header = nibabel.Nifti1Image(VOXELS.astype(np.uint8), AFFINE).header
    header["scl_slope"], header["scl_inter"] = 1 / 255, 0
    header["magic"], header["vox_offset"] = b"n+1", 352
    stored = (VOXELS > 50).astype(np.uint8) * 255
    (tmp_path / "a.nii").write_bytes(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    mask = read_mask(tmp_path / "a.nii")
    assert np.array_equal(mask.volume.voxels, VOXELS > 50)
    assert mask.notes == ()
