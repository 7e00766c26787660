"""The dock Study: the whole experiment, its runs filling in, and the cases as predicted unseen."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event
from napari_necroseg.core.study.events import RunAdvanced, RunDone, RunFailed, RunStarted
from napari_necroseg.core.study.report import REPORT_NAME
from napari_necroseg.core.study.runs import runs_of
from napari_necroseg.widgets.shared.dock import Dock
from napari_necroseg.widgets.shared.prose import Prose
from napari_necroseg.widgets.study import jobs
from napari_necroseg.widgets.study.board import Board
from napari_necroseg.widgets.study.cases import StudyCases
from napari_necroseg.widgets.study.check import check_study, known_folds
from napari_necroseg.widgets.study.form import StudyForm
from napari_necroseg.widgets.study.grid import StudyGrid
from napari_necroseg.widgets.study.jobs import OpenedStudy, StudyToDo
from napari_necroseg.widgets.study.place import StudyPlace
from napari_necroseg.widgets.study.reading import Reading
from napari_necroseg.widgets.study.run_view import StudyRunView
from napari_necroseg.widgets.study.words import GOES_ON, study_in_words, total_in_words


class Study(Dock):
    """Trains and scores every configuration in every fold, and shows how it goes."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.place = StudyPlace()
        self.choices = StudyForm(self.workspace)
        self.summary, self.progress = Prose(), Prose()
        self.check_button = QPushButton("Check")
        self.check_button.setToolTip(
            "Read the cases and tell, run by run, how long it will take and what memory it needs; nothing is "
            "trained. The grid shows the times."
        )
        self.start_button = QPushButton("Start")
        self.start_button.setToolTip(
            "Train, predict and score run by run. Cancel it whenever you like: it goes on where it was."
        )
        self.report_button = QPushButton("Open report")
        self.report_button.setToolTip("Tables, figures and how it was made, in your web browser.")
        self.board = Board()
        self.grid = StudyGrid()
        self.run_view = StudyRunView()
        self.cases = StudyCases(self.workspace)
        self.reading = Reading(self)
        self._opened: OpenedStudy | None = None
        # What is being done; while it lasts, its folder and not the one of the form counts.
        self._doing: StudyToDo | None = None
        # Whether the run below the grid was clicked; otherwise it is the one that began last.
        self._is_chosen = False
        self._build()
        self._connect()
        self._on_cohort()

    def start(self) -> None:
        """Do the study that the form describes, or go on with the one that is there."""
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
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder / REPORT_NAME)))

    def shut_down(self) -> None:
        """Also stop reading."""
        for reading in (self.reading, self.run_view.reading, self.cases.reading):
            reading.forget()
        super().shut_down()

    def _do(self, *, only: tuple[str, ...] = (), is_plan: bool = False) -> None:
        config, cohort = self._config(), self.choices.cohort()
        folder, table = self.place.folder(), self.workspace.cohort_path
        if config is None or cohort is None or folder is None or table is None or self.runner.is_busy:
            return
        to_do = StudyToDo(config=config, cohort=cohort, table=table, out=folder, only=only, is_plan=is_plan)
        what = "Checking" if is_plan else "Working on"
        if self.panel.run(partial(jobs.do_study, to_do), f"{what} {folder.name} ..."):
            self._doing = to_do
            self._is_chosen = bool(only)
            self._refresh()

    def _build(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.check_button)
        row.addWidget(self.start_button, 1)
        row.addWidget(self.report_button)
        before: list[QWidget] = [self.place, self.choices, self.summary]
        after: list[QWidget] = [self.grid, self.progress, self.run_view, self.cases]
        for widget in before + after:
            self.body.addWidget(widget)
        self.body.insertLayout(3, row)

    def _connect(self) -> None:
        self.place.changed.connect(self._on_place)
        self.choices.changed.connect(self._on_choices)
        self.check_button.clicked.connect(self.check)
        self.start_button.clicked.connect(self.start)
        self.report_button.clicked.connect(self.open_report)
        self.grid.chosen.connect(self._on_chosen)
        self.run_view.again_wanted.connect(self.run_again)
        self.cases.said.connect(self.panel.say)
        self.reading.done.connect(self._on_read)
        self.reading.failed.connect(self.panel.say)
        self.runner.event.connect(self._on_event)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._on_over)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.case_changed, self.cases.follow_case)
        self.listen(self.workspace.run_changed, self.choices.start_from.refill)

    def _on_cohort(self) -> None:
        """Follow the project, unless a study of another one is under way."""
        if not self.runner.is_busy:
            self.choices.show_cohort()
            self.place.show_project(self.workspace.folder)
            if not self.place.has_study():
                self._propose_folds()
            self._on_choices()

    def _on_place(self) -> None:
        """Show the study that the name stands for, or an empty grid for a new one."""
        self._opened = None
        self.board.forget()
        self.run_view.forget()
        self.cases.show_results(Path(), ())
        self.reading.forget()
        if self.place.has_study():
            self._open()
        else:
            self.choices.unlock()
            self._propose_folds()
        self._on_choices()

    def _propose_folds(self) -> None:
        """Ask for as many folds as a table gives already."""
        try:
            folds = known_folds(self.workspace.cohort or Cohort(cases=()), self.place.folder())
        except NecrosegError:
            # Said where it is checked.
            return
        if folds:
            self.choices.form.editor("folds").set_value(len(set(folds.values())))

    def _open(self) -> None:
        folder = self.place.folder()
        if folder is not None:
            self.reading.read(partial(jobs.open_study, folder))

    def _on_read(self, read: Any) -> None:
        if isinstance(read, OpenedStudy):
            self._on_opened(read)
        elif read.folder == self._folder():
            self.cases.show_results(read.folder, read.results)

    def _on_opened(self, opened: OpenedStudy) -> None:
        if opened.folder != self.place.folder():
            return
        self._opened = opened
        self.choices.lock(opened.record)
        self.cases.show_results(opened.folder, opened.results, opened.record.cohort)
        self._show_chosen()

    def _on_choices(self) -> None:
        """Lay out the runs that the choices come to, and what is known of them in a study that is there."""
        if self.runner.is_busy:
            return
        try:
            config = self.choices.config()
        except NecrosegError:
            self._refresh()
            return
        opened = self._opened
        if opened is None:
            self.board.forget()
            self.board.show(runs_of(config), {})
        else:
            runs = dict.fromkeys((*opened.runs, *runs_of(config)))
            self.board.show(runs, opened.states, opened.interrupted)
        self.grid.show_board(self.board)
        self._refresh()

    def _on_event(self, event: Event) -> None:
        key = self.board.take(event)
        if key is None:
            return
        self.grid.refresh(key, self.board)
        self._follow(event, key)
        total = self.board.total()
        self.progress.say(total_in_words(total))
        if self._doing is not None and not self._doing.is_plan:
            self.panel.show_share(total.share)
        match event:
            case RunDone(was_done=False):
                self.panel.say(str(event))
                self._read_scores()
            case RunFailed():
                self.panel.warn(str(event))

    def _follow(self, event: Event, key: str) -> None:
        """Show a run as it goes on: the one that was clicked, or else the one that began last."""
        one = self.board.standings[key]
        if isinstance(event, RunStarted) and (key == self.run_view.key or not self._is_chosen):
            self.run_view.show_run(one, (), None, may_run=False)
            self.grid.mark(key)
        elif key == self.run_view.key:
            self.run_view.follow(one, may_run=False)
            if isinstance(event, RunAdvanced) and event.loss is not None:
                self.run_view.curve.add(event.iteration, event.loss)

    def _on_chosen(self, key: str) -> None:
        self._is_chosen = True
        self.run_view.key = key
        self._show_chosen()

    def _show_chosen(self) -> None:
        one = self.board.standings.get(self.run_view.key)
        self.grid.mark(self.run_view.key)
        if one is None:
            self.run_view.forget()
        else:
            points = self.board.points(one.run.key)
            self.run_view.show_run(one, points, self._folder(), may_run=self.start_button.isEnabled())

    def _read_scores(self) -> None:
        folder = self._folder()
        if folder is not None:
            self.reading.read(partial(jobs.read_scores, folder))

    def _on_finished(self, result: object) -> None:
        self.panel.say(str(result))
        self._on_over()
        self.workspace.models_changed.emit()

    def _on_over(self, *_: object) -> None:
        """Show what is on disk now; what was running then is interrupted."""
        is_plan = self._doing is not None and self._doing.is_plan
        self._doing = None
        self.board.interrupt()
        self.grid.show_board(self.board)
        self.place.show_project(self.workspace.folder)
        self._refresh()
        if not is_plan and self.place.has_study():
            self._open()

    def _folder(self) -> Path | None:
        return self.place.folder() if self._doing is None else self._doing.out

    def _config(self) -> StudyConfig | None:
        """Return the choices, or say why they cannot be followed."""
        try:
            config = self.choices.config()
            cohort, table = self.choices.cohort(), self.workspace.cohort_path
            cohort = check_study(config, cohort, table=table, folder=self.place.folder())
            words = study_in_words(config, cohort)
        except NecrosegError as error:
            self.summary.say(str(error))
            return None
        self.summary.say(self.place.problem() or words + ("" if self._opened is None else f" {GOES_ON}"))
        return None if self.place.problem() else config

    def _refresh(self) -> None:
        is_busy, is_there = self.runner.is_busy, self.place.has_study()
        can_start = self._config() is not None and not is_busy
        self.start_button.setText("Go on" if is_there else "Start")
        for button in (self.start_button, self.check_button):
            button.setEnabled(can_start)
        for widget in (self.place, self.choices):
            widget.setEnabled(not is_busy)
        folder = self._folder()
        self.report_button.setEnabled(folder is not None and (folder / REPORT_NAME).is_file())
        total = self.board.total()
        self.progress.say(total_in_words(total) if total.runs else "")
        one = self.board.standings.get(self.run_view.key)
        if one is not None:
            self.run_view.follow(one, may_run=can_start)
