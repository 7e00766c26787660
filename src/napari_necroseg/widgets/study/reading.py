"""Reading files in a thread, of which only the newest piece matters."""

from qtpy.QtCore import QObject, Signal

from napari_necroseg.widgets.shared.worker import Job, JobRunner


class Reading(QObject):
    """Runs short jobs quietly; one that is asked for later takes the place of the one under way.

    `done` is emitted with the result of the newest, `failed` with why it could not be read.
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
        """Run a job in place of the one that is under way."""
        self._next = job
        if self._runner.is_busy:
            self._runner.cancel()
        else:
            self._begin()

    def forget(self) -> None:
        """Let nothing arrive of what is being read."""
        self._next = None
        self._runner.cancel()

    def _begin(self) -> None:
        job, self._next = self._next, None
        if job is not None:
            self._runner.start(job)
