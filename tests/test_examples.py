"""The scripts in examples/ run, on tiny cases."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"score_two_masks", "headless_study", "viewer_with_a_pair"}


def test_scoring_two_masks(tmp_path: Path, write_case: Callable[..., Path]) -> None:
    mask = write_case(tmp_path) / "necrosis.nii.gz"
    assert example("score_two_masks").main(mask, mask).dice == 1


def test_a_headless_study_of_a_folder(
    tmp_path: Path, write_case: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        write_case(tmp_path / f"case-{number}", seed=number)
    summary = example("headless_study").main(tmp_path, minutes=0.05)
    assert summary.scored + summary.missed == 1
    assert (tmp_path / "predictions" / "example" / "case-2.nii.gz").exists()
    assert "Finished" in capsys.readouterr().out


def test_a_viewer_with_a_pair(
    tmp_path: Path,
    write_case: Callable[..., Path],
    make_napari_viewer: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write_case(tmp_path)
    module = example("viewer_with_a_pair")
    monkeypatch.setattr(module.napari, "Viewer", make_napari_viewer)
    viewer = module.main(folder / "ceT1.nii.gz", folder / "T2.nii.gz")
    assert {layer.name for layer in viewer.layers} == {"ceT1", "T2"}
    assert viewer.canvas.grid.enabled
