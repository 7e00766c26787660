"""A real program in which somebody draws is killed in the middle of a stroke, or quit: nothing is lost."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.labels_folder import corrected_path
from napari_necroseg.core.project.journal_folder import JournalFolder

PROGRAM = Path(__file__).with_name("drawing_program.py")


@pytest.fixture
def folder(cohort_table) -> JournalFolder:
    case = load_case(read_cohort(cohort_table)["a"])
    return JournalFolder.of_project(cohort_table.parent / "labels", "a", grid=case.grid)


def start(cohort_table: Path, expected: Path, how: str) -> subprocess.Popen:
    command = [sys.executable, str(PROGRAM), str(cohort_table), str(expected), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_program_that_is_killed_in_the_middle_of_a_stroke(folder, cohort_table, tmp_path) -> None:
    expected = tmp_path / "expected.npy"
    said = []
    with start(cohort_table, expected, "kill") as process:
        for line in process.stdout:
            said.append(line.split())
            if line.startswith("held"):
                process.kill()
                break
        assert said, process.stderr.read()
    assert [int(words[-2]) for words in said] == sorted({int(words[-2]) for words in said})
    assert said[-1][-1] == "2"
    (kept,) = folder.kept()
    journal, found = folder.take_back(kept.path)
    journal.close()
    np.testing.assert_array_equal(found.voxels, np.load(expected) != 0)


@pytest.mark.parametrize("how", ["later", "save"])
def test_a_program_that_is_quit_by_ctrl_q_twice_asks_and_keeps(folder, cohort_table, tmp_path, how) -> None:
    expected = tmp_path / "expected.npy"
    with start(cohort_table, expected, how) as process:
        out, errors = process.communicate(timeout=120)
    assert "asked: Not saved yet: my mask." in out, errors
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    drawn = np.load(expected) != 0
    assert drawn.any()
    if how == "save":
        np.testing.assert_array_equal(folder.saved(), drawn)
        assert folder.kept() == ()
    else:
        assert not corrected_path(folder.labels, "a").exists()
        (kept,) = folder.kept()
        journal, found = folder.take_back(kept.path)
        journal.close()
        np.testing.assert_array_equal(found.voxels, drawn)
