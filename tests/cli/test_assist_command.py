"""``necroseg assist``: from a point to a mask on the grid of its file, nothing lost, mistakes in a line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import nibabel
import numpy as np
import pytest

from napari_necroseg.cli import main
from napari_necroseg.core.config import AssistMethod
from napari_necroseg.core.volume import Grid

SHAPE = (12, 60, 56)
# Right to left, superior to inferior, anterior to posterior: all coordinates of the zone are negative.
AFFINE = np.array([[-4.0, 0, 0, -3], [0, 0, -0.8, -5], [0, -0.9, 0, -7], [0, 0, 0, 1]])
MIDDLE = (6, 30, 28)
SEED = ",".join(f"{value:g}" for value in (AFFINE @ [*MIDDLE, 1])[:3])


@pytest.fixture
def case(tmp_path: Path, write_image: Callable[..., Path]) -> Path:
    """A case with a dark ball of 9 mm in a bright rim, and its reference."""
    offsets = (np.indices(SHAPE).T - MIDDLE) * (4.0, 0.9, 0.8)
    radius = np.linalg.norm(offsets, axis=-1).T
    generator = np.random.default_rng(0)
    folder = tmp_path / "case-7"
    for name, contrast in (("ceT1", (60, 180, 110)), ("T2", (150, 130, 100))):
        voxels = np.select((radius <= 9, radius <= 12), contrast[:2], contrast[2])
        write_image(
            folder / f"{name}.nii.gz", (voxels + generator.normal(0, 6, SHAPE)).astype(np.int16), AFFINE
        )
    write_image(folder / "necrosis.nii.gz", (radius <= 9).astype(np.uint8), AFFINE)
    return folder


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def dice(case: Path, mask: Path) -> float:
    truth, found = (np.asarray(nibabel.load(path).dataobj) for path in (case / "necrosis.nii.gz", mask))
    return float(2 * (truth * found).sum() / (truth.sum() + found.sum()))


@pytest.mark.parametrize("method", get_args(AssistMethod))
def test_each_method_writes_the_zone_on_the_grid_of_the_file(case, tmp_path, capsys, method) -> None:
    out = tmp_path / "masks" / "first.nii.gz"
    assert main(["assist", method, str(case), "--seed", SEED, "--out", str(out), "--json"]) == 0
    written, image = nibabel.load(out), nibabel.load(case / "ceT1.nii.gz")
    assert (written.get_data_dtype(), written.shape) == (np.uint8, image.shape)
    np.testing.assert_array_equal(written.affine, image.affine)
    assert dice(case, out) > 0.8
    *_, finished = records(capsys.readouterr().out)
    assert (finished["event"], finished["method"], finished["case"]) == ("finished", method, "case-7")
    assert finished["path"] == str(out)
    assert finished["size"]["components"] == 1
    assert finished["size"]["volume_ml"] == pytest.approx(np.asarray(written.dataobj).sum() * 4 * 0.72 / 1000)
    assert finished["seed_mm"] == pytest.approx([float(value) for value in SEED.split(",")])


def test_files_of_another_axis_order_will_do(case, tmp_path, write_image) -> None:
    image = nibabel.load(case / "ceT1.nii.gz")
    turned = nibabel.as_closest_canonical(image)
    path = write_image(tmp_path / "ras.nii.gz", np.asarray(turned.dataobj), turned.affine)
    ours, theirs = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    for source, out in ((case / "ceT1.nii.gz", ours), (path, theirs)):
        arguments = ["--ceT1", str(source), f"--seed={SEED}", "--out", str(out)]
        assert main(["assist", "region-growing", *arguments]) == 0
    mask = nibabel.load(theirs)
    assert nibabel.aff2axcodes(mask.affine) == ("R", "A", "S")
    np.testing.assert_array_equal(mask.dataobj, nibabel.as_closest_canonical(nibabel.load(ours)).dataobj)


def test_t2_beside_cet1_is_looked_at_unless_it_is_not_wanted(case, tmp_path) -> None:
    files = ["--ceT1", str(case / "ceT1.nii.gz"), "--T2", str(case / "T2.nii.gz")]
    masks = {}
    for name, given in {
        "both": files,
        "folder": [str(case)],
        "one": files[:2],
        "unwanted": [*files, "--sequences", "ceT1"],
    }.items():
        out = tmp_path / f"{name}.nii.gz"
        assert main(["assist", "watershed", *given, "--seed", SEED, "--out", str(out)]) == 0
        masks[name] = np.asarray(nibabel.load(out).dataobj)
    np.testing.assert_array_equal(masks["both"], masks["folder"])
    np.testing.assert_array_equal(masks["one"], masks["unwanted"])
    assert not np.array_equal(masks["both"], masks["one"])


def test_a_tolerance_and_a_radius_reach_the_method(case, tmp_path) -> None:
    out = tmp_path / "a.nii.gz"
    sizes = []
    for more in (["--tolerance", "0.1"], ["--tolerance", "9"], ["--tolerance", "9", "--radius-mm", "6"]):
        assert main(["assist", "region-growing", str(case), "--seed", SEED, "--out", str(out), *more]) == 0
        sizes.append(int(np.asarray(nibabel.load(out).dataobj).sum()))
    assert sizes[0] < sizes[2] < sizes[1]


def test_an_earlier_mask_is_kept_and_it_is_said(case, tmp_path, capsys) -> None:
    out, arguments = tmp_path / "a.nii.gz", ["assist", "graph-cut", str(case), "--seed", SEED, "--json"]
    assert main([*arguments, "--out", str(out), "--radius-mm", "5"]) == 0
    first = out.read_bytes()
    capsys.readouterr()
    assert main([*arguments, "--out", str(out)]) == 0
    assert (tmp_path / "a_earlier-001.nii.gz").read_bytes() == first
    assert out.read_bytes() != first
    *_, warned, finished = records(capsys.readouterr().out)
    assert warned == {
        "event": "warning",
        "message": "a.nii.gz was there already; it is now a_earlier-001.nii.gz.",
    }
    assert finished["earlier"] == str(tmp_path / "a_earlier-001.nii.gz")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["magic", "{case}", "--seed", SEED], "method: Input should be 'graph-cut'"),
        (
            ["graph-cut", "{case}", "--seed", "500,0,0"],
            "The seed (500, 0, 0) mm lies outside of the image",
        ),
        (["graph-cut", "--seed", SEED], "Name one case to outline"),
        (["graph-cut", "{case}", "--ceT1", "{case}/ceT1.nii.gz", "--seed", SEED], "Name one case to outline"),
        (["graph-cut", "{case}", "--T2", "{case}/T2.nii.gz", "--seed", SEED], "--T2 goes with --ceT1"),
        (["graph-cut", "{case}/gone", "--seed", SEED], "There is no file or folder"),
        (["graph-cut", "{case}", "--seed", SEED, "--radius-mm", "2"], "radius_mm: "),
        (["fuzzy-c-means", "{case}", "--seed", SEED, "--tolerance", "1"], "fuzzy-c-means has no --tolerance"),
        (["graph-cut", "{case}", "--seed", SEED, "--out", "{case}/mask.png"], "is no name for a mask"),
        (
            ["graph-cut", "{case}", "--seed", SEED, "--out", "{case}/ceT1.nii.gz"],
            "is a file of the case itself",
        ),
        (["graph-cut", "{case}", "--seed", SEED, "--out", "{case}/necrosis.nii.gz"], "is a file of the case"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(case, tmp_path, capsys, arguments, reason) -> None:
    before = {path: path.read_bytes() for path in case.iterdir()}
    words = [word.format(case=case) for word in arguments]
    if "--out" not in words:
        words += ["--out", str(tmp_path / "a.nii.gz")]
    assert main(["assist", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert reason in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert {path: path.read_bytes() for path in case.iterdir()} == before
    assert not (tmp_path / "a.nii.gz").exists()


@pytest.mark.parametrize("seed", ["1,2", "a,b,c", "nan,0,0"])
def test_what_is_no_point_is_refused(case, tmp_path, capsys, seed) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["assist", "graph-cut", str(case), f"--seed={seed}", "--out", str(tmp_path / "a.nii.gz")])
    assert stopped.value.code == 2
    assert f"{seed} is no point; write it as -12,3.5,40" in capsys.readouterr().err


def test_the_voxel_of_a_point_is_the_one_it_lies_in() -> None:
    grid = Grid(SHAPE, AFFINE)
    for index in ((0, 0, 0), MIDDLE, (11, 59, 55)):
        point = grid.to_world_mm(np.add(index, (0.4, -0.4, 0.3)))
        assert grid.index_of(tuple(point)) == index
