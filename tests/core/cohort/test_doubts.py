"""Swapped images, masks and another patient's T2 are doubted; sound pairs never are."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.cohort.doubts import DoubtKind, doubts_of

DATA = Path(__file__).parents[4] / "shared" / "data"


def pair(cet1: Path, t2: Path | None = None) -> CaseFiles:
    sequences = {Sequence.CET1: cet1} | ({} if t2 is None else {Sequence.T2: t2})
    return CaseFiles(name="case", sequences=sequences)


def kinds(files: CaseFiles) -> list[str]:
    return [doubt.kind for doubt in doubts_of(files)]


@pytest.fixture
def study(tmp_path: Path, write_case) -> Path:
    for seed, name in enumerate(("case-01", "case-02")):
        write_case(tmp_path / "study" / name, seed)
    return tmp_path / "study"


def test_a_sound_pair_is_not_doubted(study):
    folder = study / "case-01"
    assert kinds(pair(folder / "ceT1.nii.gz", folder / "T2.nii.gz")) == []
    assert kinds(pair(folder / "ceT1.nii.gz")) == []


def test_exchanged_names_are_doubted(study):
    folder = study / "case-01"
    assert kinds(pair(folder / "T2.nii.gz", folder / "ceT1.nii.gz")) == [DoubtKind.SWAPPED]
    other = shutil.copy(folder / "ceT1.nii.gz", folder / "scan.nii.gz")
    assert kinds(pair(folder / "T2.nii.gz", Path(other))) == [DoubtKind.SWAPPED]


def test_a_mask_is_doubted_by_its_name_and_by_its_values(study):
    folder = study / "case-01"
    assert kinds(pair(folder / "necrosis.nii.gz", folder / "T2.nii.gz")) == [DoubtKind.MASK]
    nameless = Path(shutil.copy(folder / "necrosis.nii.gz", folder / "x.nii.gz"))
    (doubt,) = doubts_of(pair(folder / "ceT1.nii.gz", nameless))
    assert (doubt.kind, doubt.sequence, doubt.path) == (DoubtKind.MASK, Sequence.T2, nameless)


def test_t2_of_another_folder_is_doubted_and_of_a_folder_for_t2_it_is_not(study, tmp_path):
    (doubt,) = doubts_of(pair(study / "case-01" / "ceT1.nii.gz", study / "case-02" / "T2.nii.gz"))
    assert (doubt.kind, doubt.names) == (DoubtKind.OTHER_PATIENT, ("case-01", "case-02"))
    for name in ("T2", "601_T2_sag"):
        place = tmp_path / "one" / name
        place.mkdir(parents=True)
        t2 = Path(shutil.copy(study / "case-01" / "T2.nii.gz", place / "image.nii.gz"))
        (tmp_path / "one" / "T1ce").mkdir(exist_ok=True)
        cet1 = Path(shutil.copy(study / "case-01" / "ceT1.nii.gz", tmp_path / "one" / "T1ce"))
        assert kinds(pair(cet1, t2)) == []


@pytest.mark.parametrize(
    ("cet1", "t2", "is_doubted"),
    [
        ("case-01_ceT1", "case-02_T2", True),
        ("case-01_ceT1", "case-1_T2", False),
        ("301_T1ce", "501_T2", False),
        ("T1ce_sag", "T2_tra", False),
    ],
)
def test_names_that_are_numbered_otherwise_are_doubted(study, cet1, t2, is_doubted):
    folder = study / "case-01"
    files = [
        Path(shutil.copy(folder / f"{sequence}.nii.gz", folder / f"{name}.nii.gz"))
        for sequence, name in (("ceT1", cet1), ("T2", t2))
    ]
    assert kinds(pair(*files)) == [DoubtKind.OTHER_PATIENT] * is_doubted


def test_t2_that_lies_elsewhere_or_covers_little_is_doubted(study, write_image):
    cet1 = study / "case-01" / "ceT1.nii.gz"
    noise = np.random.default_rng(0).integers(0, 4000, (6, 40, 36)).astype(np.int16)
    affine = np.array([[-4.0, 0, 0, 400], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]])
    away = write_image(study / "case-01" / "T2.nii.gz", noise, affine)
    (doubt,) = doubts_of(pair(cet1, away))
    assert (doubt.kind, doubt.covered) == (DoubtKind.NO_OVERLAP, 0.0)
    small = write_image(study / "case-01" / "T2.nii.gz", noise[:2])
    (doubt,) = doubts_of(pair(cet1, small))
    assert doubt.kind is DoubtKind.NO_OVERLAP
    assert doubt.covered == pytest.approx(1 / 3, abs=0.1)


def test_a_file_that_cannot_be_read_raises_no_doubt(study):
    folder = study / "case-01"
    (folder / "T2.nii.gz").write_bytes(b"no image")
    assert kinds(pair(folder / "ceT1.nii.gz", folder / "T2.nii.gz")) == []


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here")
def test_no_real_pair_is_doubted():
    cases = sorted((DATA / "brain-necrosis").glob("case-*"))
    pairs = [pair(case / "ceT1.nii.gz", case / "T2.nii.gz") for case in cases]
    pairs.append(pair(DATA / "lumbar-pair" / "T1.nii.gz", DATA / "lumbar-pair" / "T2.nii.gz"))
    assert len(pairs) == 17
    assert [kinds(one) for one in pairs] == [[]] * 17
