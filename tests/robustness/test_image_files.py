"""Image files that announce what they do not hold: each is refused in a sentence, and costs nothing."""

import gzip
import logging
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_necroseg.cli import main
from napari_necroseg.core.errors import FileError, NecrosegError, ResourceError
from napari_necroseg.core.images import file_image
from napari_necroseg.core.images.read import read_image, read_mask

EARLIER = Path(__file__).parents[1] / "data" / "written_by_0.1.0"
STACK = np.random.default_rng(0).integers(0, 2, (5, 40, 37)).astype(np.uint16)
OF_OME = {"axes": "ZYX"} | {f"PhysicalSize{axis}": 1.0 for axis in "ZYX"}
EXTREMES = (
    *(struct.pack(f"{order}i", number) for order in "<>" for number in (-1, 2**31 - 1, 2**20, 0, 1)),
    *(struct.pack("<f", 1e9), struct.pack("<q", 2**40), b"\xff", b"9", b"<"),
)
LONGEST_S = 20.0


def ome(path: Path, change: Callable[[str], str]) -> Path:
    tifffile.imwrite(path, STACK, ome=True, metadata=OF_OME)
    tifffile.tiffcomment(path, change(tifffile.tiffcomment(path)).encode())
    return path


def imagej(path: Path, old: str, new: str) -> Path:
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace(old, new))
    return path


def planes(attributes: str) -> Callable[[str], str]:
    return lambda xml: re.sub(r"<TiffData[^>/]*", f"<TiffData {attributes}", xml)


ENTITIES = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
HOSTILE_OME: dict[str, Callable[[str], str]] = {
    "slices": lambda xml: xml.replace('SizeZ="5"', 'SizeZ="1000000000"'),
    "channels": lambda xml: xml.replace('SizeC="1"', 'SizeC="1000000000"'),
    "columns": lambda xml: xml.replace('SizeX="37"', 'SizeX="1000000000"'),
    "planes": planes('IFD="0" PlaneCount="1000000000"'),
    "first": planes('IFD="0" FirstZ="1000000000"'),
    "entities": lambda xml: (
        f'<!DOCTYPE l [<!ENTITY e0 "bomb">{ENTITIES}]>' + xml[xml.index("<OME") :].replace(">", ">&e9;", 1)
    ),
}


@pytest.mark.parametrize("name", HOSTILE_OME)
def test_ome_metadata_that_announce_a_billion_are_refused_at_once(tmp_path: Path, name: str) -> None:
    path = ome(tmp_path / "a.ome.tif", HOSTILE_OME[name])
    started = time.monotonic()
    with pytest.raises(FileError, match=r"announces \d+ pages|is no OME-XML"):
        read_image(path, spacing_mm=(1, 1, 1))
    assert time.monotonic() - started < LONGEST_S / 4


@pytest.mark.parametrize(
    "counts", ["slices=1000000000", "slices=5\nframes=900000000", "slices=5\nchannels=9999999"]
)
def test_imagej_metadata_that_announce_a_billion_are_refused_at_once(tmp_path: Path, counts: str) -> None:
    with pytest.raises(FileError, match=r"announces \d+ pages"):
        read_image(imagej(tmp_path / "a.tif", "slices=5", counts), spacing_mm=(1, 1, 1))


