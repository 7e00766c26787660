"""What is remembered between two starts: kept by two windows, never in the way, never of the wrong person."""

import json
import os
import threading
from pathlib import Path

import platformdirs
import pytest

from napari_necroseg.core import files
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.files import CONFIG_VARIABLE, user_config_folder
from napari_necroseg.core.project.remembered import (
    FILE_NAME,
    MOST_PROJECTS,
    Remembered,
    forget,
    read_remembered,
    remember,
    remember_project,
)


def written() -> Path:
    return user_config_folder() / FILE_NAME


def test_the_tests_never_touch_what_the_person_who_runs_them_has():
    real = platformdirs.user_config_path("napari-necroseg", appauthor=False)
    assert real not in (user_config_folder(), *user_config_folder().parents)
    assert os.environ[CONFIG_VARIABLE]


def test_without_the_variable_it_is_in_the_config_folder_of_the_user(monkeypatch):
    monkeypatch.delenv(CONFIG_VARIABLE)
    assert user_config_folder() == platformdirs.user_config_path("napari-necroseg", appauthor=False)


def test_nothing_is_remembered_at_first_and_reading_writes_nothing():
    assert read_remembered() == Remembered()
    assert not written().exists()


def test_a_choice_is_there_at_the_next_start_and_the_others_are_as_before():
    remember(step="draw", brush_mm=2.5)
    remember(initials="AB")
    again = read_remembered()
    assert (again.step, again.brush_mm, again.initials, again.language) == ("draw", 2.5, "AB", "system")


def test_two_windows_each_keep_what_the_other_changed():
    names = [f"p{number}" for number in range(8)]
    threads = [threading.Thread(target=remember_project, args=(Path("/", name),)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.folder.name for one in read_remembered().projects) == names
    assert [one.name for one in written().parent.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'{"version": 1', b" " * 1_100_000]
)
def test_a_damaged_file_is_as_if_nothing_had_been_remembered_and_is_replaced(content):
    written().write_bytes(content)
    assert read_remembered() == Remembered()
    remember(step="model")
    assert read_remembered().step == "model"


def test_of_a_file_that_is_damaged_in_one_place_the_rest_is_kept():
    record = {"version": 2, "step": "draw", "brush_mm": -1, "initials": "much too long", "of the future": 1}
    written().write_text(json.dumps(record))
    assert read_remembered() == Remembered(step="draw")


def test_a_choice_that_is_no_value_is_refused_and_nothing_is_changed():
    remember(initials="AB")
    with pytest.raises(SettingsError, match="brush_mm"):
        remember(initials="CD", brush_mm=0.0)
    assert read_remembered().initials == "AB"


@pytest.mark.parametrize("fails", ["make_folder", "open", "write", "replace"])
def test_a_folder_or_a_disk_that_takes_nothing_is_no_error_and_leaves_what_was(monkeypatch, fails):
    remember(step="draw")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(files.disk, fails, refuse)
        assert remember(step="model").step == "model"
    assert read_remembered().step == "draw"
    assert [one.name for one in written().parent.iterdir()] == [FILE_NAME]


def test_a_file_in_place_of_the_folder_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "file"))
    assert remember(step="draw").step == "draw"
    assert remember_project(tmp_path).projects[0].folder == tmp_path
    forget()
    assert read_remembered() == Remembered()


def test_the_folder_is_made_when_there_is_something_to_remember(monkeypatch, tmp_path):
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "new" / "one"))
    remember(step="draw")
    assert read_remembered().step == "draw"


def test_the_newest_project_comes_first_once_with_its_case():
    remember_project(Path("/a"), "case-1")
    remember_project(Path("/b"))
    remember_project(Path("/a"))
    found = read_remembered().projects
    assert [(one.folder, one.case) for one in found] == [(Path("/a"), "case-1"), (Path("/b"), "")]


def test_only_so_many_projects_are_kept():
    for number in range(MOST_PROJECTS + 3):
        remember_project(Path(f"/{number}"))
    found = [one.folder.name for one in read_remembered().projects]
    assert found == [str(number) for number in reversed(range(3, MOST_PROJECTS + 3))]


def test_a_project_is_found_again_from_another_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    remember_project(Path("cases"))
    assert read_remembered().projects[0].folder == tmp_path / "cases"


def test_only_names_of_folders_and_choices_are_in_the_file():
    remember_project(Path("/study"), "case-1")
    assert set(json.loads(written().read_text())) == set(Remembered.model_fields)


def test_it_can_be_cleared_twice():
    remember_project(Path("/study"))
    forget()
    forget()
    assert read_remembered() == Remembered()
    assert not written().exists()
