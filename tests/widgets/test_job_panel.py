import pytest

from napari_necroseg.core.events import (
    CaseDone,
    CaseFailed,
    Finished,
    Progress,
    Started,
    TrainingStep,
    Warned,
)
from napari_necroseg.widgets.shared.dock import JobPanel


@pytest.fixture
def panel(qtbot):
    panel = JobPanel()
    qtbot.addWidget(panel)
    return panel


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Started(message="Training begins."), "Training begins."),
        (Progress(done=1, total=4, message="reading case-01"), "reading case-01"),
        (Warned(message="odd spacing"), "odd spacing"),
        (CaseDone(case="case-03", done=3, total=5, seconds=1.0), "case-03 is done (3 of 5)"),
        (CaseFailed(case="case-04", done=4, total=5, reason="no T2."), "case-04: no T2."),
        (
            TrainingStep(iteration=1200, iterations=None, loss=0.5, seconds=60.0, seconds_left=240.0),
            "iteration 1200, about 4 min left",
        ),
        (
            TrainingStep(iteration=5, iterations=10, loss=0.5, seconds=5.0, seconds_left=None),
            "iteration 5 of 10",
        ),
        (
            TrainingStep(
                iteration=5, iterations=None, loss=0.5, seconds=5.0, seconds_left=9.0, samples_per_s=26.71
            ),
            "about 9 s left (26.7 samples/s)",
        ),
    ],
)
def test_says_what_the_job_reports(panel, event, words):
    panel.show_event(event)
    assert words in panel.message


def test_shows_progress_and_cancel_only_while_a_job_runs(qtbot, panel, steered_job):
    job = steered_job()
    panel.show()
    panel.run(job, "Reading ...")
    qtbot.waitUntil(lambda: panel.message == "half way")
    assert panel._cancel.isVisible()
    assert (panel._bar.value(), panel._bar.maximum()) == (1, 2)
    with qtbot.waitSignal(panel.runner.finished):
        job.go_on.set()
    assert not panel._cancel.isVisible()
    assert panel.message == "Done."


def test_cancel_is_answered_at_once(qtbot, panel, steered_job):
    panel.show()
    panel.run(steered_job(), "Reading ...")
    with qtbot.waitSignal(panel.runner.cancelled):
        panel._cancel.click()
        assert panel.message == "Cancelling ..."
        assert not panel._cancel.isEnabled()
    assert panel.message == "Cancelled."


def test_offers_the_report_of_an_unforeseen_failure(qtbot, panel, steered_job):
    job = steered_job(error=ValueError("broken"))
    job.go_on.set()
    panel.show()
    with qtbot.waitSignal(panel.runner.failed):
        panel.run(job, "Reading ...")
    assert panel._details.isVisible()
    panel._details.click()
    assert "copied" in panel.message


class WarningJob:
    """A job that warns as told, then ends well."""

    def __init__(self, *warnings):
        self.warnings = warnings

    def __call__(self, stop):
        yield from (Warned(message=warning) for warning in self.warnings)
        yield Progress(done=1, total=1, message="nearly there")
        yield Finished(result="result")


def test_warnings_of_a_job_that_ends_well_stay_to_be_read(qtbot, panel):
    panel.show()
    with qtbot.waitSignal(panel.runner.finished):
        panel.run(WarningJob("T2 was resampled.", "odd spacing", "odd spacing"), "Reading ...")
    assert panel.message == "Done, with 2 notes:\n⚠ T2 was resampled.\n⚠ odd spacing"
    assert panel._notes.isVisible()
    assert panel._notes.toPlainText() == "⚠ T2 was resampled.\n⚠ odd spacing"


def test_what_a_dock_says_when_its_job_is_over_leaves_the_warnings(qtbot, panel):
    panel.runner.finished.connect(lambda _: panel.say("Saved."))
    with qtbot.waitSignal(panel.runner.finished):
        panel.run(WarningJob("odd spacing"), "Saving ...")
    assert panel.message == "Saved.\n⚠ odd spacing"


def test_the_next_job_begins_without_the_warnings_of_the_last(qtbot, panel):
    for warnings in (("odd spacing",), ()):
        with qtbot.waitSignal(panel.runner.finished):
            panel.run(WarningJob(*warnings), "Reading ...")
    assert panel.message == "Done."
    assert not panel._notes.isVisible()


def test_a_warning_that_comes_before_any_job_is_seen(panel):
    panel.warn("The disk is full.")
    assert panel.isVisible()
    assert panel._notes.isVisible()


def test_many_warnings_do_not_push_the_dock_off_the_screen(panel):
    for number in range(200):
        panel.warn(f"case-{number} is left out")
    assert panel._notes.height() < 200
    assert len(panel.notes) == 200


def test_a_warning_of_two_lines_is_seen_whole_without_a_bar(qtbot, panel):
    panel.resize(320, 200)
    panel.show()
    panel.warn("written: bfloat16 would change the result, so 32 bits are used.")
    qtbot.wait(20)
    assert panel._notes.document().firstBlock().layout().lineCount() == 2
    assert panel._notes.verticalScrollBar().maximum() == 0
