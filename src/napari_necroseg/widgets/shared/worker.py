"""Runs jobs and short pieces of work in threads, and hands their results to the screen."""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Protocol

from napari.qt.threading import GeneratorWorkerSignals, WorkerBase
from qtpy.QtCore import QObject, QThreadPool, Signal

from napari_necroseg.core.errors import mistake_of
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.language import shown, tr


class Job(Protocol):
    """A generator function of events, which ends soon after `stop` is set."""

    def __call__(self, *, stop: threading.Event) -> Iterator[Event]:
        """Begin the job."""


# Qt has a thread for each core. On a computer with two, two long jobs, which mostly wait for processes of
# their own, would keep a case from being opened.
_LEAST_THREADS = 16
Work = Callable[[], Any]

# How often an idle thread looks whether the program has ended without closing its dock.
_SECONDS_BETWEEN_LOOKS = 0.5


def is_foreseen(error: BaseException) -> bool:
    """Whether the message says all there is to say, so that a traceback would help nobody."""
    return mistake_of(error) is not None


def explain(error: BaseException) -> str:
    """Say in plain words, and in the language of the person, what happened, and what to do next."""
    mistake = mistake_of(error)
    if mistake is not None:
        return shown(mistake)
    return tr(
        "This failed in a way that the program did not foresee ({kind}: {error}). Your data is unchanged. "
        "Press Details to copy the report for the developers.",
        kind=type(error).__name__,
        error=str(error),
    )


class JobWorker(WorkerBase[None]):
    """A job in a pool thread.

    napari's generator workers swallow a ``RuntimeError`` (every error of torch is one) and do not close
    the generator when they are stopped; this one raises and closes.
    """

    signals: GeneratorWorkerSignals

    def __init__(self, job: Job) -> None:
        super().__init__(SignalsClass=GeneratorWorkerSignals)
        self.stop = threading.Event()
        self._job = job

    def quit(self) -> None:
        """Ask the job to stop; it is gone as soon as it looks at its flag or yields."""
        self.stop.set()
        super().quit()

    def run(self) -> None:
        """Run the job; called by Qt's thread pool."""
        # Errors of the job are caught and reported within. What is left is Python shutting down with a job
        # in flight: there is nobody to tell then, and an error out of a pool thread would abort the process.
        with suppress(RuntimeError):
            super().run()

    def work(self) -> None:
        """Draw the events of the job, in the worker's thread."""
        with closing(self._job(stop=self.stop)) as events:  # type: ignore[type-var]  # jobs are generators
            for event in events:
                if self.stop.is_set():
                    return
                self.signals.yielded.emit(event)


