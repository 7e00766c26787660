"""Figures of a cohort: every case is in them, and files are complete."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.scoring import figures
from napari_necroseg.core.scoring.figures import bland_altman, box_plots, write_figures
from napari_necroseg.core.scoring.scores import Scores, score_masks
from napari_necroseg.core.volume import Grid


@pytest.fixture
def scores() -> dict[str, Scores]:
    grid = Grid((4, 20, 20), np.diag([4.0, 0.9, 0.8, 1.0]))
    reference = np.zeros(grid.shape, np.uint8)
    reference[1:3, 5:15, 5:15] = 1
    found = {}
    for n in (4, 7, 12):
        prediction = np.zeros_like(reference)
        prediction[1:3, 5:15, 5 : 5 + n] = 1
        found[f"case-{n}"] = score_masks(reference, prediction, grid)
    found["missed"] = score_masks(reference, np.zeros_like(reference), grid)
    return found


def test_every_format_is_written_and_the_same_twice(scores, tmp_path) -> None:
    nothing = replace(scores["missed"], state="nothing_to_find", dice=math.nan)
    paths = write_figures(scores | {"nothing": nothing}, tmp_path / "new")
    assert sorted(path.name for path in paths) == sorted(path.name for path in (tmp_path / "new").iterdir())
    assert {path.suffix for path in paths} == {".png", ".svg", ".pdf"}
    with Image.open(tmp_path / "new" / "boxes.png") as image:
        assert image.width > 600
        assert len(image.convert("L").getcolors()) > 20
    before = (tmp_path / "new" / "volumes.png").read_bytes()
    write_figures(scores, tmp_path / "new")
    assert (tmp_path / "new" / "volumes.png").read_bytes() == before


def test_missed_cases_are_in_the_boxes_and_every_case_is_a_point(scores) -> None:
    (axes,) = box_plots(scores).axes
    points = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    assert sorted(points[0]) == pytest.approx(sorted(one.dice for one in scores.values()))
    assert 0.0 in points[0]
    assert axes.get_title() == "4 cases"


def test_limits_of_agreement_are_those_of_the_differences(scores) -> None:
    (axes,) = bland_altman(scores).axes
    differences = np.array([one.volume_difference_ml for one in scores.values()])
    spread = 1.96 * differences.std(ddof=1)
    lines = sorted(line.get_ydata()[0] for line in axes.lines if line.get_marker() != "o")
    assert lines == pytest.approx(
        [differences.mean() - spread, differences.mean(), differences.mean() + spread]
    )


def test_one_case_has_no_limits(scores) -> None:
    (axes,) = bland_altman({"a": scores["case-4"]}).axes
    assert len(axes.lines) == 1


def test_without_the_library_it_is_said_what_to_install(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda _name: None)
    with pytest.raises(ResourceError, match=r"napari-necroseg\[figures\]"):
        write_figures({}, tmp_path)
