"""Predictions that were not all made alike, and cases that the model knows, are told apart."""

import numpy as np

from napari_necroseg.core.scoring.mixed_settings import mixed_in_words
from napari_necroseg.core.scoring.scores import score_masks
from napari_necroseg.core.scoring.tables import wide_table


def test_a_case_predicted_at_another_threshold_is_named():
    usual = {"model": "good", "threshold": 0.5, "tta": True}
    records = {f"case-{number}": usual for number in range(1, 4)}
    assert mixed_in_words(records) == ()
    records["case-4"] = usual | {"threshold": 0.11}
    assert mixed_in_words(records) == (
        "case-4 was predicted with another setting (threshold 0.11) than 3 others (0.5).",
    )
    records["case-5"] = {}
    assert len(mixed_in_words(records)) == 1
    assert mixed_in_words({}) == ()


def test_the_last_column_of_the_cases_says_what_the_model_knew(make_grid):
    mask = np.ones((2, 3, 4), np.uint8)
    scores = dict.fromkeys(("a", "b", "c"), score_masks(mask, mask, make_grid((2, 3, 4)), tolerance_mm=2.0))
    header, *rows = wide_table(scores, known={"a": "image", "b": "no", "c": None}).splitlines()
    assert header.endswith(",trained_on")
    assert [row.rpartition(",")[2] for row in rows] == ["image", "no", ""]
    assert "trained_on" not in wide_table(scores)
