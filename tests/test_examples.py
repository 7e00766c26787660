"""The scripts in examples/ run as they stand, on tiny cases."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_necroseg import read_cohort, run
from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.images.read import read_mask

EXAMPLES = Path(__file__).parents[1] / "examples"
TESTED = {"augmentation", "correction", "geometry", "headless_study", "prediction", "scoring", "training"}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Runs a script by its name, with its arguments, in the temporary folder."""
    monkeypatch.chdir(tmp_path)

    def run_example(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")

    return run_example


@pytest.fixture
def study(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    """A project of two cases."""
    folder = tmp_path / "my-study"
    for number in (1, 2):
        write_case(folder / f"case-{number}", seed=number)
    run(prepare(folder))
    return folder


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == TESTED


def test_geometry(example, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("geometry", study / "case-1")
    assert "(6, 40, 36) voxels of" in capsys.readouterr().out
    assert read_mask(tmp_path / "bright.nii.gz").volume.voxels.any()


def test_augmentation(example, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("augmentation", study / "case-1")
    assert capsys.readouterr().out.count("(2, 64, 128, 128)") == 2


def test_from_training_to_scores(
    example, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example("training", study, 0.05)
    assert "Not learned from: case-2" in capsys.readouterr().out
    example("prediction", study / "models" / "example", study / "case-2")
    prediction = tmp_path / "case-2_prediction.nii.gz"
    assert (
        f"{read_mask(prediction).volume.voxels.sum() * 4 * 0.9 * 0.8 / 1000:.2f} mL"
        in capsys.readouterr().out
    )
    case = study / "case-2"
    example("scoring", case / "ceT1.nii.gz", case / "necrosis.nii.gz", case / "necrosis.nii.gz")
    assert "Dice 1.000" in capsys.readouterr().out


def test_a_study_in_fifteen_lines(example, study: Path) -> None:
    assert len((EXAMPLES / "headless_study.py").read_text(encoding="utf-8").splitlines()) <= 15
    example("headless_study", study, 0.02)
    assert (study / "study" / "first" / "report.html").exists()
    assert read_cohort(study).names == ("case-1", "case-2")


def test_correction(
    example,
    study: Path,
    make_napari_viewer: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import napari

    viewer = make_napari_viewer()
    monkeypatch.setattr(napari, "Viewer", lambda: viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    example("correction", study / "case-1" / "ceT1.nii.gz", study / "case-1" / "T2.nii.gz")
    assert [layer.name for layer in viewer.layers] == ["ceT1", "T2"]
    assert {"Cases", "Correct"} <= {name.split(" (")[0] for name in viewer.window.dock_widgets}
