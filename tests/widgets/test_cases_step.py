"""The step Cases: from a drop or a folder to the first case, what is to be mended, and the last project."""

import shutil

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.project.remembered import read_remembered, remember, remember_project
from napari_necroseg.jobs import cases
from napari_necroseg.jobs.opening import Ask, Question
from napari_necroseg.widgets.cases import ask
from napari_necroseg.widgets.cases.drops import Drops
from napari_necroseg.widgets.panel.cases_step import CasesStep
from napari_necroseg.widgets.panel.header import Header
from napari_necroseg.widgets.shared import qt_parts


@pytest.fixture
def step(open_dock):
    return open_dock(CasesStep)


@pytest.fixture
def answers(monkeypatch):
    """Answer each question in turn; the returned lists are the questions that were asked and the answers."""
    asked, given = [], []

    def answer(_parent, question):
        asked.append(question)
        return given.pop(0)

    monkeypatch.setattr(ask, "ask", answer)
    return asked, given


@pytest.fixture
def moves(step):
    """Collect the steps that are asked for."""
    found = []
    step.cases.workspace.step_wanted.connect(found.append)
    return found


def wait_for(qtbot, step, name):
    workspace = step.cases.workspace
    qtbot.waitUntil(
        lambda: (
            workspace.case is not None
            and workspace.case.name == name
            and not step.cases.runner.is_busy
            and not workspace.screen.is_busy
            and set(workspace.states) == set(workspace.cohort.names)
        )
    )


def wait_for_notice(qtbot, step, text):
    qtbot.waitUntil(lambda: any(text in one.text for one in step.cases.notices.notices))


def row(step, name):
    table = step.cases.table
    (number,) = [n for n in range(table.rowCount()) if table.name_in(n) == name]
    return [table.cell(number, column).text() for column in range(table.columnCount())]


def test_nothing_is_open_at_first_and_the_main_button_opens_a_folder(
    qtbot, step, moves, cohort_table, monkeypatch
):
    main = step.main()
    assert main.text == "Open folder ..."
    assert not step.cases.opening.drop_area.isHidden()
    assert step.cases.opening.continue_button.isHidden()
    monkeypatch.setattr(qt_parts, "ask_folder", lambda *_, **__: cohort_table.parent)
    main.act()
    wait_for(qtbot, step, "a")
    assert moves == ["draw"]
    assert step.main().text == "Go on with a"
    assert step.cases.opening.drop_area.isHidden()


def test_the_table_tells_what_each_case_has(qtbot, step, cohort_table, sign_off):
    folder = cohort_table.parent
    for place in ("labels", "predictions/first"):
        (folder / place).mkdir(parents=True)
    shutil.copy(folder / "a" / "necrosis.nii.gz", folder / "labels" / "a.nii.gz")
    shutil.copy(folder / "b" / "necrosis.nii.gz", folder / "predictions" / "first" / "b.nii.gz")
    sign_off(folder / "labels", "a", reader="XY")
    (folder / "c" / "T2.nii.gz").write_bytes((folder / "c" / "T2.nii.gz").read_bytes()[:900])
    step.cases.open_folder(folder)
    wait_for(qtbot, step, "b")
    assert row(step, "a") == ["a", "✓", "✓", "✓", "–", "✓", "XY", "0.58"]
    assert row(step, "b")[4:] == ["✓", "–", "–", "(0.58)"]
    assert row(step, "c")[:4] == ["c", "✓", "✗", "–"]
    wait_for_notice(qtbot, step, "c: T2.nii.gz is truncated or damaged.")


def test_the_table_looks_again_when_files_have_changed(qtbot, step, cohort_table):
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    labels = cohort_table.parent / "labels"
    labels.mkdir(exist_ok=True)
    shutil.copy(cohort_table.parent / "b" / "necrosis.nii.gz", labels / "b.nii.gz")
    step.cases.workspace.files_changed.emit()
    qtbot.waitUntil(lambda: row(step, "b")[5] == "✓")


