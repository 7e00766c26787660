"""The files of a case: what is replaced, what is kept, and what is told of it."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.project.case_files import CaseOutput, corrected_record, write_case
from napari_necroseg.core.project.provenance import MaskState, provenance_of, record_path
from napari_necroseg.core.volume import Grid, Origin

SHAPE = (4, 6, 5)
GRID = Grid(SHAPE, np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]]))
MAPS = ("probability", "uncertainty")


def output(folder: Path, model: str, *maps: str, name: str = "a", **record: object) -> CaseOutput:
    """What a model predicts of a case: as many voxels as its number says."""
    mask = np.zeros(SHAPE, np.uint8)
    mask.ravel()[: int(model[-1])] = 1
    return CaseOutput(
        path=folder / f"{name}.nii.gz",
        mask=mask,
        origin=Origin(GRID),
        record={"case": name, "model": model} | record,
        maps={one: np.full(SHAPE, int(model[-1]) / 10, np.float16) for one in maps},
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def draw(mask: Path) -> bytes:
    """A person adds a voxel, in another program."""
    image = nibabel.load(mask)
    voxels = np.asarray(image.dataobj).copy()
    voxels[-1, -1, -1] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), mask)
    return mask.read_bytes()


def voxels_of(path: Path) -> int:
    return int(np.count_nonzero(nibabel.load(path).get_fdata()))


def test_another_model_replaces_what_the_program_made(tmp_path) -> None:
    assert write_case(output(tmp_path, "m1", *MAPS)) is None
    assert write_case(output(tmp_path, "m2")) is None
    # No map of the first model stays beside the mask of the second.
    assert names(tmp_path) == ["a.json", "a.nii.gz"]
    made = provenance_of(tmp_path / "a.nii.gz")
    assert (made.state, made.record["model"]) == (MaskState.AS_WRITTEN, "m2")
    assert "replaces" not in json.loads((tmp_path / "a.json").read_text())


def test_a_mask_that_was_drawn_on_is_kept_with_all_that_belongs_to_it(tmp_path) -> None:
    write_case(output(tmp_path, "m1", *MAPS))
    drawn = draw(tmp_path / "a.nii.gz")
    earlier = write_case(output(tmp_path, "m2", "probability"))
    kept = tmp_path / "a_earlier-001.nii.gz"
    assert str(earlier) == ("a.nii.gz was changed after it was written; it is kept as a_earlier-001.nii.gz.")
    assert kept.read_bytes() == drawn
    assert provenance_of(kept).stored["model"] == "m1"
    assert names(tmp_path) == [
        *("a.json", "a.nii.gz", "a_earlier-001.json", "a_earlier-001.nii.gz"),
        *("a_earlier-001_probability.nii.gz", "a_earlier-001_uncertainty.nii.gz", "a_probability.nii.gz"),
    ]
    assert provenance_of(tmp_path / "a.nii.gz").record["model"] == "m2"
    drawn = draw(tmp_path / "a.nii.gz")
    assert write_case(output(tmp_path, "m3")).kept.name == "a_earlier-002.nii.gz"


def test_a_mask_whose_record_says_that_it_was_corrected_is_kept(tmp_path) -> None:
    write_case(output(tmp_path, "m1", corrected_by_hand=True))
    assert "was corrected by hand" in str(write_case(output(tmp_path, "m2")))
    assert provenance_of(tmp_path / "a_earlier-001.nii.gz").is_corrected
    assert not provenance_of(tmp_path / "a.nii.gz").is_corrected


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (None, "nothing says that this program made it"),
        ('{"model": "m1"}', "earlier version of this program"),
    ],
)
def test_a_mask_of_which_nothing_is_known_is_kept_unless_it_is_the_same(tmp_path, record, told) -> None:
    def forget() -> None:
        record_path(tmp_path / "a.nii.gz").unlink()
        if record is not None:
            record_path(tmp_path / "a.nii.gz").write_text(record)

    write_case(output(tmp_path, "m1"))
    forget()
    assert write_case(output(tmp_path, "m1")) is None
    forget()
    assert told in str(write_case(output(tmp_path, "m2")))
    assert voxels_of(tmp_path / "a_earlier-001.nii.gz") == 1


def test_a_file_of_a_person_is_never_lost(tmp_path) -> None:
    for name in ("a.nii.gz", "a.json", "a_probability.nii.gz"):
        (tmp_path / name).write_bytes(f"mine {name}".encode())
    earlier = write_case(output(tmp_path, "m1", "probability"))
    assert "nothing says that this program made it" in str(earlier)
    ends = {".nii.gz", ".json", "_probability.nii.gz"}
    assert {end: (tmp_path / f"a_earlier-001{end}").read_text() for end in ends} == {
        end: f"mine a{end}" for end in ends
    }


def test_a_sidecar_that_is_no_record_is_kept_and_told(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"Modality": "MR"}')
    assert str(write_case(output(tmp_path, "m1"))).startswith("a.json was there already")
    assert (tmp_path / "a_earlier-001.json").read_text() == '{"Modality": "MR"}'
    assert provenance_of(tmp_path / "a.nii.gz").record["model"] == "m1"


def test_a_case_that_is_called_like_a_probability_is_left_alone(tmp_path) -> None:
    write_case(output(tmp_path, "m5", name="a_probability"))
    write_case(output(tmp_path, "m1"))
    assert voxels_of(tmp_path / "a_probability.nii.gz") == 5
    with pytest.raises(FileError, match="is the mask of a case of that name"):
        write_case(output(tmp_path, "m2", "probability"))
    assert voxels_of(tmp_path / "a.nii.gz") == 1


def test_a_mask_without_a_record_takes_no_record_over(tmp_path) -> None:
    write_case(output(tmp_path, "m1"))
    unknown = CaseOutput(path=tmp_path / "a.nii.gz", mask=np.ones(SHAPE, np.uint8), origin=Origin(GRID))
    write_case(unknown, keeps_all=True)
    assert names(tmp_path) == ["a.nii.gz", "a_earlier-001.json", "a_earlier-001.nii.gz"]
    assert provenance_of(tmp_path / "a_earlier-001.nii.gz").record["model"] == "m1"


def test_a_mask_that_was_kept_before_the_program_was_ended_is_not_kept_twice(tmp_path) -> None:
    write_case(output(tmp_path, "m1"))
    drawn = draw(tmp_path / "a.nii.gz")
    (tmp_path / "a_earlier-004.nii.gz").write_bytes(drawn)
    assert write_case(output(tmp_path, "m2")).kept.name == "a_earlier-004.nii.gz"
    assert "a_earlier-001.nii.gz" not in names(tmp_path)


def test_saving_over_a_prediction_says_that_it_was_corrected_if_it_was(tmp_path) -> None:
    write_case(output(tmp_path, "m1", size={"volume_ml": 1.0}))
    same, other = output(tmp_path, "m1"), output(tmp_path, "m2")
    assert corrected_record(output(tmp_path, "m1", name="b")) is None
    assert "corrected_by_hand" not in corrected_record(same)
    record = corrected_record(other)
    assert (record["model"], record["corrected_by_hand"]) == ("m1", True)
    assert "size" not in record
