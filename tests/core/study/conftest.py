"""A tiny project, and the study of it done once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_study import run

from napari_necroseg.cli import main


@pytest.fixture
def project(tmp_path: Path, write_case: Callable[..., Path]) -> Path:
    """A folder with four cases and their table."""
    for number in range(1, 5):
        write_case(tmp_path / "project" / f"case-{number}", seed=number)
    assert main(["prepare", str(tmp_path / "project")]) == 0
    return tmp_path / "project"


_done: list[Path] = []


@pytest.fixture
def done(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the study done, which is computed once for all tests."""
    if not _done:
        run(project)
        _done.append(tmp_path_factory.mktemp("done") / "study")
        shutil.copytree(project / "study", _done[0])
    else:
        shutil.copytree(_done[0], project / "study")
    return project
