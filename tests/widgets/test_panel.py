"""The panel's frame: its steps and main button, its jobs, how it is closed and opened, and walked by keys."""

import gc
import weakref

import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QMainWindow, QWidget

from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.panel.dock import STEPS, Panel
from napari_necroseg.widgets.panel.step import MainAction
from napari_necroseg.widgets.shared.worker import JobRunner


@pytest.fixture
def panel(qtbot, viewer):
    """A panel whose steps are all built, but that for researchers."""
    made = Panel(viewer)
    qtbot.addWidget(made, before_close_func=stop_jobs(qtbot))
    qtbot.waitUntil(lambda: not made._builder.is_busy)
    return made


def stop_jobs(qtbot):
    def stop(panel):
        panel.shut_down()
        qtbot.waitUntil(lambda: not any(runner.is_busy for runner in panel.findChildren(JobRunner)))

    return stop


def press_tab(panel, name):
    panel._tabs.button(STEPS.index(name)).click()


def test_the_steps_are_built_one_by_one_while_the_window_lives(qtbot, viewer):
    panel = Panel(viewer)
    qtbot.addWidget(panel, before_close_func=stop_jobs(qtbot))
    assert list(panel.steps) == []
    qtbot.waitUntil(lambda: list(panel.steps) == ["cases", "draw", "model"])


def test_a_step_that_is_asked_for_early_is_there_at_once_and_is_built_once(qtbot, viewer):
    panel = Panel(viewer)
    qtbot.addWidget(panel, before_close_func=stop_jobs(qtbot))
    panel.show_step("model")
    model = panel.steps["model"]
    qtbot.waitUntil(lambda: not panel._builder.is_busy)
    assert panel.step == "model"
    assert panel.steps["model"] is model
    assert panel.findChildren(type(model)) == [model]


def test_a_panel_that_is_closed_while_it_is_built_stops_and_goes_on_when_it_is_opened_again(qtbot, viewer):
    panel = Panel(viewer)
    qtbot.addWidget(panel, before_close_func=stop_jobs(qtbot))
    qtbot.waitUntil(lambda: "cases" in panel.steps)
    panel.shut_down()
    built = list(panel.steps)
    qtbot.wait(100)
    assert list(panel.steps) == built
    panel.reopen()
    qtbot.waitUntil(lambda: list(panel.steps) == ["cases", "draw", "model"])
    assert not any(parts.is_shut for step in panel.steps.values() for parts in step.parts)


def test_its_tabs_show_the_steps_and_the_chosen_one_is_remembered(panel):
    for name in ("draw", "model", "researchers", "cases"):
        press_tab(panel, name)
        assert panel.step == name
        assert panel._tabs.checkedId() == STEPS.index(name)
        assert read_remembered().step == name


def test_a_step_that_the_program_shows_is_not_taken_for_a_choice(panel):
    remember(step="model")
    panel.workspace.step_wanted.emit("draw")
    assert panel.step == "draw"
    assert read_remembered().step == "model"


def test_the_main_button_is_that_of_the_step_and_follows_its_changes(panel, monkeypatch):
    panel.show_step("draw")
    step, done = panel.steps["draw"], []
    action = MainAction(text="Go", help="Goes.", act=lambda: done.append(1))
    monkeypatch.setattr(step, "main", lambda: action)
    step.changed.emit()
    assert (panel.main_button.text(), panel.main_button.toolTip()) == ("Go", "Goes.\nKey: Ctrl+Enter")
    assert panel.main_button.shortcut().toString() == "Ctrl+Return"
    panel.main_button.click()
    assert done == [1]
    action = MainAction(text="Wait", help="Not now.")
    step.changed.emit()
    assert not panel.main_button.isEnabled()
    monkeypatch.setattr(step, "main", lambda: None)
    step.changed.emit()
    assert panel.main_button.isHidden()


def test_a_step_that_is_not_shown_does_not_change_the_main_button(panel, monkeypatch):
    panel.show_step("cases")
    before = panel.main_button.text()
    monkeypatch.setattr(panel.steps["draw"], "main", lambda: MainAction(text="Go", help="Goes."))
    panel.steps["draw"].changed.emit()
    assert panel.main_button.text() == before


def test_the_main_button_and_the_header_stand_outside_of_what_scrolls(panel):
    panel.resize(panel.minimumSizeHint())
    panel.show()
    for name in STEPS:
        panel.show_step(name)
        QApplication.processEvents()
        for widget in (panel.header, panel.status, panel.main_button):
            assert panel.rect().contains(widget.geometry()), name


