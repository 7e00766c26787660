"""Looks in the background at what the cases have and what is new in their folder, and tells it."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.case import Sequence
from napari_necroseg.core.case_names import listed
from napari_necroseg.core.cohort.doubts import Doubt, DoubtKind
from napari_necroseg.core.cohort.find import Gap
from napari_necroseg.core.language import ntr, number, shown, tr
from napari_necroseg.core.project.case_states import CaseState
from napari_necroseg.jobs import cases, project_table
from napari_necroseg.jobs.cases import FoundTwins, OpenedCohort
from napari_necroseg.jobs.project_table import LookedAt, Rescanned
from napari_necroseg.widgets.cases.case_table import strokes_in_words
from napari_necroseg.widgets.cases.notices import Notice
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.qt_parts import timer
from napari_necroseg.widgets.shared.worker import Job, NewestJob
from napari_necroseg.widgets.shared.workspace import Workspace

_LOOK_MS = 150
# When no case has been shown by then, none will be soon.
_LATEST_MS = 4000

# How remarks on a case begin that tell of more than how it was read.
_GRAVE = "Check this"
Run = Callable[[Job, str], object]


class Surroundings(QObject):
    """What is to be known about the open project beside its table.

    `run`: runs a job that changes the table. `changed` is emitted when the notices have changed.
    """

    changed = Signal()
    case_wanted = Signal(str)

    def __init__(self, parent: QWidget, workspace: Workspace, *, run: Run) -> None:
        super().__init__(parent)
        self._parent, self._workspace, self._run = parent, workspace, run
        self._states, self._scan, self._twins = NewestJob(self), NewestJob(self), NewestJob(self)
        self._problems: tuple[str, ...] = ()
        self._gaps: tuple[Gap, ...] = ()
        self._table: Path | None = None
        self._found: Rescanned | None = None
        self._to_scan: OpenedCohort | None = None
        self._look_soon = timer(self, _LOOK_MS, act=self._look)
        self._scan_later = timer(self, _LATEST_MS, act=self._begin_scan)
        self._states.done.connect(self._on_states)
        self._scan.done.connect(self._on_scanned)
        self._twins.done.connect(self._on_twins)

    def begin(self, opened: OpenedCohort) -> None:
        """Look at another project, or at one whose table was changed."""
        self._problems, self._gaps, self._found = opened.problems, opened.gaps, None
        self._table = opened.path or opened.table
        self._to_scan = opened
        for job in (self._states, self._scan, self._twins):
            job.forget()
        self._scan_later.start(_LATEST_MS if len(opened.cohort) else 0)
        self.changed.emit()

    def case_is_shown(self) -> None:
        """Look around now: until the first case is shown, the processor has more urgent work."""
        self.look_again()
        if self._to_scan is not None:
            self._scan_later.start(_LOOK_MS)

    def look_again(self) -> None:
        """Look soon at what each case has."""
        self._look_soon.start()

    def stop(self) -> None:
        """Stop looking."""
        self._look_soon.stop()
        self._scan_later.stop()
        for job in (self._states, self._scan, self._twins):
            job.forget()

    def stop_flags(self) -> Iterator[Callable[[], None]]:
        """Yield functions that stop the jobs and need no living Qt object."""
        for job in (self._states, self._scan, self._twins):
            yield job.stop_flag()

    def notices(self) -> Iterator[Notice]:
        """Yield the notices, the most urgent first."""
        for name, state in self._workspace.states.items():
            if state.unsaved:
                yield self._of_strokes(name, state)
        yield from self._of_new()
        gaps = {(gap.case, gap.sequence): gap for gap in (*self._gaps, *self._scanned_gaps())}
        for gap in gaps.values():
            yield self._of_gap(gap)
        for doubt in () if self._found is None else self._found.doubts:
            yield self._of_doubt(doubt)
        for name, state in self._workspace.states.items():
            yield from (self._of_damage(name, column, sentence) for column, sentence in state.damaged.items())
        case = self._workspace.case
        grave = [note for note in (() if case is None else case.notes) if note.startswith(_GRAVE)]
        yield from (Notice(text=shown(said)) for said in (*grave, *self._problems))

    def _begin_scan(self) -> None:
        opened, self._to_scan = self._to_scan, None
        if opened is None:
            return
        self.look_again()
        self._scan.read(partial(project_table.rescan, opened.cohort, opened.path))
        if opened.path is not None and not opened.compared:
            self._twins.read(partial(cases.look_for_twins, opened.cohort))

    def _look(self) -> None:
        workspace = self._workspace
        if workspace.cohort is not None:
            open_case = "" if workspace.case is None else workspace.case.name
            self._states.read(
                partial(project_table.look_at, workspace.cohort, workspace.folder, open_case=open_case)
            )

    def _on_states(self, found: LookedAt) -> None:
        if found.cohort is self._workspace.cohort:
            self._workspace.set_states(found.states)
            self.changed.emit()

    def _on_scanned(self, found: Rescanned) -> None:
        if found.cohort is self._workspace.cohort:
            self._found, self._gaps = found, () if self._workspace.cohort_path else self._gaps
            self.changed.emit()

    def _on_twins(self, found: FoundTwins) -> None:
        if found.problems and found.cohort is self._workspace.cohort:
            self._problems = tuple(dict.fromkeys((*self._problems, *found.problems)))
            self.changed.emit()

    def _scanned_gaps(self) -> Iterable[Gap]:
        return () if self._found is None else self._found.gaps

    def _of_strokes(self, name: str, state: CaseState) -> Notice:
        text = tr("{case}: {strokes}", case=name, strokes=strokes_in_words(state))
        return Notice(text=text, acts=((tr("Open"), partial(self.case_wanted.emit, name)),))

    def _of_new(self) -> Iterator[Notice]:
        new = () if self._found is None else self._found.new
        if new and self._table is not None:
            names = listed([files.name for files in new])
            text = ntr(
                "1 new case in the folder: {names}",
                "{n} new cases in the folder: {names}",
                len(new),
                names=names,
            )
            add = partial(self._run, partial(project_table.add_cases, self._table, new), tr("Adding ..."))
            yield Notice(text=text, acts=((tr("Add"), add),), help=tr("Add it to the table of the project."))

    def _of_gap(self, gap: Gap) -> Notice:
        sequence, files = str(gap.sequence), [path.name for path in gap.candidates]
        text = tr("{case}: no {sequence} image.", case=gap.case, sequence=sequence)
        if files:
            might = ntr(
                "{files} might be it.", "One of {files} might be it.", len(files), files=listed(files)
            )
            text = f"{text} {might}"
        if len(files) == 1:
            use = partial(self._mend, gap, gap.candidates[0])
            return Notice(text=text, acts=((tr("Use as {sequence}", sequence=sequence), use),))
        return Notice(
            text=text, acts=((tr("Choose {sequence} ...", sequence=sequence), partial(self._choose, gap)),)
        )

    def _of_damage(self, name: str, column: str, sentence: str) -> Notice:  # noqa: PLR0917
        text = tr("{case}: {sentence}", case=name, sentence=shown(sentence))
        cohort = self._workspace.cohort
        if column not in tuple(Sequence) or cohort is None or self._table is None:
            return Notice(text=text)
        folder = cohort[name].paths[column].parent
        gap = Gap(case=name, folder=folder, sequence=Sequence(column))
        choose = (tr("Choose {sequence} ...", sequence=column), partial(self._choose, gap))
        return Notice(text=text, acts=(choose,))

    def _of_doubt(self, doubt: Doubt) -> Notice:
        acts: tuple[tuple[str, Callable[[], object]], ...] = ()
        cohort, table = self._workspace.cohort, self._workspace.cohort_path
        if table is not None and cohort is not None:
            files, column = cohort[doubt.case], str(doubt.sequence)
            job: Job = partial(project_table.leave_out, table, doubt.case, column=column)
            label = tr("Take {sequence} out", sequence=column)
            if doubt.kind is DoubtKind.SWAPPED:
                job, label = partial(project_table.swap, table, files), tr("Exchange them")
            if doubt.kind is DoubtKind.SWAPPED or doubt.sequence is not Sequence.CET1:
                acts = ((label, partial(self._run, job, tr("Mending ..."))),)
        return Notice(text=_in_words(doubt), acts=acts)

    def _choose(self, gap: Gap) -> None:
        title = tr("Choose {sequence} of {case}", sequence=str(gap.sequence), case=gap.case)
        path = qt_parts.ask_image(self._parent, title, start=str(gap.folder))
        if path is not None:
            self._mend(gap, path)

    def _mend(self, gap: Gap, path: Path) -> None:
        if self._table is not None:
            job = partial(project_table.mend, self._table, gap, path=path)
            self._run(job, tr("Mending ..."))


def _in_words(doubt: Doubt) -> str:
    file, sequence = doubt.path.name, str(doubt.sequence)
    match doubt.kind:
        case DoubtKind.SWAPPED:
            return tr("{case}: ceT1 and T2 seem to be exchanged, by their names.", case=doubt.case)
        case DoubtKind.MASK:
            return tr(
                "{case}: {file} seems to be a mask, but stands for {sequence}.",
                case=doubt.case,
                file=file,
                sequence=sequence,
            )
        case DoubtKind.OTHER_PATIENT:
            return tr(
                "{case}: by their names, ceT1 and T2 belong to {one} and {other}.",
                case=doubt.case,
                one=doubt.names[0],
                other=doubt.names[1],
            )
        case DoubtKind.NO_OVERLAP:
            share = number(100 * doubt.covered)
            return tr(
                "{case}: T2 covers {share} % of ceT1; is it of the same patient?",
                case=doubt.case,
                share=share,
            )
