"""Run a job of the core in a thread, one at a time, and tell the screen what it reports."""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from napari.qt.threading import GeneratorWorkerSignals, WorkerBase
from qtpy.QtCore import QObject, QThreadPool, Signal

from napari_necroseg.core.events import Event, Finished
from napari_necroseg.widgets.shared.messages import explain, is_foreseen

Job = Callable[[threading.Event], Iterator[Event]]

# Qt has a thread for each core. On a computer with two, two long jobs, which mostly wait for processes of
# their own, would keep a case from being opened.
_LEAST_THREADS = 16


class JobWorker(WorkerBase):
    """A job in a pool thread.

    napari's generator workers swallow a ``RuntimeError`` (every error of torch is one) and do not close
    the generator when they are stopped; this one raises and closes.

    Parameters
    ----------
    job
        Gets the flag that asks it to stop, and returns the generator of its events.
    """

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
        with closing(self._job(self.stop)) as events:  # type: ignore[type-var]  # jobs are generators
            for event in events:
                if self.stop.is_set():
                    return
                self.signals.yielded.emit(event)


class JobRunner(QObject):
    """Runs one job at a time; all signals arrive in the thread of the screen.

    Exactly one of `finished`, `failed` and `cancelled` follows each `started`, when the thread is done.
    """

    started = Signal()
    event = Signal(object)
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
            self.event.emit(event)

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
            self.failed.emit("The job ended without a result. Please tell the developers what you did.")
