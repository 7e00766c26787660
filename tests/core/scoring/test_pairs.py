"""Which masks are compared: every case is in a pair or told by name, and no other file is one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.scoring.pairs import MaskPairs, find_pairs

WriteImage = Callable[..., Path]
MASK = np.zeros((3, 6, 6), np.uint8)
MASK[1, 2:4, 2:4] = 1


@pytest.fixture
def write(tmp_path: Path, write_image: WriteImage) -> Callable[..., None]:
    """Write the same mask under several names, below the folder of the test."""

    def write_all(*names: str, voxels: np.ndarray = MASK) -> None:
        for name in names:
            write_image(tmp_path / name, voxels)

    return write_all


def found(folder: Path) -> MaskPairs:
    return find_pairs(folder / "ref", folder / "pred")


def names(pairs: MaskPairs) -> list[str]:
    return [pair.case for pair in pairs]


def test_cases_without_a_prediction_and_predictions_without_a_case_are_named(write, tmp_path) -> None:
    write("ref/a.nii.gz", "ref/b.nii.gz", "pred/b.nii", "pred/x.nii.gz")
    pairs = found(tmp_path)
    assert names(pairs) == ["b"]
    assert (pairs.without_prediction, pairs.without_reference) == (("a",), ("x",))
    assert pairs.with_reference == 2


def test_a_table_names_its_cases_without_a_prediction(tmp_path, write_case, write) -> None:
    rows = ["case,ceT1,reference"]
    for name in ("a", "b", "Ü"):
        write_case(tmp_path / name)
        rows.append(f"{name},{name}/ceT1.nii.gz,{name}/necrosis.nii.gz")
    rows.append("unread,a/T2.nii.gz,")
    (tmp_path / "cohort.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    # Composed in the table, in two characters on the disk; and a case of the table that has no reference.
    write("pred/B.nii.gz", "pred/U\u0308.nii.gz", "pred/unread.nii.gz")
    pairs = find_pairs(tmp_path, tmp_path / "pred")
    assert names(pairs) == ["b", "Ü"]
    assert (pairs.without_prediction, pairs.without_reference) == (("a",), ("unread",))


@pytest.mark.parametrize(
    "twin",
    ["pred/a.nii", "pred/a.NII.GZ", "pred/A.nii.gz", "pred/a.hdr", "ref/a.nii", "pred/a.tif"],
)
def test_two_files_of_one_case_refuse_it_and_no_other(write, tmp_path, twin) -> None:
    write("ref/a.nii.gz", "ref/b.nii.gz", "pred/a.nii.gz", "pred/b.nii.gz")
    shutil.copy(tmp_path / "pred" / "a.nii.gz", tmp_path / twin)
    pairs = found(tmp_path)
    assert names(pairs) == ["b"]
    assert list(pairs.refused) == ["a"]
    assert Path(twin).name in pairs.refused["a"]
    assert "a.nii.gz" in pairs.refused["a"]
    assert pairs.with_reference == 2


def test_two_ways_to_compose_a_name_are_twins(write, tmp_path) -> None:
    write("ref/u\u0308.nii.gz", "pred/\u00fc.nii.gz", "pred/u\u0308.nii.gz")
    assert list(found(tmp_path).refused) == ["\u00fc"]


def test_header_and_voxels_are_one_image(write, tmp_path) -> None:
    write("ref/a.nii.gz")
    (tmp_path / "pred").mkdir()
    nibabel.save(nibabel.Nifti1Pair(MASK, np.eye(4)), tmp_path / "pred" / "a.hdr")
    assert {path.name for path in (tmp_path / "pred").iterdir()} == {"a.hdr", "a.img"}
    assert names(found(tmp_path)) == ["a"]
    assert not found(tmp_path).refused


def test_probabilities_and_earlier_versions_are_no_predictions_of_their_own(write, tmp_path) -> None:
    write("ref/a.nii.gz", "ref/b.nii.gz", "ref/a_tumour.nii.gz", "pred/a.nii.gz")
    write("pred/a_earlier-001.nii.gz", "ref/a_earlier-001.nii.gz")
    maps = ("a_probability", "a_uncertainty", "a_earlier-001_probability", "b_uncertainty")
    write(*(f"pred/{name}.nii.gz" for name in maps), voxels=MASK / np.float32(3))
    pairs = found(tmp_path)
    assert names(pairs) == ["a"]
    # The mask of b is gone, and what is left of it is no mask.
    assert (pairs.without_prediction, pairs.without_reference) == (("b",), ())
    assert pairs.notes == ("Earlier versions of masks are not scored: a_earlier-001.",)


def test_a_case_that_is_called_like_a_probability_is_a_case(write, tmp_path) -> None:
    write("ref/x.nii.gz", "ref/x_probability.nii.gz", "pred/x.nii.gz", "pred/x_probability.nii.gz")
    assert names(found(tmp_path)) == ["x", "x_probability"]
    write("ref/y_uncertainty.nii.gz", "pred/z_probability.nii.gz")
    pairs = found(tmp_path)
    assert (pairs.without_prediction, pairs.without_reference) == (("y_uncertainty",), ("z_probability",))


def test_two_models_with_probabilities_are_compared_by_their_masks(write, tmp_path) -> None:
    write("ref/x.nii.gz", "pred/x.nii.gz")
    write("ref/x_probability.nii.gz", "pred/x_probability.nii.gz", voxels=MASK / np.float32(3))
    assert names(found(tmp_path)) == ["x"]


def test_folders_without_a_name_in_common_are_told(write, tmp_path) -> None:
    write("ref/a.nii.gz", "pred/b.nii.gz", "pred/c.nii.gz")
    with pytest.raises(FileError, match=r"2 images\) has the name of one in .*\(1 images\)"):
        found(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["=cmd|'!A0'", "+1+1", "@SUM(1)", "-2", "a\tb", "a\x1b[2Jb", "a\nb", "AUX", "a:b", "\udcff", "a\u202eb"],
)
def test_a_file_whose_name_no_case_can_have_is_refused_and_named(write, tmp_path, name) -> None:
    write(f"ref/{name}.nii.gz", f"pred/{name}.nii.gz", "ref/a.nii.gz", "pred/A.nii.gz")
    pairs = found(tmp_path)
    assert [pair.case for pair in pairs] == ["a"]
    (refused, why), *_ = pairs.refused.items()
    assert refused.isprintable()
    assert why.isprintable()
    assert why.endswith("rename its files.")


def test_a_system_s_own_and_what_cannot_be_opened_is_told(write, tmp_path) -> None:
    write("ref/a.nii.gz", "pred/a.nii.gz", "ref/._a.nii.gz", "pred/@eaDir/a.nii.gz")
    (tmp_path / "pred" / "b.nii.gz").symlink_to("b.nii.gz")
    pairs = found(tmp_path)
    assert [pair.case for pair in pairs] == ["a"]
    assert pairs.notes == (
        "ref: 1 entry of the file system's own, or hidden, was left out: ._a.nii.gz.",
        "pred: b.nii.gz: it is a link that leads back to itself; it was left out.",
        "pred: 1 entry of the file system's own, or hidden, was left out: @eaDir.",
    )
