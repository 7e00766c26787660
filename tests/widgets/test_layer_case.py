"""Layers of the viewer as a case: where they lie, whoever opened them, and what is drawn on them."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.errors import FileError, GeometryError
from napari_necroseg.core.events import Finished
from napari_necroseg.core.volume import WORKING_AXIS_CODES
from napari_necroseg.jobs.train import load_layer_case
from napari_necroseg.layerdata import case_layers
from napari_necroseg.widgets.train.layer_case import layer_case

SHAPE = (6, 40, 36)
SPACING_MM = (4.0, 0.9, 0.8)


def loaded(taken):
    *_, last = load_layer_case(taken, threading.Event())
    assert isinstance(last, Finished)
    return last.result


def own_layers(case):
    layers = [
        (Image if kind == "image" else Labels)(data, **kwargs) for data, kwargs, kind in case_layers(case)
    ]
    t2, cet1, mask = layers
    return {Sequence.CET1: cet1, Sequence.T2: t2}, mask


def foreign_layers(*, units=("mm", "mm", "mm"), scale=SPACING_MM):
    generator = np.random.default_rng(0)
    images = {
        sequence: Image(generator.random(SHAPE, dtype=np.float32), name="study 7", scale=scale, units=units)
        for sequence in Sequence
    }
    mask = Labels(np.zeros(SHAPE, np.uint16), scale=scale, units=units)
    mask.data[2:4, 14:24, 12:22] = 7
    return images, mask


def test_layers_of_a_case_are_that_case_as_it_is_drawn_now(make_case) -> None:
    case = make_case("case-3")
    images, mask = own_layers(case)
    mask.data[0, 0, 0] = 1
    taken = layer_case(images, mask, target="reference")
    mask.data[0, 0, 1] = 1
    files = loaded(replace(taken, patient="p"))
    assert (files.name, files.patient, set(files.sequences)) == ("case-3", "p", set(Sequence))
    assert files.tumour is None
    assert files.loaded.grid.matches(case.grid)
    for sequence in Sequence:
        np.testing.assert_array_equal(
            files.loaded.sequences[sequence].voxels, case.sequences[sequence].voxels
        )
    drawn = case.reference.voxels.copy()
    drawn[0, 0, 0] = 1
    np.testing.assert_array_equal(files.loaded.reference.voxels, drawn)


def test_layers_from_elsewhere_lie_where_napari_shows_them() -> None:
    images, mask = foreign_layers()
    # Half a voxel of T2 further down: it has to be interpolated onto the ceT1 grid.
    images[Sequence.T2].translate = (0.0, 0.45, 0.0)
    files = loaded(layer_case(images, mask, target="tumour"))
    case = files.loaded
    assert (files.name, files.reference, case.reference) == ("study 7", None, None)
    assert case.grid.spacing_mm == pytest.approx(SPACING_MM)
    assert case.grid.axis_codes == WORKING_AXIS_CODES
    np.testing.assert_array_equal(case.tumour.voxels, mask.data > 0)
    assert "The T2 image was resampled" in " ".join(case.notes)


def test_a_mask_from_elsewhere_lies_on_the_case_as_it_is_shown(make_case) -> None:
    images, own = own_layers(make_case())
    foreign = Labels(np.array(own.data), scale=own.scale, translate=own.translate, units=own.units)
    case = loaded(layer_case(images, foreign, target="reference")).loaded
    np.testing.assert_array_equal(case.reference.voxels, own.data)
    assert case.notes == loaded(layer_case(images, own, target="reference")).loaded.notes


def test_units_count() -> None:
    images, mask = foreign_layers(units=("um", "um", "um"), scale=[1000 * step for step in SPACING_MM])
    assert loaded(layer_case(images, mask, target="reference")).loaded.grid.spacing_mm == pytest.approx(
        SPACING_MM
    )
    images, mask = foreign_layers(units=("pixel", "pixel", "pixel"))
    assert loaded(layer_case(images, mask, target="reference")).loaded.grid.spacing_mm == pytest.approx(
        SPACING_MM
    )
    images, mask = foreign_layers(units=("s", "s", "s"))
    with pytest.raises(GeometryError, match="is measured in second"):
        layer_case(images, mask, target="reference")


def test_what_is_no_stack_or_has_no_name_for_a_file_is_refused() -> None:
    images, mask = foreign_layers()
    with pytest.raises(FileError, match="'flat' is no plain stack"):
        layer_case({Sequence.CET1: Image(np.zeros((4, 5)), name="flat")}, mask, target="reference")
    images[Sequence.CET1].name = "a/b"
    with pytest.raises(FileError, match=r"Rename the ceT1 layer: .*'/'"):
        layer_case(images, mask, target="reference")
