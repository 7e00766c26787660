"""Reader, writer and sample data, as napari calls them."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_necroseg.contributions import (
    get_reader,
    read_layers,
    sample_phantom_case,
    sample_phantom_cohort,
    write_labels,
)
from napari_necroseg.core.case import Case, CaseFiles, Cohort, Sequence
from napari_necroseg.core.cohort.table import write_cohort
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.events import Finished
from napari_necroseg.core.project.case_files import CaseOutput, write_case
from napari_necroseg.core.project.provenance import MaskState, provenance_of
from napari_necroseg.core.volume import Grid, Origin, Volume
from napari_necroseg.layerdata import Role, source_of

# Rows run forwards, columns upwards, slices to the left: nothing is in working order.
SCANNER_AFFINE = np.array([[0, 0, -4.0, 10], [0.875, 0, 0, -20], [0, 0.75, 0, 5], [0, 0, 0, 1]])


@pytest.fixture
def image(tmp_path, write_image) -> Path:
    generator = np.random.default_rng(0)
    return write_image(tmp_path / "T2.nii.gz", generator.random((6, 7, 5), dtype=np.float32), SCANNER_AFFINE)


def as_napari_would(data):
    """Add what the reader gave to a viewer, and return the layer."""
    viewer = ViewerModel()
    voxels, kwargs, kind = data
    return getattr(viewer, f"add_{kind}")(voxels, **kwargs)


def save(layer, path):
    voxels, attributes, _ = layer.as_layer_data_tuple()
    return write_labels(str(path), voxels, attributes)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr", "a.img", "a.tif", "A.TIFF", "a.ome.tif"])
def test_offers_to_read_images(name):
    assert get_reader(name) is read_layers
    assert get_reader([name, name]) is read_layers


@pytest.mark.parametrize("path", ["a.png", "a.csv", "folder", [], ["a.nii", "a.png"]])
def test_leaves_other_files_to_others(path):
    assert get_reader(path) is None


def test_reads_an_image_upright_in_millimetres(image):
    layer = as_napari_would(read_layers(str(image))[0])
    assert layer.data.shape == (5, 7, 6)
    assert tuple(layer.scale) == pytest.approx((4.0, 0.75, 0.875))
    assert layer.axis_labels == ("slice", "row", "column")
    assert str(layer.units[0]) == "millimeter"
    source = source_of(layer.metadata)
    assert source.role is Role.T2
    assert source.origin.path == image
    np.testing.assert_array_equal(source.origin.grid.affine_ras, SCANNER_AFFINE)


def test_a_mask_is_read_as_labels_and_saved_exactly_onto_its_grid(tmp_path, write_image):
    mask = (np.random.default_rng(1).random((6, 7, 5)) > 0.5).astype(np.uint8)
    path = write_image(tmp_path / "necrosis_mask.nii.gz", mask, SCANNER_AFFINE)
    layer = as_napari_would(read_layers([str(path)])[0])
    assert type(layer).__name__ == "Labels"
    assert save(layer, tmp_path / "out.nii.gz") == [str(tmp_path / "out.nii.gz")]
    saved = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(saved.dataobj), mask)
    np.testing.assert_array_equal(saved.affine, SCANNER_AFFINE)


def test_napari_itself_saves_a_mask_with_this_writer(tmp_path, write_image):
    mask = np.zeros((6, 7, 5), np.uint8)
    mask[2, 3, 4] = 1
    path = write_image(tmp_path / "mask.nii.gz", mask, SCANNER_AFFINE)
    layer = as_napari_would(read_layers([str(path)])[0])
    PluginManager.instance().discover()
    written = layer.save(str(tmp_path / "saved.nii.gz"), plugin="napari-necroseg")
    assert written == [str(tmp_path / "saved.nii.gz")]
    np.testing.assert_array_equal(np.asarray(nibabel.load(written[0]).dataobj), mask)


def test_saving_over_a_prediction_says_so_in_its_record_and_loses_no_earlier_work(tmp_path, write_image):
    mask = np.zeros((6, 7, 5), np.uint8)
    mask[2, 3, 4] = 1
    layer = as_napari_would(
        read_layers([str(write_image(tmp_path / "mask.nii.gz", mask, SCANNER_AFFINE))])[0]
    )
    path, origin = tmp_path / "case-1.nii.gz", source_of(layer.metadata).origin
    made = {"case": "case-1", "model": "m", "trained_on": "no"}
    write_case(CaseOutput(path=path, mask=layer.data, origin=origin, record=made))
    # What nobody has drawn on is no correction, however often it is saved.
    save(layer, path)
    assert not provenance_of(path).is_corrected
    for _ in range(2):
        layer.data[tuple(np.argwhere(layer.data == 0)[0])] = 1
        save(layer, path)
        now = provenance_of(path)
        assert (now.state, now.is_corrected, now.record["model"]) == (MaskState.AS_WRITTEN, True, "m")
    # The first was the program's own; the second, a person's, is kept.
    kept = sorted(one.name for one in tmp_path.glob("case-1_earlier*.nii.gz"))
    assert kept == ["case-1_earlier-001.nii.gz"]
    assert np.asarray(nibabel.load(tmp_path / kept[0]).dataobj).sum() == 2


def test_a_layer_that_belongs_to_no_file_is_refused_with_advice(tmp_path):
    layer = ViewerModel().add_labels(np.zeros((3, 4, 5), np.uint8), name="mine")
    with pytest.raises(FileError, match=r"'mine' belongs to no image file.*New mask"):
        save(layer, tmp_path / "out.nii.gz")
    assert not list(tmp_path.iterdir())


def test_a_layer_that_was_given_another_shape_is_refused(tmp_path, image):
    source = read_layers(str(image))[0][1]["metadata"]
    layer = ViewerModel().add_labels(np.zeros((3, 4, 5), np.uint8), metadata=source)
    with pytest.raises(FileError, match=r"\(3, 4, 5\).*\(5, 7, 6\)"):
        save(layer, tmp_path / "out.nii.gz")


def test_another_format_is_refused(tmp_path, image):
    source = read_layers(str(image))[0][1]["metadata"]
    layer = ViewerModel().add_labels(np.zeros((5, 7, 6), np.uint8), metadata=source)
    with pytest.raises(FileError, match=r"\.nii\.gz"):
        save(layer, tmp_path / "out.tif")


def test_a_damaged_file_is_told_in_one_sentence(tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    with pytest.raises((FileError, GeometryError)) as error:
        read_layers(str(tmp_path / "bad.nii.gz"))
    assert "bad.nii.gz" in str(error.value)


@pytest.fixture
def quick_phantom(monkeypatch) -> None:
    """Make the phantom a few voxels small: how it looks is tested where it is made."""
    grid = Grid((2, 3, 4), SCANNER_AFFINE)
    image, mask = (Volume(np.ones((2, 3, 4), dtype), grid) for dtype in (np.float32, np.uint8))
    monkeypatch.setattr(
        "napari_necroseg.core.phantom.phantom.phantom_case",
        lambda _seed, index: Case(
            name=f"phantom-{index + 1:02d}",
            sequences=dict.fromkeys(Sequence, image),
            origin=Origin(grid),
            reference=mask,
            tumour=mask,
        ),
    )


def test_the_sample_case_has_both_sequences_and_its_masks(quick_phantom):
    layers = sample_phantom_case()
    assert [kwargs["name"] for _, kwargs, _ in layers] == ["T2", "ceT1", "tumour", "reference"]


def test_the_sample_cohort_shows_its_first_case(monkeypatch, write_case):
    def write(out, *, cases, seed):
        folder = write_case(out / "phantom-01")
        files = {sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence}
        row = CaseFiles(name="phantom-01", sequences=files, reference=folder / "necrosis.nii.gz")
        write_cohort(out / "cohort.csv", Cohort(cases=(row,)))
        yield Finished(result=out / "cohort.csv")

    monkeypatch.setattr("napari_necroseg.core.phantom.phantom.write_phantom_cohort", write)
    layers = sample_phantom_cohort()
    assert [kwargs["name"] for _, kwargs, _ in layers] == ["T2", "ceT1", "reference"]
    assert layers[0][1]["metadata"]["necroseg"].case == "phantom-01"