def test_a_row_opens_by_a_click_and_by_enter(qtbot, step, moves, cohort_table):
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    table = step.cases.table
    step.resize(420, 600)
    step.show()
    qtbot.waitUntil(lambda: table.visualItemRect(table.item(1, 0)).height() > 0)
    place = table.visualItemRect(table.item(1, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    wait_for(qtbot, step, "b")
    QTest.keyClick(table, Qt.Key.Key_Down)
    assert table.selected == "c"
    assert step.main().text == "Open c"
    step.cases.workspace.set_states(dict(step.cases.workspace.states))
    assert table.selected == "c"
    QTest.keyClick(table, Qt.Key.Key_Return)
    wait_for(qtbot, step, "c")
    assert moves == ["draw"] * 3
    table.chosen.emit("c")
    assert moves == ["draw"] * 4
    assert not step.cases.runner.is_busy


def test_a_new_case_is_offered_and_added_by_a_button(qtbot, step, cohort_table, write_case):
    before = cohort_table.read_text()
    write_case(cohort_table.parent / "new", 7)
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    wait_for_notice(qtbot, step, "1 new case in the folder: new")
    assert cohort_table.read_text() == before
    step.cases.notices.press("Add")
    qtbot.waitUntil(lambda: "new" in step.cases.workspace.cohort)
    assert step.cases.workspace.case.name == "a"
    assert step.cases.notices.notices == ()


def test_a_t1_is_used_as_ce_t1_by_a_button(qtbot, step, tmp_path, write_case):
    folder = write_case(tmp_path / "study" / "one")
    (folder / "ceT1.nii.gz").rename(folder / "T1.nii.gz")
    step.cases.open_folder(tmp_path / "study")
    wait_for_notice(qtbot, step, "one: no ceT1 image. T1.nii.gz might be it.")
    assert not len(step.cases.workspace.cohort)
    step.cases.notices.press("Use as ceT1")
    wait_for(qtbot, step, "one")
    assert step.cases.workspace.folder == tmp_path / "study"


def test_t2_is_chosen_by_a_button_and_the_open_case_is_read_anew(
    qtbot, step, viewer, cohort_table, monkeypatch
):
    cohort_table.write_text("case,ceT1,T2\na,a/ceT1.nii.gz,\nb,b/ceT1.nii.gz,b/T2.nii.gz\n")
    moved = cohort_table.parent / "second_echo.nii.gz"
    (cohort_table.parent / "a" / "T2.nii.gz").rename(moved)
    step.cases.open_folder(cohort_table.parent)
    wait_for_notice(qtbot, step, "a: no T2 image.")
    wait_for(qtbot, step, "a")
    assert "T2" not in viewer.layers
    monkeypatch.setattr(qt_parts, "ask_image", lambda *_, **__: moved)
    step.cases.notices.press("Choose T2 ...")
    qtbot.waitUntil(lambda: "T2" in viewer.layers and not step.cases.workspace.screen.is_busy)


def test_a_question_is_asked_and_the_answer_goes_on(qtbot, step, cohort_table, tmp_path, write_case, answers):
    asked, given = answers
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    other = write_case(tmp_path / "elsewhere" / "d", 4)
    given += [None, "join"]
    pair = (other / "ceT1.nii.gz", other / "T2.nii.gz")
    step.cases.workspace.paths_wanted.emit(pair)
    qtbot.waitUntil(lambda: step.cases.panel.message == "Nothing was opened.")
    assert step.cases.workspace.cohort.names == ("a", "b", "c")
    step.cases.workspace.paths_wanted.emit(pair)
    wait_for(qtbot, step, "d")
    assert [question.ask for question in asked] == [Ask.JOIN] * 2
    assert step.cases.workspace.cohort.names == ("a", "b", "c", "d")


def test_another_project_with_a_case_of_the_same_name_is_opened(qtbot, step, cohort_table, other_cohort):
    step.cases.open_table(cohort_table)
    wait_for(qtbot, step, "a")
    step.cases.open_table(other_cohort)
    qtbot.waitUntil(lambda: step.cases.workspace.case_folder == other_cohort.parent)
    wait_for(qtbot, step, "a")


def test_who_stays_with_a_drawing_stays_in_the_project(
    qtbot, step, viewer, cohort_table, other_cohort, answer
):
    step.cases.open_table(cohort_table)
    wait_for(qtbot, step, "a")
    answer("cancel")
    step.cases.new_mask()
    viewer.layers["my mask"].paint((1, 3, 3), 1)
    with qtbot.waitSignal(step.cases.runner.finished):
        step.cases.open_table(other_cohort)
    assert step.cases.workspace.cohort_path == cohort_table
    assert step.cases.workspace.case_folder == cohort_table.parent
    assert not step.cases.runner.is_busy


def test_a_project_whose_first_case_fails_gives_way_to_the_one_before(
    qtbot, step, cohort_table, other_cohort, monkeypatch
):
    step.cases.open_table(cohort_table)
    wait_for(qtbot, step, "a")

    def fails(*_, **__):
        yield from ()
        raise FileError("It cannot be read.")

    monkeypatch.setattr(cases, "open_case", fails)
    with qtbot.waitSignal(step.cases.runner.failed):
        step.cases.open_table(other_cohort)
    assert step.cases.workspace.cohort_path == cohort_table
    assert step.cases.workspace.folder == step.cases.workspace.case_folder


def test_a_project_begins_with_a_case_that_can_be_read(qtbot, step, cohort_table):
    t2 = cohort_table.parent / "a" / "T2.nii.gz"
    t2.write_bytes(t2.read_bytes()[:900])
    step.cases.open_table(cohort_table)
    wait_for(qtbot, step, "b")


def test_every_question_has_words_and_labels(tmp_path):
    values = {"sequence": "T2", "names": ("one", "other"), "covered": 0.25, "project": "study"}
    paths = (tmp_path / "x.nii.gz",)
    for kind in Ask:
        if kind is not Ask.PLACE:
            text, more = ask.in_words(Question(ask=kind, case="a", paths=paths, values=values))
            assert text.endswith(("?", "."))
            assert "{" not in text + more


def test_the_last_project_is_offered_and_opened_where_it_was_left(qtbot, open_dock, cohort_table):
    remember_project(cohort_table.parent, "b")
    remember(step="model")
    step = open_dock(CasesStep)
    moves = []
    step.cases.workspace.step_wanted.connect(moves.append)
    assert step.cases.opening.continue_button.isHidden()
    main = step.main()
    assert main.text == "Continue with study, b"
    assert step.cases.workspace.case is None
    main.act()
    assert (step.main().text, step.main().act) == ("One moment ...", None)
    wait_for(qtbot, step, "b")
    assert moves == ["model"]


def test_the_open_project_and_case_are_remembered(qtbot, step, cohort_table):
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    step.cases.open_case("c")
    wait_for(qtbot, step, "c")
    qtbot.waitUntil(lambda: [one.case for one in read_remembered().projects] == ["c"])
    assert read_remembered().projects[0].folder == cohort_table.parent


def test_the_header_lists_the_last_projects_and_marks_the_cases(qtbot, step, cohort_table, tmp_path):
    workspace = step.cases.workspace
    header = Header(workspace)
    qtbot.addWidget(header)
    remember_project(tmp_path / "earlier")
    labels = cohort_table.parent / "labels"
    labels.mkdir()
    shutil.copy(cohort_table.parent / "b" / "necrosis.nii.gz", labels / "b.nii.gz")
    step.cases.open_folder(cohort_table.parent)
    wait_for(qtbot, step, "a")
    assert header.project.text() == "study"
    assert [header.case.itemText(n).split() for n in range(3)] == [["a"], ["✎", "b"], ["c"]]
    header.step(1)
    wait_for(qtbot, step, "b")
    assert header.place.text() == "2 of 3"
    qtbot.waitUntil(lambda: len(read_remembered().projects) == 2)
    header.fill_menu()
    texts = [action.text() for action in header.menu.actions() if action.text()]
    assert texts == ["Open folder ...", "study", "earlier", "Clear the list"]
    header.menu.actions()[-1].trigger()
    assert read_remembered().projects == ()


def dropped(kind, paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where, action = QPointF(5, 5), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    if kind is QDragEnterEvent:
        where = where.toPoint()
    return mime, kind(where, action, mime, buttons, keys)


def test_a_folder_dropped_on_the_window_opens_and_other_files_pass(qtbot, step, cohort_table, tmp_path):
    window, reached = QWidget(), []
    qtbot.addWidget(window)

    class Viewer(QWidget):
        def dragEnterEvent(self, event):  # noqa: N802  # Qt's name
            event.accept()

        def dropEvent(self, event):  # noqa: N802  # Qt's name
            reached.append(event.mimeData().urls())

    inner = Viewer(window)
    inner.setAcceptDrops(True)
    drops = Drops(window, step.cases.workspace)
    assert drops.parent() is window
    script = tmp_path / "a.py"
    script.write_text("")
    for kind in (QDragEnterEvent, QDropEvent):
        mime, event = dropped(kind, [script])
        QApplication.sendEvent(inner, event)
    assert len(reached) == 1
    for kind in (QDragEnterEvent, QDropEvent):
        mime, event = dropped(kind, [cohort_table.parent])
        QApplication.sendEvent(inner, event)
        assert event.isAccepted()
    assert mime.hasUrls()
    assert len(reached) == 1
    wait_for(qtbot, step, "a")


def test_of_two_docks_one_opens_and_after_it_is_closed_the_other(qtbot, step, open_dock, cohort_table):
    from napari_necroseg.widgets.cases.dock import Cases

    dock = open_dock(Cases)
    step.cases.workspace.paths_wanted.emit((cohort_table.parent,))
    assert (step.cases.runner.is_busy, dock.runner.is_busy) == (True, False)
    wait_for(qtbot, step, "a")
    step.shut_down()
    step.cases.workspace.case_wanted.emit("b")
    assert (step.cases.runner.is_busy, dock.runner.is_busy) == (False, True)
    qtbot.waitUntil(lambda: dock.workspace.case.name == "b" and not dock.workspace.screen.is_busy)
