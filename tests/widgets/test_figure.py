"""The figure of what is shown: the right pixels, lines and words in a PNG and an SVG, written safely."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from qtpy.QtCore import QRect
from qtpy.QtGui import QImageReader
from qtpy.QtWidgets import QFileDialog

from napari_necroseg.core.language import set_language
from napari_necroseg.layerdata import COLOURS, Role, case_layers
from napari_necroseg.widgets.shared.plane import Plane
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.view import figure_maker
from napari_necroseg.widgets.view.contours import set_filled
from napari_necroseg.widgets.view.figure import drawn, image_of, nice_length_mm
from napari_necroseg.widgets.view.figure_maker import FigureMaker, figure_of
from napari_necroseg.widgets.view.plane_picture import picture_of
from napari_necroseg.widgets.view.ruler import Line
from napari_necroseg.widgets.view.three_planes import ThreePlanes
from napari_necroseg.widgets.view.turn import turn_to


@pytest.fixture
def shown(viewer, make_case):
    workspace = Workspace.of(viewer)
    case = make_case("case-07")
    list(workspace.layers.show(case_layers(case), first_slice=2))
    workspace.set_case(case, None)
    mine = workspace.layers.new_mask(case)
    mine.data[2, 14:24, 12:22] = 1
    return workspace


@pytest.fixture
def three(qtbot, shown):
    made = ThreePlanes(shown)
    yield made
    for pane in made.panes:
        qtbot.addWidget(pane)


@pytest.fixture
def maker(qtbot, shown, three):
    made = FigureMaker(shown, three)
    yield made
    made.stop()


@pytest.fixture
def told(monkeypatch):
    """What the person is told, and the errors."""
    said = []
    for name in ("show_info", "show_error"):
        monkeypatch.setattr(figure_maker, name, said.append)
    return said


def words(content):
    root = ET.fromstring(content)
    return [(text.text or "").strip() for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_an_svg_names_the_case_the_planes_the_contours_and_the_scores(maker):
    found = words(drawn(figure_of(maker.gathered()), "svg", dpi=300))
    assert "case-07" in found
    assert "ceT1, sagittal, slice 3 of 6, R 2 mm" in found
    assert "T2, sagittal, slice 3 of 6, R 2 mm" in found
    # 200 voxels of 4 x 0.9 x 0.8 mm; my mask is the half of them.
    assert "Reference: 0.58 mL" in found
    assert "My mask: 0.29 mL, Dice 0.67" in found
    assert "Research software, not a medical device." in found
    assert [found.count(letter) for letter in "APHF"] == [2, 2, 2, 2]
    assert "5 mm" in found


def test_without_a_reference_there_are_volumes_and_no_scores(viewer, maker):
    viewer.layers.remove(viewer.layers["reference"])
    found = words(drawn(figure_of(maker.gathered()), "svg", dpi=300))
    assert "My mask: 0.29 mL" in found
    assert not [text for text in found if "Dice" in text]


def test_the_words_follow_the_language(maker):
    set_language("de")
    try:
        found = words(drawn(figure_of(maker.gathered()), "svg", dpi=300))
    finally:
        set_language("en")
    assert any("0,29 mL" in text for text in found)


def test_contours_of_an_svg_are_lines_over_embedded_pixels(maker):
    content = drawn(figure_of(maker.gathered()), "svg", dpi=300).decode()
    assert content.count("data:image/png") == 2
    assert COLOURS[Role.LABELS] in content
    assert 'width="' in content
    assert "mm" in content.split("viewBox", maxsplit=1)[0]


def test_three_planes_give_three_panels(qtbot, maker, shown, three):
    three.switch(True)
    shown.screen.finish()
    gathered = maker.gathered()
    assert [panel.letters for panel in gathered.panels] == [tuple("APHF"), tuple("RLAP"), tuple("RLHF")]
    assert all(panel.caption.startswith("ceT1") for panel in gathered.panels)
    # One scale for all: mm of the patient on paper.
    figure = figure_of(gathered)
    assert figure.size.width() <= 1800


def test_the_part_that_the_canvas_shows_is_drawn(viewer, maker):
    whole = maker.gathered().panels[0].picture
    assert whole.grey.shape == (40, 36)
    viewer.scene.camera.zoom *= 4
    viewer.scene.camera.center = (0, viewer.dims.point[1], viewer.dims.point[2])
    part = maker.gathered().panels[0].picture
    assert part.grey.shape[0] < 30
    # The necrosis about the cross-hair is still there.
    assert part.contours


@pytest.mark.parametrize("filled", [False, True])
def test_a_cropped_contour_stays_in_the_picture_and_is_not_closed_at_its_border(viewer, shown, filled):
    set_filled(viewer.layers["reference"], filled)
    shown.layers.mine("case-07").visible = False
    picture = picture_of(shown.layers, viewer.layers["ceT1"], axis=0, number=2)
    # Rows 14 to 23 and columns 12 to 21 are inside: the crop begins in their middle.
    part = picture.cropped(QRect(17, 19, 10, 12))
    assert part.grey.shape == (12, 10)
    np.testing.assert_array_equal(part.grey, picture.grey[19:31, 17:27])
    (contour,) = part.contours
    box = contour.path.boundingRect()
    assert (box.left(), box.top(), box.right(), box.bottom()) == (0, 0, 5, 5)
    # An outline has two of the four sides; an area all.
    assert contour.path.length() == pytest.approx(20 if filled else 10)
    assert picture.cropped(QRect(0, 0, 5, 5)).contours == []


def test_a_picture_for_print_has_300_dots_an_inch(qtbot, maker, tmp_path, told):
    path = tmp_path / "figure.png"
    maker.write(maker.gathered(), path, dpi=300)
    qtbot.waitUntil(lambda: bool(told))
    assert "figure.png" in told[0]
    image = QImageReader(str(path)).read()
    assert image.dotsPerMeterX() == pytest.approx(300 / 0.0254, abs=1)
    width_mm = figure_of(maker.gathered()).size.width() / 10
    assert image.width() == pytest.approx(width_mm / 25.4 * 300, abs=1)
    assert [one.name for one in tmp_path.iterdir()] == ["figure.png"]


def test_contours_are_drawn_in_their_colours(maker):
    image = image_of(figure_of(maker.gathered()), 150)
    colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    assert {COLOURS[Role.LABELS], COLOURS[Role.REFERENCE]} <= colours


def test_a_folder_that_cannot_be_written_to_is_said_in_plain_words(qtbot, maker, tmp_path, told):
    (tmp_path / "file").write_text("")
    maker.write(maker.gathered(), tmp_path / "file" / "figure.png", dpi=120)
    qtbot.waitUntil(lambda: bool(told))
    assert "could not be written" in told[0]


def test_the_offered_name_holds_the_case_and_the_plane_only(maker, shown):
    assert maker.usual_path().name == "case-07_sagittal_3.png"
    turn_to(shown, 1)
    assert maker.usual_path().name.startswith("case-07_axial_")


@pytest.mark.parametrize(
    ("typed", "kind", "expected"),
    [
        ("a.png", 0, ("a.png", 300)),
        ("a", 1, ("a.png", 120)),
        ("a.svg", 0, ("a.svg", 300)),
        ("offered.png", 2, ("offered.svg", 300)),
        ("dr.x", 2, ("dr.x.svg", 300)),
    ],
)
def test_the_kind_of_file_follows_the_name_and_the_choice(monkeypatch, tmp_path, typed, kind, expected):
    def choose(_parent, _title, _start, kinds):
        return str(tmp_path / typed), kinds.split(";;")[kind]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    path, dpi = figure_maker.ask_file(None, tmp_path / "offered.png")
    assert (path.name, dpi) == expected


def test_giving_up_the_dialog_writes_nothing(monkeypatch, maker, told):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    maker.ask()
    assert not maker.is_busy
    assert told == []


def test_without_a_case_it_says_so(viewer, three, told):
    viewer.layers.clear()
    maker = FigureMaker(Workspace.of(viewer), three)
    maker.ask()
    assert "Open a case first" in told[0]
    maker.stop()


@pytest.mark.parametrize(("width_mm", "bar_mm"), [(180, 50), (60, 10), (20, 5), (2, 1)])
def test_the_scale_bar_is_round(width_mm, bar_mm):
    assert nice_length_mm(width_mm) == bar_mm


def test_a_line_of_the_ruler_is_drawn_with_its_length(viewer, maker):
    layer = viewer.layers["ceT1"]
    ends = [tuple(layer.data_to_world((2, row, 18))) for row in (10, 20)]

    class Measured:
        is_shown, length_mm = True, 9.0
        line = Line(plane=Plane(axis=0, number=2), start=ends[0], end=ends[1])

    maker.ruler = Measured()
    gathered = maker.gathered()
    (line,) = gathered.panels[0].lines
    assert (line.start.x(), line.start.y()) == pytest.approx((18.5, 10.5))
    assert (line.end.x(), line.end.y()) == pytest.approx((18.5, 20.5))
    assert words(drawn(figure_of(gathered), "svg", dpi=300)).count("9.0 mm") == 2
