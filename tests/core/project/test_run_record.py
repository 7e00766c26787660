"""A model's record as a file: what it says, and nothing where it cannot be read."""

import json

import pytest

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.project.model_folder import read_run_record, trained_config


def test_the_choices_of_a_training_come_back(tmp_path) -> None:
    config = train_preset("fast", "3d").changed(seed=5)
    (tmp_path / "run.json").write_text(json.dumps({"config": config.model_dump(mode="json"), "cases": ["a"]}))
    assert read_run_record(tmp_path)["cases"] == ["a"]
    assert trained_config(tmp_path) == config


@pytest.mark.parametrize(
    "text",
    [
        None,
        "not json",
        "[1]",
        "[" * 100_000,
        '{"config": {"dimension": "4d"}}',
        '{"config": 3}',
        json.dumps({"config": train_preset("fast").model_dump(mode="json")}) + " " * 10_000_000,
    ],
    ids=["absent", "no JSON", "a list", "deep", "unknown choice", "no choices", "too large"],
)
def test_what_cannot_be_read_says_nothing(tmp_path, text) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    assert trained_config(tmp_path) is None
