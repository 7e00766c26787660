"""The dock Study: the experiment, the progress of its runs, and its cases as predicted unseen."""

from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import NecrosegError, SettingsError
from napari_necroseg.core.events import Event
from napari_necroseg.core.language import tr
from napari_necroseg.core.study.cases import number_of_folds
from napari_necroseg.core.study.report.report import REPORT_NAME
from napari_necroseg.core.study.run import RunDone, RunFailed, runs_of
from napari_necroseg.jobs import study
from napari_necroseg.jobs.study import (
    OpenedStudy,
    ScoresSoFar,
    StudyToDo,
    check_cohort,
    check_same_cohort,
    check_study,
)
from napari_necroseg.jobs.study_status import GOES_ON, study_in_words
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, beside, button, lay, timer
from napari_necroseg.widgets.shared.worker import NewestJob
from napari_necroseg.widgets.study.cases import StudyCases
from napari_necroseg.widgets.study.form import StudyForm
from napari_necroseg.widgets.study.progress import StudyProgress
from napari_necroseg.widgets.study.study_folder import StudyFolder


class StudyParts(DockParts):
    """Trains and scores every configuration in every fold, and shows how it goes."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.place = StudyFolder()
        self.choices = StudyForm(self.workspace)
        self.summary = WrappedLabel()
        self.buttons = StudyButtons()
        self.progress = StudyProgress()
        self.cases = StudyCases(self.workspace)
        self.reading = NewestJob(self)
        # A click can change several choices; they are handled together.
        self._soon = timer(self, 0, act=self._on_choices)
        # The existing study, once it was read, or the reason why it could not be.
        self._opened: OpenedStudy | None = None
        self._unread = ""
        # The running job; while it runs, its folder and not the one of the form counts.
        self._doing: StudyToDo | None = None
        # Whether another cohort was opened meanwhile, or the dock closed.
        self._is_behind = self._is_late = False
        for widget in (self.place, self.choices, self.summary, self.buttons, self.progress, self.cases):
            self.body.addWidget(widget)
        self._connect()
        self._on_cohort()

    def start(self) -> None:
        """Run the study that the form describes, or go on with the existing one."""
        self._do()

    def check(self) -> None:
        """Plan it, and show what each run will take."""
        self._do(is_plan=True)

    def run_again(self, key: str) -> None:
        """Do one run again, and no other."""
        self._do(only=(key,))

    def open_report(self) -> None:
        """Show the report in a web browser."""
        folder = self._folder()
        if folder is not None:
            report = folder / REPORT_NAME
            if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(report))):
                self.panel.say(tr("No browser could be opened. The report is the file {path}.", path=report))

    def shut_down(self) -> None:
        """Also stop reading."""
        self._soon.stop()
        for reading in (self.reading, self.progress.run_view.reading, self.cases.reading):
            reading.forget()
        super().shut_down()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  # Qt's name
        """Catch up if the dock was closed while a study was done."""
        super().showEvent(event)
        if self._is_late and not self.runner.is_busy:
            self._on_over()

    def _do(self, *, only: tuple[str, ...] = (), is_plan: bool = False) -> None:
        # The click on the button ends the typing of a name.
        self.place.settle()
        if self._soon.isActive():
            self._on_choices()
        config, cohort = self._config(), self.choices.cohort()
        folder, table = self.place.folder(), self.workspace.cohort_path
        if config is None or cohort is None or folder is None or table is None or self.runner.is_busy:
            return
        to_do = StudyToDo(config=config, cohort=cohort, table=table, out=folder, only=only, is_plan=is_plan)
        what = "Checking" if is_plan else "Working on"
        if self.panel.run(partial(study.do_study, to_do), f"{what} {folder.name} ..."):
            self._doing = to_do
            self.progress.begin(only)
            self._refresh()

    def _connect(self) -> None:
        self.place.changed.connect(self._on_place)
        self.choices.changed.connect(self._soon.start)
        self.buttons.check.clicked.connect(self.check)
        self.buttons.start.clicked.connect(self.start)
        self.buttons.report.clicked.connect(self.open_report)
        self.progress.moved.connect(self._on_moved)
        self.progress.run_view.again_wanted.connect(self.run_again)
        self.cases.said.connect(self.panel.say)
        self.reading.done.connect(self._on_read)
        self.reading.failed.connect(self._on_unread)
        self.runner.reported.connect(self._on_event)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._on_over)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.layers.saved, self._on_saved)
        self.listen(self.workspace.run_changed, self.choices.start_from.look_again)

    def _on_cohort(self) -> None:
        """Follow the project, unless a study of another one is under way."""
        self._is_behind = self.runner.is_busy
        if not self._is_behind:
            self.choices.show_cohort()
            self.place.show_project(self.workspace.folder)
            if not self.place.has_study():
                self._propose_folds()
            self._on_choices()

    def _on_case(self) -> None:
        self.cases.follow_case()
        self._on_saved()

    def _on_saved(self, *_: object) -> None:
        """Offer masks that were corrected meanwhile, too."""
        if not self.runner.is_busy:
            self.choices.show_corrected()
            self._refresh()

    def _on_place(self) -> None:
        """Show the study of this name, or an empty grid for a new one."""
        self._opened, self._unread = None, ""
        self.progress.forget()
        self.cases.forget()
        self.reading.forget()
        if self.place.has_study():
            self._open()
        else:
            self.choices.unlock()
            self._propose_folds()
        self._on_choices()

    def _propose_folds(self) -> None:
        """Set the number of folds that the table gives already."""
        cohort, folder = self.workspace.cohort, self.place.folder()
        try:
            folds = None if cohort is None or folder is None else number_of_folds(cohort, folder)
        except NecrosegError:
            # It is said where the folds are checked.
            return
        if folds:
            self.choices.form.input("folds").set_value(folds)

    def _open(self) -> None:
        folder = self.place.folder()
        if folder is not None:
            self.reading.read(partial(study.open_study, folder))

    def _on_read(self, read: OpenedStudy | ScoresSoFar) -> None:
        if read.folder != self._folder():
            return
        if isinstance(read, OpenedStudy):
            self._on_opened(read)
        else:
            self.cases.show_results(read.folder, read.table, results=read.results, n_cases=read.n_cases)

    def _on_unread(self, why: str) -> None:
        self.panel.say(why)
        if self._doing is None:
            self._opened, self._unread = None, why
            self.choices.unlock()
            self._on_choices()

    def _on_opened(self, opened: OpenedStudy) -> None:
        self._opened, self._unread = opened, ""
        self.choices.lock(opened.record, opened.corrected)
        self.cases.show_results(
            opened.folder, opened.table, results=opened.results, n_cases=len(opened.record.cases)
        )
        self._on_choices()
        self.progress.show_chosen()
        for problem in opened.problems:
            self.panel.warn(problem)

    def _on_choices(self) -> None:
        """Lay out the runs of these choices, with their states in an existing study."""
        self._soon.stop()
        if self.runner.is_busy:
            return
        is_there = self.place.has_study()
        if self._opened is not None and not is_there:
            # Its folder was removed.
            self._on_place()
            return
        try:
            runs = runs_of(self.choices.config())
        except NecrosegError:
            self._refresh()
            return
        opened = self._opened
        if opened is not None:
            runs = tuple(dict.fromkeys((*opened.runs, *runs)))
            self.progress.show_runs(runs, opened.states, interrupted=opened.interrupted)
        elif not is_there:
            self.progress.status.forget()
            self.progress.show_runs(runs, {})
        self._refresh()

    def _on_event(self, event: Event) -> None:
        if not self.progress.take(event):
            # Reading before the first run and writing after the last are no part of the runs.
            self._on_moved(self.progress.status.total().share)
            return
        match event:
            case RunDone(was_done=False):
                self.panel.say(str(event))
                self._read_scores()
            case RunFailed():
                self.panel.warn(str(event))

    def _on_moved(self, share: float) -> None:
        if self._doing is not None and not self._doing.is_plan:
            self.panel.show_share(share)

    def _read_scores(self) -> None:
        if self._doing is not None:
            self.reading.read(partial(study.read_scores, self._doing.out, self._doing.table))

    def _on_finished(self, result: object) -> None:
        self.panel.say(str(result))
        self._on_over()
        self.workspace.models_changed.emit()

    def _on_over(self, *_: object) -> None:
        """Show the study as it is on disk now; runs that were running are interrupted."""
        was_late, self._is_late = self._is_late, self.is_shut
        if self.is_shut:
            return
        is_plan = self._doing is not None and self._doing.is_plan
        self._doing = None
        self.progress.end()
        if self._is_behind or was_late:
            self._on_cohort()
        self.place.show_project(self.workspace.folder)
        self._on_saved()
        if not is_plan and self.place.has_study():
            self._open()

    def _folder(self) -> Path | None:
        return self.place.folder() if self._doing is None else self._doing.out

    def _config(self) -> StudyConfig | None:
        """Return the choices, or say why no study can have them."""
        try:
            config, words = self._offer()
        except NecrosegError as error:
            self.summary.say(str(error))
            return None
        self.summary.say(words)
        return config

    def _offer(self) -> tuple[StudyConfig, str]:
        """Return the choices and a description of the study, or raise what prevents it."""
        opened, folder, table = self._opened, self.place.folder(), self.workspace.cohort_path
        config, cohort = self.choices.config(), self.choices.cohort()
        if self.place.has_study() and opened is None:
            raise SettingsError(self._unread or "Reading this study ...")
        if opened is not None:
            check_same_cohort(table, opened.table)
        cohort = check_cohort(cohort, table)
        if folder is None:
            raise SettingsError(self.place.problem())
        check_study(config, cohort, folder=folder)
        words = study_in_words(config, cohort)
        return config, words if opened is None else f"{words} {GOES_ON}"

    def _refresh(self) -> None:
        is_busy, folder = self.runner.is_busy, self._folder()
        can_start = self._config() is not None and not is_busy
        has_report = folder is not None and (folder / REPORT_NAME).is_file()
        self.buttons.allow(start=can_start, report=has_report, is_there=self.place.has_study())
        for widget in (self.place, self.choices):
            widget.setEnabled(not is_busy)
        self.progress.folder = folder
        self.progress.allow(can_start)


class Study(Dock, StudyParts):
    """The dock Study."""


class StudyButtons(QWidget):
    """Three buttons in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.check = button(
            "Check",
            "Read the cases and tell, run by run, how long it will take and what memory it needs; nothing is "
            "trained. The grid shows the times.",
        )
        help_text = (
            "Train, predict and score run by run. Cancel it whenever you like: it goes on where it was."
        )
        self.start = button("Start", help_text)
        self.report = button("Open report", "Tables, figures and how it was made, in your web browser.")
        lay(self, beside(self.check, self.start, self.report, wide=self.start))

    def allow(self, *, start: bool, report: bool, is_there: bool) -> None:
        """Enable the buttons that can be used; an existing study is gone on with."""
        self.start.setText("Go on" if is_there else "Start")
        self.check.setEnabled(start)
        self.start.setEnabled(start)
        self.report.setEnabled(report)