def test_a_job_of_any_step_is_seen_whichever_step_is_shown(qtbot, panel, steered_job):
    job, parts = steered_job(), panel.steps["cases"].parts[0]
    panel.show()
    panel.show_step("model")
    parts.panel.run(job, "Working ...")
    qtbot.waitUntil(parts.panel.isVisible)
    job.go_on.set()
    qtbot.waitUntil(lambda: not parts.runner.is_busy)


def test_closing_the_panel_ends_the_jobs_of_all_its_steps(qtbot, viewer, steered_job):
    panel, home = Panel(viewer), QMainWindow()
    qtbot.addWidget(home)
    panel.setParent(home)
    qtbot.waitUntil(lambda: not panel._builder.is_busy)
    parts = [one for step in panel.steps.values() for one in step.parts]
    jobs = [steered_job() for _ in parts]
    for one, job in zip(parts, jobs, strict=True):
        qtbot.waitUntil(lambda one=one: not one.runner.is_busy)
        one.panel.run(job, "Working ...")
    panel.setParent(None)
    for job in jobs:
        qtbot.waitUntil(job.was_closed.is_set)
    qtbot.waitUntil(lambda: not any(one.runner.is_busy for one in parts))
    assert all(one.is_shut for one in parts)


def test_a_closed_panel_hears_nothing_and_an_opened_one_again(panel):
    panel.shut_down()
    panel.workspace.step_wanted.emit("draw")
    assert panel.step == "cases"
    panel.reopen()
    panel.workspace.step_wanted.emit("draw")
    assert panel.step == "draw"


def test_the_panel_goes_with_its_window(qtbot, viewer):
    home = QMainWindow()
    panel = Panel(viewer)
    panel.setParent(home)
    panel.show_step("cases")
    steps, gone = panel.steps, weakref.ref(panel)
    home.deleteLater()
    QApplication.sendPostedEvents(home, QEvent.Type.DeferredDelete)
    del panel
    qtbot.wait(50)
    assert list(steps) == ["cases"]
    del steps
    gc.collect()
    assert gone() is None


def test_the_keyboard_reaches_header_tabs_step_and_main_button_in_this_order(qtbot, panel):
    panel.show()
    panel.show_step("cases")
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    order = reached_by_tab(panel)
    tabs, button = panel._tabs.button(0), panel.main_button
    places = [first(order, part) for part in (panel.header, tabs, panel.steps["cases"], button)]
    assert places == sorted(places)
    assert sum(widget is button for widget in order) == 1


def reached_by_tab(panel) -> list[QWidget]:
    """Press the tab key until the focus comes round."""
    panel.setFocus()
    order: list[QWidget] = []
    while True:
        QTest.keyClick(QApplication.focusWidget() or panel, Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now in order:
            return order
        order.append(now)


def first(order, part) -> int:
    return next(place for place, widget in enumerate(order) if part is widget or part.isAncestorOf(widget))


def test_enter_presses_a_button_that_has_the_focus(qtbot, panel, monkeypatch):
    done = []
    monkeypatch.setattr(
        panel.steps["cases"], "main", lambda: MainAction(text="Go", help="", act=lambda: done.append(1))
    )
    panel.show_step("cases")
    panel.show()
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
        QTest.keyClick(panel.main_button, key)
    assert done == [1, 1, 1]


def test_every_button_of_the_frame_says_what_it_does(panel):
    buttons = [*panel._tabs.buttons(), panel.main_button, *panel.header.findChildren(QAbstractButton)]
    assert [one.text() for one in buttons if not one.toolTip()] == []


def test_another_language_makes_the_panel_anew_at_the_same_step(qtbot, panel):
    panel.show_step("model")
    before = panel.steps["model"]
    remember(language="de")
    panel.settings.language_chosen.emit()
    qtbot.waitUntil(lambda: not panel._builder.is_busy)
    assert panel.step == "model"
    assert panel.steps["model"] is not before
    assert panel._tabs.button(2).text() == "3  Modell"
    assert panel.header.place.text() == ""
    # The old parts hear nothing more.
    panel.workspace.cohort_changed.emit()
    panel.workspace.case_changed.emit()


def test_while_a_job_runs_the_language_waits_for_its_end(qtbot, panel, steered_job):
    job = steered_job()
    runner = panel.steps["model"].batch.runner
    runner.start(job)
    remember(language="de")
    panel.settings.language_chosen.emit()
    assert panel._tabs.button(2).text() == "3  Model"
    job.go_on.set()
    qtbot.waitUntil(lambda: panel._tabs.button(2).text() == "3  Modell")
