import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort import duplicates
from napari_necroseg.core.cohort.duplicates import find_twins
from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.events import Finished, Progress, Warned

AFFINE = np.diag((-4.0, -0.9, -0.8, 1.0))


def image(path: Path, seed: int, *, affine: np.ndarray = AFFINE, kind: type = np.int16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(seed).integers(0, 1000, (6, 8, 10)).astype(kind)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def told(*cases: CaseFiles) -> tuple[str, ...]:
    search = find_twins(cases)
    while True:
        try:
            assert isinstance(next(search), Progress)
        except StopIteration as end:
            return end.value


def case(name: str, cet1: Path, t2: Path | None = None, patient: str = "") -> CaseFiles:
    sequences = {Sequence.CET1: cet1} | ({Sequence.T2: t2} if t2 else {})
    return CaseFiles(name=name, sequences=sequences, patient=patient)


def flipped(path: Path, source: Path) -> Path:
    """The same image, its first axis stored the other way round."""
    loaded = nibabel.load(source)
    codes = nibabel.io_orientation(np.diag((-1.0, 1.0, 1.0, 1.0)))
    nibabel.save(loaded.as_reoriented(codes), path)
    return path


def moved(path: Path, source: Path) -> Path:
    """The same voxels under another header."""
    affine = AFFINE.copy()
    affine[:3, 3] = (5, 6, 7)
    loaded = nibabel.load(source)
    nibabel.save(nibabel.Nifti1Image(np.asarray(loaded.dataobj), affine), path)
    return path


def as_float(path: Path, source: Path) -> Path:
    loaded = nibabel.load(source)
    nibabel.save(nibabel.Nifti1Image(np.asarray(loaded.dataobj, np.float32), loaded.affine), path)
    return path


@pytest.mark.parametrize("copied", [flipped, moved, as_float, lambda path, source: shutil.copy(source, path)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_copy_is_found_whatever_it_is_called_and_however_it_was_written(
    tmp_path: Path, copied: Callable[[Path, Path], Path], suffix: str
) -> None:
    first = image(tmp_path / f"a{suffix}", 1)
    copied(tmp_path / f"x{suffix}", first)
    others = [case(f"o{n}", image(tmp_path / f"o{n}.nii", 10 + n)) for n in range(3)]
    assert told(case("A", first), *others, case("B", tmp_path / f"x{suffix}")) == (
        f"A and B hold the very same image, voxel for voxel (ceT1 a{suffix}, ceT1 x{suffix}); they are given "
        "as different patients: give them one patient in the table, or remove all but one.",
    )


def test_one_patient_s_examinations_and_one_case_s_sequences_are_told_otherwise(tmp_path: Path) -> None:
    first, other = image(tmp_path / "a.nii", 1), image(tmp_path / "b.nii", 1)
    assert told(case("A", first, patient="P"), case("B", other, patient="p"))[0].endswith(
        "remove all but one, unless that is meant."
    )
    assert told(case("A", first, other)) == (
        "A: its images are the very same, voxel for voxel (ceT1 a.nii, T2 b.nii); pair the right files.",
    )


def test_equal_stacks_are_found(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        stack = np.random.default_rng(3).integers(0, 1000, (6, 8, 10)).astype(np.uint16)
        tifffile.imwrite(tmp_path / name, stack)
    cases = [replace(case(name, tmp_path / f"{name}.tif"), spacing_mm=(4.0, 0.8, 0.8)) for name in "ab"]
    assert len(told(*cases)) == 1


def test_blank_images_masks_and_damaged_files_are_no_twins(tmp_path: Path) -> None:
    for name in ("a.nii", "b.nii"):
        nibabel.save(
            nibabel.Nifti1Image(np.eye(4, dtype=np.uint8)[None].repeat(3, 0), AFFINE), tmp_path / name
        )
        (tmp_path / f"cut-{name}.gz").write_bytes(b"\x1f\x8b\x08\0")
    assert told(case("A", tmp_path / "a.nii"), case("B", tmp_path / "b.nii")) == ()
    assert told(case("A", tmp_path / "cut-a.nii.gz"), case("B", tmp_path / "cut-b.nii.gz")) == ()
    assert told(case("A", tmp_path / "none.nii"), case("B", tmp_path / "none.nii")) == ()


def test_images_of_one_atlas_are_not_all_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case(f"c{n}", image(tmp_path / f"{n}.nii.gz", n)) for n in range(30)]
    read: list[Path] = []
    read_image = duplicates.read_image
    monkeypatch.setattr(duplicates, "MOST_BY_HEADER", 8)
    monkeypatch.setattr(duplicates, "_BLOCK_BYTES", 512)
    monkeypatch.setattr(
        duplicates, "read_image", lambda path, **kw: read.append(path) or read_image(path, **kw)
    )
    assert told(*cases) == ()
    assert read == []
    shutil.copy(tmp_path / "7.nii.gz", tmp_path / "copy.nii.gz")
    assert len(told(*cases, case("copy", tmp_path / "copy.nii.gz"))) == 1
    assert len(read) == 2


def test_prepare_tells_of_a_patient_s_image_under_another_name(tmp_path: Path) -> None:
    for n in range(3):
        image(tmp_path / f"case-{n}/ceT1.nii", n)
        image(tmp_path / f"case-{n}/T2.nii", 10 + n)
    shutil.copytree(tmp_path / "case-1", tmp_path / "Meier")
    events = list(prepare(tmp_path))
    assert isinstance(events[-1], Finished)
    found = [problem for problem in events[-1].result.problems if "very same image" in problem]
    assert len(found) == 2
    assert all(one.startswith("case-1 and Meier hold the very same image") for one in found)
    assert all(Warned(message=one) in events for one in found)
    assert events[-1].result.cases == 4


def test_equal_stacks_of_two_channels_are_found(tmp_path: Path) -> None:
    for name, seed in (("a.tif", 3), ("b.tif", 3), ("c.tif", 4)):
        stack = np.random.default_rng(seed).integers(0, 1000, (6, 2, 8, 10)).astype(np.uint16)
        tifffile.imwrite(tmp_path / name, stack, imagej=True, metadata={"axes": "ZCYX"})
    paths = ((name, tmp_path / f"{name}.tif") for name in "abc")
    cases = [replace(case(name, path, path), spacing_mm=(4.0, 0.8, 0.8)) for name, path in paths]
    found = told(*cases)
    assert [one.split(" hold")[0] for one in found] == ["a and b", "a and b"]
    assert "ceT1 a.tif" in found[0]
    assert "T2 a.tif" in found[1]
