"""Which cases a figure shows, from which slice, and what is drawn."""

import math

import numpy as np
import pytest

from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.display import PREDICTION_COLOUR, REFERENCE_COLOUR
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.study.report.figures import MARGIN_MM, box_plots, choose, figure_4, read_example
from napari_necroseg.core.study.report.findings import find
from napari_necroseg.core.study.results import outcomes_of
from written_studies import make_record, make_scores, result, write_dice, write_examples

ONE, T2, BOTH = map(Configuration, ("2d:ceT1", "2d:T2", "2d:ceT1+T2"))


def outcomes_from(dice):
    names = {case for cases in dice.values() for case in cases}
    record = make_record({name: (name, 1) for name in names}, configurations=tuple(dice))
    return outcomes_of(
        record,
        [result(name, case, make_scores(one)) for name, cases in dice.items() for case, one in cases.items()],
    )


def test_cases_are_ranked_by_the_network_that_sees_both() -> None:
    choice = choose(
        outcomes_from(
            {
                ONE: {"a": 0.9, "b": 0.1, "c": 0.1, "d": 0.1, "only here": 1.0},
                BOTH: {"a": 0.2, "b": 0.8, "c": 0.4, "d": 0.6},
            }
        ),
        "2d",
    )
    # By the one with both: b, d, c, a; of four, the better of the middle two.
    assert dict(choice.cases) == {"best": "b", "median": "d", "worst": "a"}
    assert "Of 4 cases" in choice.rule
    assert "2D ceT1+T2" in choice.rule


def test_without_it_the_mean_ranks_and_names_decide_between_equal_ones() -> None:
    choice = choose(
        outcomes_from({ONE: {"c": 0.5, "b": 0.9, "a": 0.5}, T2: {"c": 0.5, "b": 0.1, "a": 0.5}}), "2d"
    )
    assert dict(choice.cases) == {"best": "a", "median": "b", "worst": "c"}


def test_few_cases_have_fewer_rows_and_none_in_common_has_no_figure() -> None:
    assert dict(choose(outcomes_from({ONE: {"a": 0.5}}), "2d").cases) == {"best": "a"}
    two = choose(outcomes_from({ONE: {"a": 0.5, "b": 0.6}}), "2d")
    assert dict(two.cases) == {"best": "b", "worst": "a"}
    assert choose(outcomes_from({ONE: {"a": 0.5}, T2: {"b": 0.5}}), "2d") is None


@pytest.fixture
def study(tmp_path, write_case):
    names = ("a", "b", "c")
    dice = dict(zip(names, (1.0, 0.9, 0.8), strict=True))
    folder = write_dice(tmp_path / "s", {ONE: {0: dice}, T2: {0: dice}})
    write_examples(folder, write_case, names, ("2d-ceT1_seed-0", "2d-T2_seed-0"))
    return folder


def example_of(folder, rank):
    findings = find(folder)
    choice = choose(findings.outcomes, "2d")
    cohort = read_cohort(folder / "cohort.csv")
    return read_example(findings, cohort, choice=choice, rank=rank)


def test_an_example_is_the_slice_with_most_of_the_reference_in_place(study) -> None:
    example = example_of(study, "worst")
    assert (example.case, example.slice_number) == ("c", 3)
    assert example.spacing_mm == pytest.approx((0.9, 0.8))
    assert set(example.images) == {"ceT1", "T2"}
    # The prediction is the reference two rows further down.
    assert np.array_equal(example.predictions[T2].mask, np.roll(example.reference, 2, axis=0))
    assert example.reference[14:24, 12:22].all()
    assert example.reference.sum() == 100
    assert example.predictions[T2].dice == 0.8


def test_a_prediction_that_is_gone_is_an_error_of_the_user(study) -> None:
    (study / "predictions" / "2d-T2_seed-0" / "a.nii.gz").unlink()
    with pytest.raises(NecrosegError, match=r"a\.nii\.gz"):
        example_of(study, "best")


def test_a_row_shows_both_images_then_each_result_with_its_dice(study) -> None:
    examples = [example_of(study, rank) for rank in ("best", "median", "worst")]
    figure = figure_4(examples, [ONE, T2])
    axes = np.array(figure.axes).reshape(3, 4)
    assert [panel.get_title() for panel in axes[0]] == ["ceT1", "T2", "2D ceT1", "2D T2"]
    assert [row[0].get_ylabel() for row in axes] == ["best\na", "median\nb", "worst\nc"]
    assert [row[3].texts[0].get_text() for row in axes] == ["100.0", "90.0", "80.0"]
    colours = [collection.get_edgecolor()[0] for collection in axes[2][2].collections]
    expected = [
        [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)] for text in (REFERENCE_COLOUR, PREDICTION_COLOUR)
    ]
    assert np.allclose([colour[:3] for colour in colours], expected)


def test_the_crop_is_a_square_in_millimetres_about_both_outlines(study) -> None:
    axes = figure_4([example_of(study, "worst")], [ONE, T2]).axes[0]
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    # Rows 14 to 25 of 0.9 mm are the longer side: 12 rows.
    assert bottom - top == pytest.approx(12 * 0.9 + 2 * MARGIN_MM)
    assert right - left == pytest.approx(bottom - top)
    assert (top + bottom) / 2 == pytest.approx(19.5 * 0.9)
    assert (left + right) / 2 == pytest.approx(16.5 * 0.8)
    assert axes.get_aspect() == 1.0


def test_outlines_lie_half_a_voxel_outside_the_outermost_centres(study) -> None:
    axes = figure_4([example_of(study, "best")], [ONE, T2]).axes[2]
    corners = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert corners.min(axis=0) == pytest.approx((11.5 * 0.8, 13.5 * 0.9))
    assert corners.max(axis=0) == pytest.approx((21.5 * 0.8, 23.5 * 0.9))


def test_a_name_is_no_formula_and_an_empty_prediction_is_said(study) -> None:
    from dataclasses import replace

    example = example_of(study, "best")
    empty = replace(example.predictions[ONE], mask=np.zeros_like(example.reference), dice=0.0)
    figure = figure_4([replace(example, case=r"$\frac", predictions={ONE: empty})], [ONE])
    figure.canvas.draw()
    assert figure.axes[2].texts[0].get_text() == "0.0\nnot in this slice"


def test_every_patient_is_a_point_of_the_box_plots() -> None:
    figure = box_plots(outcomes_from({ONE: {"a": 0.5, "b": 0.0, "c": 0.9}, BOTH: {"a": 1.0}}))
    dice, sensitivity = figure.axes
    points = [sorted(line.get_ydata()) for line in dice.lines if line.get_marker() == "o"]
    assert points == [pytest.approx([0.0, 50.0, 90.0]), pytest.approx([100.0])]
    assert [text.get_text() for text in dice.get_xticklabels()] == ["2D\nceT1\nn = 3", "2D\nceT1+T2\nn = 1"]
    assert sensitivity.get_ylabel() == "Sensitivity, %"
    medians = [line.get_ydata()[0] for line in dice.lines if line.get_linewidth() > 1.7]
    assert math.isclose(medians[0], 50.0)
