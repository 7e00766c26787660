import threading
import time
from collections.abc import Iterator

import pytest
from qtpy.QtCore import QThreadPool

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import Event, Progress
from napari_necroseg.widgets.shared.worker import JobRunner


@pytest.fixture
def runner(qtbot):
    runner = JobRunner()
    yield runner
    runner.cancel()
    qtbot.waitUntil(lambda: not runner.is_busy)


def test_reports_events_then_the_result_in_the_thread_of_the_screen(qtbot, runner, steered_job):
    job = steered_job(result=42)
    seen, threads = [], []
    runner.reported.connect(lambda event: (seen.append(event), threads.append(threading.current_thread())))
    runner.start(job)
    qtbot.waitUntil(lambda: len(seen) == 1)
    with qtbot.waitSignal(runner.finished) as finished:
        job.go_on.set()
    assert finished.args == [42]
    assert seen == [Progress(done=1, total=2, message="half way")]
    assert threads == [threading.main_thread()]


def test_a_second_start_does_nothing(qtbot, runner, steered_job):
    first, second = steered_job(), steered_job()
    assert runner.start(first)
    assert not runner.start(second)
    with qtbot.waitSignal(runner.finished):
        first.go_on.set()
    assert not second.was_closed.is_set()


def test_cancel_is_answered_at_once_and_closes_the_job(qtbot, runner, steered_job):
    job = steered_job()
    runner.start(job)
    qtbot.waitUntil(lambda: runner.is_busy)
    with qtbot.waitSignal(runner.cancelled):
        runner.cancel()
        assert runner.is_cancelling
    assert job.was_closed.is_set()
    assert not runner.is_busy


def test_a_result_that_comes_after_cancel_is_not_delivered(qtbot, runner):
    def stubborn(stop: threading.Event) -> Iterator[Event]:
        time.sleep(0.2)
        yield Progress(done=1, total=1)

    delivered = []
    runner.reported.connect(delivered.append)
    runner.finished.connect(delivered.append)
    runner.start(stubborn)
    with qtbot.waitSignal(runner.cancelled):
        runner.cancel()
    assert delivered == []


def test_a_mistake_of_the_user_is_told_in_its_own_sentence(qtbot, runner, steered_job):
    job = steered_job(error=FileError("There is no file x."))
    job.go_on.set()
    with qtbot.waitSignal(runner.failed) as failed:
        runner.start(job)
    assert failed.args == ["There is no file x."]
    assert runner.report == ""


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), ValueError("size mismatch")])
def test_an_unforeseen_error_is_not_swallowed_and_keeps_its_traceback(qtbot, runner, steered_job, error):
    job = steered_job(error=error)
    job.go_on.set()
    with qtbot.waitSignal(runner.failed) as failed:
        runner.start(job)
    assert "size mismatch" in failed.args[0]
    assert "Traceback" in runner.report
    assert not runner.is_busy


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "a.nii"), "a.nii: No space left on device. Free some space"),
        (PermissionError(13, "Permission denied", "a.nii"), "a.nii: Permission denied. Ask for access"),
        (OSError(5, "Input/output error", "a.nii"), "a.nii: Input/output error. The disk"),
        (OSError(40, "Too many levels of symbolic links", "a"), "It is a link that leads back to itself"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_an_error_of_the_system_is_a_sentence_and_no_bug(qtbot, runner, steered_job, error, words):
    job = steered_job(error=error)
    job.go_on.set()
    with qtbot.waitSignal(runner.failed) as failed:
        runner.start(job)
    assert words in failed.args[0]
    assert runner.report == ""


def test_a_job_without_a_result_is_a_failure(qtbot, runner):
    def empty(stop: threading.Event) -> Iterator[Event]:
        yield Progress(done=1, total=1)

    with qtbot.waitSignal(runner.failed):
        runner.start(empty)


def test_the_stop_flag_works_without_the_runner(qtbot, runner, steered_job):
    job = steered_job()
    stop = runner.stop_flag()
    stop()  # without a job, nothing to stop
    runner.start(job)
    with qtbot.waitSignal(runner.cancelled):
        stop()
    assert job.was_closed.is_set()


def test_long_jobs_of_other_docks_do_not_keep_a_job_waiting(qtbot, steered_job):
    """Also on a computer with two cores, for which Qt has two threads."""
    QThreadPool.globalInstance().setMaxThreadCount(2)
    runners, jobs = [JobRunner() for _ in range(3)], [steered_job() for _ in range(3)]
    seen = []
    for number, (runner, job) in enumerate(zip(runners, jobs, strict=True)):
        runner.reported.connect(lambda _event, number=number: seen.append(number))
        runner.start(job)
    qtbot.waitUntil(lambda: sorted(seen) == [0, 1, 2])
    for job in jobs:
        job.go_on.set()
    qtbot.waitUntil(lambda: not any(runner.is_busy for runner in runners))
