"""From files to signed masks by mouse and keys in a real window: not one click more than promised."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.plan import make_plan
from napari_necroseg.core.project.known_models import LEAST_ITERATIONS
from napari_necroseg.core.training.train import train_planned

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def clicks(monkeypatch):
    """The benchmark, in its short form: one further case, and a short look."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("clicks", BENCHMARKS / "clicks.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "clicks", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FURTHER_CASES", 1)
    monkeypatch.setattr(module, "LOOK_S", 1.0)
    return module


@pytest.fixture
def folder_of_cases(tmp_path, write_case):
    """Three cases of different shapes, so that none is taken for another."""
    for number in range(1, 4):
        write_case(tmp_path / "cases" / f"case-{number}", seed=number, shape=(6, 40 + number, 36))
    return tmp_path / "cases"


@pytest.fixture
def model(tmp_path, folder_of_cases):
    """A model with just enough iterations to be offered, trained on these cases in a few seconds."""
    folders = sorted(folder_of_cases.iterdir())
    cohort = Cohort(
        cases=tuple(
            CaseFiles(
                name=folder.name,
                sequences={sequence: folder / f"{sequence}.nii.gz" for sequence in Sequence},
                reference=folder / "necrosis.nii.gz",
            )
            for folder in folders
        )
    )
    config = TrainConfig(
        steps=LEAST_ITERATIONS,
        batch_size=4,
        slices=32,
        patch_side=32,
        device="cpu",
        threads=1,
        precision="fp32",
    )
    config = config.changed(learning_rate=1e-2, learning_rate_decay=True, cross_entropy=1.0)
    plan = replace(make_plan(config, cohort), widths=(4, 6, 8))
    run = tmp_path / "elsewhere" / "model"
    for _ in train_planned(plan, cohort, run=run):
        pass
    return run


def test_five_clicks_to_a_first_mask_and_two_for_each_further_case(
    make_napari_viewer, tmp_path, clicks, folder_of_cases, model
):
    walks, menu_clicks = clicks.walk_all(
        folder_of_cases, model, work=tmp_path / "work", open_viewer=lambda: make_napari_viewer(show=True)
    )
    assert {walk.goal for walk in walks} == set(clicks.MOST_CLICKS)
    assert [walk for walk in walks if walk.clicks > clicks.MOST_CLICKS[walk.goal]] == []
    assert menu_clicks == 3