def test_slices_that_are_missing_are_not_read_as_zero(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.ome.tif", lambda xml: xml.replace('SizeZ="5"', 'SizeZ="7"'))
    with pytest.raises(FileError, match="lacks 2 of the 7 slices"):
        read_image(path, spacing_mm=(1, 1, 1))


def test_slices_beyond_those_announced_are_told(tmp_path: Path) -> None:
    path = ome(tmp_path / "a.ome.tif", lambda xml: xml.replace('SizeZ="5"', 'SizeZ="4"'))
    image = read_image(path, spacing_mm=(1, 1, 1))
    assert image.volume.grid.shape[0] == 4
    assert any("the last 1 were left out" in note for note in image.notes)


def test_an_image_in_several_files_is_refused_and_no_other_file_is_opened(tmp_path: Path) -> None:
    several = "".join(
        f'<TiffData FirstZ="{z}" PlaneCount="1"><UUID FileName="/dev/zero">urn:uuid:{z}</UUID></TiffData>'
        for z in range(5)
    )
    path = ome(tmp_path / "a.ome.tif", lambda xml: re.sub(r"<TiffData[^>]*/>", several, xml, count=1))
    with pytest.raises(FileError, match="one of 5 files"):
        read_image(path, spacing_mm=(1, 1, 1))


def nifti(path: Path, shape: tuple[int, int, int], like: Path | None = None) -> Path:
    """A header, and as many zeros as it announces, which take no room on the disk."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8)
    header.set_sform(np.eye(4) if like is None else nibabel.load(like).affine, code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    n_voxels = int(np.prod(shape, dtype=np.int64))
    start = header.binaryblock + bytes(4)
    if path.name.endswith(".gz"):
        block = gzip.compress(bytes(10**8), 9)
        path.write_bytes(gzip.compress(start) + block * (n_voxels // 10**8))
        return path
    with path.open("wb") as file:
        file.write(start)
        file.truncate(352 + n_voxels)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_four_billion_voxels_are_refused_unread(
    tmp_path: Path, name: str, read: Callable[[Path], object]
) -> None:
    path = nifti(tmp_path / name, (2000, 2000, 1000))
    with pytest.raises(FileError, match="announces 2000 x 2000 x 1000 voxels, more than the 500 million"):
        read(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif"])
def test_what_has_no_room_in_memory_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "a.tif":
        path = tmp_path / name
        tifffile.imwrite(path, np.zeros((100, 1000, 100), np.uint8), compression="zlib", metadata=None)
    else:
        path = nifti(tmp_path / name, (1000, 1000, 100))
    monkeypatch.setattr(file_image, "available_bytes", lambda: 2**26)
    with pytest.raises(
        ResourceError, match=rf"{name} has .* takes about 0\.\d GiB of memory; 0\.1 GiB are free"
    ):
        read_image(path, spacing_mm=(1, 1, 1))


def test_an_extension_of_two_gigabytes_is_not_read(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(STACK, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 40))
    content = bytearray(image.to_bytes())
    content[352:356] = struct.pack("<i", 2 * 10**9)
    (tmp_path / "a.nii.gz").write_bytes(
        gzip.compress(bytes(content[:400])) + gzip.compress(bytes(10**8), 9) * 20
    )
    with pytest.raises(FileError, match="an extension of its header is said to take 2000000000 bytes"):
        read_image(tmp_path / "a.nii.gz")


def test_one_case_without_room_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EARLIER, tmp_path / "p")
    project = tmp_path / "p"
    (project / "case-2" / "T2.nii.gz").unlink()
    nifti(project / "case-2" / "T2.nii", (1000, 1500, 1000), project / "case-2" / "ceT1.nii.gz")
    table = (project / "cohort.csv").read_text().replace("case-2/T2.nii.gz", "case-2/T2.nii")
    (project / "cohort.csv").write_text(table)
    words = [project / "models" / "fast", project / "cohort.csv", "--out", tmp_path / "out", "--threads", 1]
    assert main(["predict", *map(str, words)]) == 2
    assert {path.name for path in (tmp_path / "out").glob("*.nii.gz")} == {
        f"case-{number}.nii.gz" for number in (1, 3, 4)
    }
    assert "case-2: not done. T2.nii announces 1000 x 1500 x 1000 voxels" in "".join(capsys.readouterr())
    train = ["train", project / "cohort.csv", "--out", tmp_path / "m", "--steps", 1]
    assert main([*map(str, train)]) == 2
    assert "T2.nii announces 1000 x 1500 x 1000 voxels" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ulimit -v is Linux's")
def test_under_a_limit_of_memory_a_large_case_fails_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mask = nibabel.Nifti1Image((STACK > 0).astype(np.uint8), np.eye(4))
    for number in (1, 2, 3):
        nibabel.save(mask, tmp_path / f"ceT1-{number}.nii.gz")
        nibabel.save(mask, tmp_path / "out" / f"case-{number}.nii.gz")
    (tmp_path / "out" / "case-2.nii.gz").unlink()
    nifti(tmp_path / "out" / "case-2.nii", (400, 1000, 1000))
    rows = "".join(f"case-{n},ceT1-{n}.nii.gz,out/case-{1 if n > 1 else 3}.nii.gz\n" for n in (1, 2, 3))
    (tmp_path / "cohort.csv").write_text("case,ceT1,reference\n" + rows)
    command = (
        f"ulimit -v 3000000; {sys.executable} -m napari_necroseg.cli score {tmp_path} {tmp_path / 'out'}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "case-2.nii has 400 x 1000 x 1000 voxels" in done.stdout + done.stderr
    assert "2 scored" in done.stdout + done.stderr


def of_tiff(path: Path) -> dict[str, bytes]:
    kinds: dict[str, dict[str, object]] = {
        "ome.tif": {"ome": True, "metadata": OF_OME},
        "ij.tif": {"imagej": True, "metadata": {"axes": "ZYX"}},
        "plain.tif": {"metadata": None},
        "shaped.tif": {"bigtiff": True, "metadata": {"axes": "ZYX"}},
        "tiled.tif": {"tile": (16, 16), "compression": "zlib", "metadata": {"axes": "ZYX"}},
    }
    for name, kind in kinds.items():
        tifffile.imwrite(path / name, STACK, **kind)
    return {name: (path / name).read_bytes() for name in kinds}


def of_nifti(path: Path) -> dict[str, bytes]:
    found = {}
    for version in (1, 2):
        image = getattr(nibabel, f"Nifti{version}Image")(STACK, np.eye(4))
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 40))
        found |= {f"{version}.nii": image.to_bytes(), f"{version}.nii.gz": image.to_bytes()}
    return found


@pytest.mark.parametrize("kind", [of_tiff, of_nifti])
def test_damaged_files_are_read_or_refused_in_a_sentence_and_at_once(
    tmp_path: Path, kind: Callable[[Path], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    originals, draw = kind(tmp_path), random.Random(28)
    for number in range(100):
        name, content = draw.choice(list(originals.items()))
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            damage = draw.choice(EXTREMES)
            place = draw.randrange(min(len(damaged), 2500) - len(damage))
            damaged[place : place + len(damage)] = damage
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(gzip.compress(bytes(damaged), 1) if name.endswith(".gz") else bytes(damaged))
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert outcome(path) == "" or "\n" not in outcome(path)
        assert time.monotonic() - started < LONGEST_S


def outcome(path: Path) -> str:
    """The sentence that refuses a file; nothing if it is read."""
    try:
        read_image(path, spacing_mm=(1, 1, 1))
    except NecrosegError as error:
        return str(error)
    return ""