class JobRunner(QObject):
    """Runs one job at a time; all signals arrive in the thread of the screen.

    Exactly one of `finished`, `failed` and `cancelled` follows each `started`, when the thread is done.
    """

    started = Signal()
    reported = Signal(object)
    cancelling = Signal()
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.report = ""
        self._worker: JobWorker | None = None
        self._result: Finished[Any] | None = None
        self._error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, or is on its way out after a cancel."""
        return self._worker is not None

    @property
    def is_cancelling(self) -> bool:
        """Whether the job was asked to stop and is not gone yet."""
        return self._worker is not None and self._worker.stop.is_set()

    def start(self, job: Job) -> bool:
        """Start a job; returns False, and does nothing, while another one is there."""
        if self.is_busy:
            return False
        self._result, self._error, self.report = None, None, ""
        worker = JobWorker(job)
        worker.signals.yielded.connect(self._on_event)
        worker.signals.errored.connect(self._on_error)
        worker.signals.finished.connect(self._on_done)
        self._worker = worker
        pool = QThreadPool.globalInstance()
        if pool is not None:
            pool.setMaxThreadCount(max(pool.maxThreadCount(), _LEAST_THREADS))
        worker.start()
        self.started.emit()
        return True

    def cancel(self) -> None:
        """Ask the job to stop; `cancelled` follows when it is gone. Does nothing without a job."""
        if self._worker is not None and not self._worker.stop.is_set():
            self._worker.quit()
            self.cancelling.emit()

    def stop_flag(self) -> Callable[[], None]:
        """Return a function that stops the job and needs no living Qt object."""
        held = self.__dict__

        def stop(*_: object) -> None:
            worker = held.get("_worker")
            if worker is not None:
                worker.stop.set()

        return stop

    def _on_event(self, event: Event) -> None:
        if self.is_cancelling:
            return
        if isinstance(event, Finished):
            self._result = event
        else:
            self.reported.emit(event)

    def _on_error(self, error: Exception) -> None:
        self._error = error

    def _on_done(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.stop.is_set():
            self.cancelled.emit()
        elif self._error is not None:
            self.report = "" if is_foreseen(self._error) else "".join(traceback.format_exception(self._error))
            self.failed.emit(explain(self._error))
        elif self._result is not None:
            self.finished.emit(self._result.result)
        else:
            self.failed.emit(tr("The job ended without a result. Please tell the developers what you did."))


class NewestOnly(QObject):
    """Does one piece of work at a time in its own thread; a newer request replaces the one that waits.

    Results arrive in the thread of the screen, in the order of the requests. `forget` drops the results of
    all requests so far.
    """

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None, *, thread: str = "necroseg-preview") -> None:
        super().__init__(parent)
        self._thread_name = thread
        self._box = _Mailbox()
        self._number = 0
        self._oldest = 0
        # The thread holds it, so that it outlives this object if the thread does.
        self._post = _Post()
        self._post.made.connect(self._on_made)
        self._post.broke.connect(self._on_broke)

    @property
    def is_busy(self) -> bool:
        """Whether work is under way, or waits."""
        return self._box.is_busy

    def ask(self, work: Work) -> None:
        """Do a piece of work next, in place of one that waits."""
        self._number += 1
        self._box.put((self._number, work))
        if not self._box.is_served:
            self._box.is_served = True
            # No daemon: torch and numba abort the program if it ends while they compute.
            thread = threading.Thread(target=_serve, args=(self._box, self._post), name=self._thread_name)
            thread.start()

    def forget(self) -> None:
        """Drop the results of all requests so far."""
        self._oldest = self._number + 1
        self._box.put(None)

    def stop_flag(self) -> Callable[[], None]:
        """Return a function that ends the thread and needs no living Qt object."""
        return self._box.close

    def _on_made(self, number: int, result: Any) -> None:
        if number >= self._oldest:
            self.done.emit(result)

    def _on_broke(self, number: int, error: Exception) -> None:
        if number >= self._oldest:
            self.failed.emit(explain(error))


def _is_program_ending() -> bool:
    return not threading.main_thread().is_alive()


class _Mailbox:
    """Holds at most one piece of work for the thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: tuple[int, Work] | None = None
        self._is_working = False
        self.is_closed = False
        self.is_served = False

    @property
    def is_busy(self) -> bool:
        with self._condition:
            return self._is_working or self._waiting is not None

    def put(self, work: tuple[int, Work] | None) -> None:
        with self._condition:
            self._waiting, self.is_closed = work, False
            self._condition.notify()

    def take(self) -> tuple[int, Work] | None:
        """Wait for work; None when the box is closed."""
        with self._condition:
            self._is_working = False
            while not (self._waiting is not None or self.is_closed or _is_program_ending()):
                self._condition.wait(_SECONDS_BETWEEN_LOOKS)
            work, self._waiting = self._waiting, None
            self._is_working = work is not None
            self.is_served = work is not None
            return work

    def close(self, *_: object) -> None:
        with self._condition:
            self._waiting, self.is_closed = None, True
            self._condition.notify()


class _Post(QObject):
    """Brings results from the thread to the screen."""

    made = Signal(int, object)
    broke = Signal(int, object)


def _serve(box: _Mailbox, post: _Post) -> None:
    """Do the work that is put into the box until it is closed; runs in the thread."""
    while (task := box.take()) is not None:
        number, work = task
        try:
            made = work()
        except Exception as error:
            if not box.is_closed:
                post.broke.emit(number, error)
        else:
            if not box.is_closed:
                post.made.emit(number, made)


class NewestJob(QObject):
    """Runs short jobs without a panel; a newer one replaces the one that runs.

    `done` is emitted with the result of the newest, `failed` with the reason why there is none.
    """

    done = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = JobRunner(self)
        self._next: Job | None = None
        self._runner.finished.connect(self.done)
        self._runner.failed.connect(self.failed)
        self._runner.cancelled.connect(self._begin)

    @property
    def is_busy(self) -> bool:
        """Whether something is being read."""
        return self._runner.is_busy

    def read(self, job: Job) -> None:
        """Run a job in place of the one that runs."""
        self._next = job
        if self._runner.is_busy:
            self._runner.cancel()
        else:
            self._begin()

    def forget(self) -> None:
        """Drop the result of the job that runs."""
        self._next = None
        self._runner.cancel()

    def stop_flag(self) -> Callable[[], None]:
        """Return a function that stops the job and needs no living Qt object."""
        return self._runner.stop_flag()

    def _begin(self) -> None:
        job, self._next = self._next, None
        if job is not None:
            self._runner.start(job)
