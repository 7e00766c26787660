"""A cohort of tiny cases on disk, and a plan small enough to train in a second."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

import nibabel
import numpy as np
import pytest

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.plan import Plan, make_plan
from napari_necroseg.core.training.train import train_planned

# Working order (L, I, P) with slices 4 mm apart: the files need no reordering.
AFFINE = np.array([[-4.0, 0, 0, 10], [0, 0, -1.0, 20], [0, -1.0, 0, 30], [0, 0, 0, 1]])


def write_case(folder: Path, name: str, *, seed: int, shape: tuple[int, int, int] = (5, 24, 28)) -> CaseFiles:
    """A bright block (the necrosis) on noise; T2 shows it dark."""
    generator = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    row, column = generator.integers(3, 10, size=2)
    mask[1:4, row : row + 8, column : column + 9] = 1
    inside = mask.astype(float)
    images = {
        Sequence.CET1: 100 + 60 * inside + generator.normal(0, 5, shape),
        Sequence.T2: 300 - 90 * inside + generator.normal(0, 9, shape),
    }
    paths = {sequence: folder / name / f"{sequence}.nii.gz" for sequence in images}
    (folder / name).mkdir(parents=True)
    for sequence, voxels in images.items():
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), AFFINE), paths[sequence])
    reference = folder / name / "necrosis.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), reference)
    return CaseFiles(name=name, sequences=paths, reference=reference)


def write_cohort(folder: Path) -> Cohort:
    return Cohort(cases=tuple(write_case(folder, f"case-{n}", seed=n) for n in range(3)))


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """A cohort that the test may damage."""
    return write_cohort(tmp_path / "cases")


class PlanTiny(Protocol):
    def __call__(self, cohort: Cohort, **choices: object) -> Plan: ...


@pytest.fixture(scope="session")
def plan_tiny() -> PlanTiny:
    """Make plans of a few small steps; in fp32, so that they compute the same on every processor."""

    def make(cohort: Cohort, **choices: object) -> Plan:
        usual = {"steps": 3, "batch_size": 4, "precision": "fp32", "device": "cpu", "threads": 1}
        config = TrainConfig.checked(**(usual | choices))
        plan = make_plan(config, cohort)
        return replace(plan, patch_shape=(8, 16, 16), widths=(4, 6, 8))

    return make


@pytest.fixture(scope="session")
def trained_run(plan_tiny: PlanTiny, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train once a kind of network on the cohort that `cohort` writes; for tests that only read the run."""

    @cache
    def train_once(dimension: str, whitening: str = "patch") -> Path:
        folder = tmp_path_factory.mktemp(dimension)
        cases = write_cohort(folder / "cases")
        # As in the preset that whitens volumes: some patches show what is beside the target.
        share = 1.0 if whitening == "patch" else 0.67
        choices = {"dimension": dimension, "whitening": whitening, "target_share": share}
        # At a constant rate the last step decides how good it is, and rounding decides the last step.
        choices |= {"learning_rate": 1e-2, "learning_rate_decay": True}
        plan = plan_tiny(cases, steps=120, batch_size=8, **choices)
        for _ in train_planned(plan, cases, run=folder / "run"):
            pass
        return folder / "run"

    return train_once
