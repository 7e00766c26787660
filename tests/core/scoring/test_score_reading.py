"""Scoring reads a case as every other command does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_necroseg.cli import main
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.events import Warned
from napari_necroseg.core.images.save import save_mask
from napari_necroseg.core.scoring.files import (
    CaseScored,
    ScoringOptions,
    other_pairs,
    score_files,
    score_pairs,
)
from napari_necroseg.core.scoring.pairs import find_pairs

WriteImage = Callable[..., Path]


def tiff_cohort(folder: Path, *, channels: int = 1) -> Path:
    """A case of TIFF stacks that do not state their spacing: the table does."""
    image = np.random.default_rng(0).integers(0, 4000, (6, 12, 10)).astype(np.uint16)
    image = image if channels == 1 else np.stack([image] * channels, axis=1)
    axes = "ZYX" if channels == 1 else "ZCYX"
    tifffile.imwrite(folder / "ceT1.tif", image, imagej=True, metadata={"axes": axes})
    tifffile.imwrite(folder / "zone.tif", tiff_mask())
    t2 = "ceT1.tif" if channels == 2 else ""
    (folder / "cohort.csv").write_text(
        f"case,ceT1,T2,reference,spacing_mm\na,ceT1.tif,{t2},zone.tif,4 x 0.9 x 0.8\n"
    )
    return folder


def tiff_mask() -> np.ndarray:
    mask = np.zeros((6, 12, 10), np.uint8)
    mask[2:4, 3:8, 2:7] = 1
    return mask


@pytest.mark.parametrize("name", ["a.nii.gz", "a.tif"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_cohort_of_tiff_stacks_is_scored_with_the_spacing_of_its_table(
    tmp_path: Path, name: str, channels: int
) -> None:
    cohort = tiff_cohort(tmp_path, channels=channels)
    (tmp_path / "out").mkdir()
    if name == "a.tif":
        tifffile.imwrite(tmp_path / "out" / name, tiff_mask())
    else:
        case = load_case(read_cohort(cohort)["a"])
        save_mask(tmp_path / "out" / name, tiff_mask(), case.origin)
    pairs = find_pairs(cohort, tmp_path / "out")
    wanted = ScoringOptions(
        against={"again": other_pairs(pairs, cohort, other=tmp_path / "out")},
        second_reader=other_pairs(pairs, cohort, other=tmp_path / "out"),
    )
    *events, last = score_pairs(pairs, wanted)
    (scored,) = (event for event in events if isinstance(event, CaseScored))
    assert scored.result.dice == 1.0
    assert scored.result.prediction_ml == pytest.approx(50 * 4 * 0.9 * 0.8 / 1000)
    assert {one.other for one in last.result.comparisons} == {"again", "second reader"}
    assert last.result.against_second_reader is not None


def test_what_lies_beyond_the_border_of_the_image_is_told_in_ml(
    tmp_path: Path, write_image: WriteImage
) -> None:
    affine = np.diag((4.0, 1.0, 1.0, 1.0))
    write_image(tmp_path / "ceT1.nii.gz", np.ones((6, 10, 10), np.int16), affine)
    larger = np.zeros((6, 20, 10), np.uint8)
    larger[2:4, 5:15, 2:7] = 1
    write_image(tmp_path / "zone.nii.gz", larger, affine)
    write_image(tmp_path / "out" / "a.nii.gz", larger[:, :10], affine)
    (tmp_path / "cohort.csv").write_text("case,ceT1,reference\na,ceT1.nii.gz,zone.nii.gz\n")
    events = list(score_files(tmp_path, tmp_path / "out"))
    told = [event.message for event in events if isinstance(event, Warned)]
    assert "a: 0.20 mL of the 0.40 mL of zone.nii.gz lie outside of ceT1.nii.gz and are left out." in told


def test_what_was_done_to_the_masks_of_another_set_is_told(tmp_path: Path, write_image: WriteImage) -> None:
    affine = np.diag((4.0, 1.0, 1.0, 1.0))
    mask = np.zeros((6, 20, 10), np.uint8)
    mask[2:4, 5:15, 2:7] = 1
    for name in ("reference", "first"):
        write_image(tmp_path / name / "a.nii.gz", mask[:, :10], affine)
    write_image(tmp_path / "second" / "a.nii.gz", mask, affine)
    pairs = find_pairs(tmp_path / "reference", tmp_path / "first")
    other = other_pairs(pairs, tmp_path / "reference", other=tmp_path / "second")
    events = list(score_pairs(pairs, ScoringOptions(against={"second": other})))
    told = [event.message for event in events if isinstance(event, Warned)]
    assert "second, a: a.nii.gz was resampled onto the grid of a.nii.gz." in told
    assert "second, a: 0.20 mL of the 0.40 mL of a.nii.gz lie outside of a.nii.gz and are left out." in told


def test_the_command_takes_the_spacing_of_files_in_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", tiff_mask())
    words = ["score", str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]
    assert main(words) == 2
    assert "give the slice, row and column spacing in mm" in "".join(capsys.readouterr())
    assert main([*words, "--spacing-mm", "4,0.9,0.8"]) == 0
    assert "1 scored" in "".join(capsys.readouterr())
