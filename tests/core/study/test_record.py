"""Files of a study that others wrote, or that were edited: each mistake in plain words."""

import json
from pathlib import Path

import pytest

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.study.record import read_states, read_study
from napari_necroseg.core.study.results import read_results
from written_studies import make_record, make_scores, result, write_study

ONE = "2d:ceT1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record = make_record({"a": ("a", 1), "b": ("b", 2)}, configurations=(ONE,), folds=2)
    return write_study(tmp_path, record, [result(ONE, "a", make_scores(0.5))])


def test_a_table_comes_back_as_it_was(folder: Path) -> None:
    (one,) = read_results(folder / "scores.csv")
    assert one == result(ONE, "a", make_scores(0.5))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("2d:ceT1", "5d:ceT1"),
        ("lesions_extra,native,0", "lesions_extra,native,inf"),
        ("dice,native", "dice,elsewhere"),
        ("dice,native,0.5", "dice,native,half"),
        ("configuration,", "config,"),
    ],
)
def test_a_damaged_table_is_told(folder: Path, was: str, now: str) -> None:
    path = folder / "scores.csv"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, now))
    with pytest.raises(FileError, match="no table of scores of a study"):
        read_results(path)


def test_a_run_of_no_configuration_is_told(folder: Path) -> None:
    (path,) = (folder / "runs").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"configuration": "5d:foo"}))
    with pytest.raises(FileError, match="damaged or of another version"):
        read_states(folder)


def test_a_record_of_another_version_is_told(folder: Path) -> None:
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 2}))
    with pytest.raises(FileError, match=r"another version \(format_version"):
        read_study(folder)
