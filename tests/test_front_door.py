"""What ``import napari_necroseg`` gives, and what it costs."""

import subprocess
import sys

import pytest

import napari_necroseg

PUBLIC = {
    "Case", "Cohort", "Grid", "PredictConfig", "Sequence", "StudyConfig", "TrainConfig", "Volume",
    "draw_samples", "find_cases", "load_case", "load_model", "predict", "predict_cohort", "read_cohort",
    "run", "run_study", "save_mask",
    "score_files", "score_masks", "train", "train_preset",
}  # fmt: skip
HEAVY = ("torch", "napari", "nibabel", "numpy", "scipy", "qtpy", "pydantic")


def test_only_the_public_names_are_listed() -> None:
    assert set(dir(napari_necroseg)) == set(napari_necroseg.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_name_is_there_and_explained(name: str) -> None:
    value = getattr(napari_necroseg, name)
    assert value.__name__ == name
    assert value.__doc__


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="segment"):
        napari_necroseg.segment  # noqa: B018


def test_the_import_alone_loads_nothing_heavy() -> None:
    program = f"import sys, napari_necroseg; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
