"""The colours of contours are told apart with any of the common colour vision deficiencies."""

import importlib.util
from pathlib import Path

import pytest

from napari_necroseg.layerdata import COLOURS, PREDICTION_COLOURS

TOOL = Path(__file__).parents[1] / "tools" / "colour_vision.py"
# CIEDE2000; from 2 on two colours differ beside each other, from 10 on they do at a glance.
LEAST = 10.0


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("colour_vision", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("deficiency", [None, "protanopia", "deuteranopia", "tritanopia"])
def test_contours_of_any_two_kinds_differ_at_a_glance(tool, deficiency):
    colours = dict.fromkeys((*COLOURS.values(), *PREDICTION_COLOURS))
    apart = tool.differences(colours, deficiency)
    assert min(apart.values()) >= LEAST, min(apart, key=apart.get)


def test_red_and_green_of_one_brightness_are_hard_to_tell_without_red_or_green_cones(tool):
    """The simulation does what it says: this pair, which is seen well, is lost."""
    pair = ["#d04040", "#6a7a20"]
    assert next(iter(tool.differences(pair, None).values())) > 35
    assert next(iter(tool.differences(pair, "deuteranopia").values())) < 15


def test_grey_stays_grey(tool):
    grey = tool.colour("#808080")
    for deficiency in tool.MATRICES:
        assert tool.seen(grey, deficiency) == pytest.approx(grey, abs=0.01)
