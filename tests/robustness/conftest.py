"""A project to break, the real command in this process, and a disk that fails where a test says so."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from napari_necroseg.cli import main
from napari_necroseg.core import files

WRITTEN = Path(__file__).parents[1] / "data" / "written_by_0.1.0"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


Command = Callable[..., Ended]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Cases, models, predictions and a study, to be written into."""
    return Path(shutil.copytree(WRITTEN, tmp_path / "project"))


@pytest.fixture(scope="module")
def same_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for tests that change nothing."""
    return Path(shutil.copytree(WRITTEN, tmp_path_factory.mktemp("same") / "project"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process; what it does not say itself is an error of the test."""

    def run(*words: object) -> Ended:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return run


class Faults:
    """Lets the disk refuse a method for paths that contain a text."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def refuse(self, method: str, number: int, *, where: str = "", winerror: int = 0) -> None:
        known = getattr(files.disk, method)

        def refusing(*arguments: Any) -> Any:
            names = [
                str(one) if isinstance(one, Path) else str(getattr(one, "name", one)) for one in arguments
            ]
            if any(where in name for name in names):
                error = OSError(number, os.strerror(number), names[0])
                if winerror:
                    error.winerror = winerror
                raise error
            return known(*arguments)

        self._monkeypatch.setattr(files.disk, method, refusing)

    def full(self, where: str = "") -> None:
        self.refuse("write", errno.ENOSPC, where=where)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)
