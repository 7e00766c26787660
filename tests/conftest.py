"""What many tests share: a tiny grid, a tiny case on disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import settings
from pytestqt.qtbot import QtBot

from napari_necroseg.core.labels_folder import corrected_path
from napari_necroseg.core.language import set_language
from napari_necroseg.core.project.review import Review, write_review
from napari_necroseg.core.volume import Grid

# Two cores that are busy elsewhere make any deadline a lottery.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

# Working order (L, I, P), 4 mm slices, 0.9 x 0.8 mm in plane.
WORKING_AFFINE = np.array([[-4.0, 0, 0, 0], [0, 0, -0.8, 0], [0, -0.9, 0, 0], [0, 0, 0, 1]])


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show texts in English, whatever the language of the computer or of the test before."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    yield
    set_language("en")


@pytest.fixture(autouse=True)
def _data_of_nobody(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from what the program keeps for the person who runs them."""
    monkeypatch.setenv("NECROSEG_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("NECROSEG_CONFIG", str(tmp_path_factory.mktemp("config")))


class PatientBot(QtBot):
    """Waits for as long as a busy computer may take; what is met soon is waited for no longer."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = 60_000) -> None:  # noqa: N802
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = 60_000, **options: Any) -> Any:  # noqa: N802
        return super().waitSignal(signal, timeout=timeout, **options)


@pytest.fixture
def qtbot(qapp, request: pytest.FixtureRequest) -> PatientBot:
    return PatientBot(request)


@pytest.fixture
def make_grid() -> Callable[..., Grid]:
    """Make a working grid of a shape, 4 x 0.9 x 0.8 mm unless said otherwise."""

    def make(shape: tuple[int, int, int], affine: np.ndarray = WORKING_AFFINE) -> Grid:
        return Grid(shape, affine)

    return make


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write voxels as NIfTI with nibabel itself, and return the path."""

    def write(path: Path, voxels: np.ndarray, affine: np.ndarray = WORKING_AFFINE) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
        return path

    return write


@pytest.fixture
def sign_off() -> Callable[..., None]:
    """Sign off the mask of a case in a folder of labels, as it is now."""

    def sign(labels: Path, case: str, reader: str = "AB") -> None:
        mask = corrected_path(labels, case)
        write_review(labels, Review(case=case).signed_off(mask, reader=reader))

    return sign


@pytest.fixture
def write_case(write_image: Callable[..., Path]) -> Callable[..., Path]:
    """Write a small case folder: ceT1, T2 and a cube of necrosis that both sequences show."""

    def write(folder: Path, seed: int = 0, shape: tuple[int, int, int] = (6, 40, 36)) -> Path:
        generator = np.random.default_rng(seed)
        mask = np.zeros(shape, np.uint8)
        mask[2:4, 14:24, 12:22] = 1
        for name, contrast in (("ceT1", -60.0), ("T2", 80.0)):
            voxels = 100 + generator.normal(0, 10, shape) + contrast * mask
            write_image(folder / f"{name}.nii.gz", voxels.astype(np.int16))
        write_image(folder / "necrosis.nii.gz", mask)
        return folder

    return write
