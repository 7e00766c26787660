"""The dock Cases: open images, see what each case has and what is missing, go from case to case."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event
from napari_necroseg.core.files import user_data_folder
from napari_necroseg.core.language import tr
from napari_necroseg.core.project.remembered import read_remembered
from napari_necroseg.jobs import cases, opening, project_table
from napari_necroseg.jobs.cases import OpenedCase, OpenedCohort, SavedMasks
from napari_necroseg.jobs.correct import PutAside, TakenBack
from napari_necroseg.jobs.opening import Question, Wish
from napari_necroseg.jobs.project_table import Mended
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.cases import ask
from napari_necroseg.widgets.cases.case_table import CaseTable
from napari_necroseg.widgets.cases.case_view import CaseView
from napari_necroseg.widgets.cases.drops import watch_window
from napari_necroseg.widgets.cases.notices import NoticeList
from napari_necroseg.widgets.cases.open_panel import OpenPanel
from napari_necroseg.widgets.cases.surroundings import Surroundings
from napari_necroseg.widgets.cases.switch_case import CaseSwitch
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.kept_strokes import KeptStrokesPart
from napari_necroseg.widgets.shared.qt_parts import on_destroyed
from napari_necroseg.widgets.shared.worker import Job, NewestJob

PHANTOM_CASES = 8
# A person waits for these.
EXAMPLE_CASES = 3
EXAMPLE_FOLDER = "example"

# Projects in here are gone after a while: they are not remembered.
_TEMPORARY = "necroseg-phantom-"
Search = Callable[..., Iterator[Event]]


class CasesParts(DockParts):
    """Opens pairs and projects, and goes from case to case."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.opening = OpenPanel()
        self.table = CaseTable()
        self.notices = NoticeList()
        self.view = CaseView()
        self.switch = CaseSwitch(self)
        self.kept = KeptStrokesPart(self)
        self.around = Surroundings(self, self.workspace, run=self._run)
        for part in (self.opening, self.notices, self.table, self.kept, self.view):
            self.body.addWidget(part)
        self.body.setStretchFactor(self.table, 1)
        self._phantoms_made = 0
        # How the search goes on once a question is answered.
        self._asking: tuple[Wish, Search] | None = None
        self._memory = NewestJob(self)
        # The case that is opened from here, after which the panel moves on, and to which step.
        self._moves_on, self._next_step = "", "draw"
        # The project to go back to if no case of the one that is being opened can be read.
        self._stays: tuple[Cohort, Path | None] | None = None
        self._token = object()
        openers, token = self.workspace.openers, self._token
        openers.append(token)
        on_destroyed(self, *self.around.stop_flags(), partial(_remove, openers, token))
        watch_window(self.viewer, self.workspace, also=self.opening)
        self._connect()
        self._on_cohort()
        self._on_case()

    def reopen(self) -> None:
        """Also open what is dropped again."""
        super().reopen()
        if self._token not in self.workspace.openers:
            self.workspace.openers.append(self._token)
        self._on_cohort()
        self._on_case()

    def shut_down(self) -> None:
        """Also stop looking around."""
        _remove(self.workspace.openers, self._token)
        self.around.stop()
        super().shut_down()

    def open_table(self, table: Path) -> None:
        """Read the table of a project, and open its first case."""
        self.open_paths((table,))

    def open_folder(self, folder: Path) -> None:
        """Find and pair the images of a folder, or read its table if it has one."""
        self.open_paths((folder,))

    def open_paths(self, paths: tuple[Path, ...]) -> None:
        """Open folders, a table or files as a project; what only the person knows is asked."""
        self._look_for(self._wish(paths), opening.open_paths)

    def open_pair(self) -> None:
        """Open the files of the form, as a case of the project or alone."""
        try:
            files = self.opening.pair.files()
        except NecrosegError as error:
            show_error(str(error))
            return
        self._look_for(self._wish(()), partial(opening.open_pair, files))

    def open_example(self) -> None:
        """Open a project of computed images, which is made at the first call."""
        folder = user_data_folder() / EXAMPLE_FOLDER
        if (folder / opening.TABLE_NAME).exists():
            self.open_folder(folder)
        else:
            self.make_phantom_cohort(folder, EXAMPLE_CASES)

    def open_phantom_case(self) -> None:
        """Open the next case of the numerical phantom."""
        index, self._phantoms_made = self._phantoms_made, self._phantoms_made + 1
        name = f"phantom-{index + 1:02d}"
        self._moves_on = name
        self.switch.open(name, partial(cases.open_phantom, index))

    def make_phantom_cohort(self, folder: Path, n_cases: int = PHANTOM_CASES) -> None:
        """Write a cohort of the phantom into a folder, and open it."""
        job = partial(cases.make_phantom_cohort, folder, n_cases)
        self._run(job, tr("Making the computed images ..."))

    def open_case(self, name: str) -> None:
        """Open a case of the cohort."""
        cohort = self.workspace.cohort
        if cohort is not None and name in cohort:
            files = cohort[name]
            self.switch.open(
                files.name, partial(cases.open_case, files, self.workspace.folder, ahead=self.workspace.ahead)
            )

    def choose(self, name: str) -> None:
        """Open a case, and move the panel on to it; one that is open already is only shown."""
        if self.workspace.opening == name:
            return
        case = self.workspace.case
        if case is not None and case.name == name and not self.workspace.opening:
            self.workspace.step_wanted.emit("draw")
            return
        self._moves_on = name
        self.open_case(name)

    def step(self, by: int) -> None:
        """Open the next case (1) or the one before (-1)."""
        place = self._place(by)
        if place is not None:
            self.open_case(self._names()[place])

    def new_mask(self) -> None:
        """Add an empty mask to the open case."""
        if self.workspace.case is not None:
            layer = self.workspace.layers.new_mask(self.workspace.case)
            layer.mode = "paint"

    def copy_mask(self) -> None:
        """Copy the selected mask into the person's mask of the open case."""
        case, layers = self.workspace.case, self.workspace.layers
        chosen = layers.panes.base_of(self.viewer.layers.selection.active)
        mine = None if case is None else layers.mine(case.name)
        source = None if chosen is None else source_of(chosen.metadata)
        if case is None or chosen is None or chosen is mine or source is None or source.case != case.name:
            self.panel.say(tr("Select the reference, the tumour or a prediction in the layer list first."))
            return
        layers.copy_to_mine(chosen)
        self.panel.say(tr("{name} is in my mask now. Ctrl+Z takes it back.", name=chosen.name))

    def save_masks(self) -> None:
        """Save the changed masks of the open case."""
        unsaved = self.workspace.layers.unsaved()
        if not unsaved:
            show_info(tr("Every mask of this case is saved already."))
            return
        try:
            saves = self.workspace.masks_to_save(self, unsaved)
        except NecrosegError as error:
            show_error(str(error))
            return
        if saves:
            self._run(partial(cases.save_masks, saves), "Saving ...")

    def _connect(self) -> None:
        self.opening.table_wanted.connect(self.open_table)
        self.opening.folder_wanted.connect(self.open_folder)
        self.opening.pair_wanted.connect(self.open_pair)
        self.opening.example_wanted.connect(self.open_example)
        self.opening.continued.connect(self._on_continued)
        self.table.chosen.connect(self.choose)
        self.around.changed.connect(self._on_around)
        self.around.case_wanted.connect(self.choose)
        self.view.step_wanted.connect(self.step)
        self.view.mask_wanted.connect(self.new_mask)
        self.view.save_wanted.connect(self.save_masks)
        self.view.copy_wanted.connect(self.copy_mask)
        self.view.panes_wanted.connect(self._set_side_by_side)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self.workspace.layers.drop_placeholders)
            over.connect(self._on_over)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.case_wanted, self._on_case_wanted)
        self.listen(self.workspace.paths_wanted, self._on_paths_wanted)
        self.listen(self.workspace.files_changed, self._on_files_changed)
        self.listen(self.workspace.layers.saved, self._on_files_changed)
        self.listen(self.workspace.states_changed, self._on_states)

    def _wish(self, paths: tuple[Path, ...]) -> Wish:
        last = {one.folder: one.case for one in read_remembered().projects}
        return Wish(paths=paths, project=self.workspace.cohort_path, last=last)

    def _look_for(self, wish: Wish, search: Search) -> None:
        self._asking = (wish, search)
        self._run(partial(search, wish), tr("Looking for images ..."))

    def _on_question(self, question: Question) -> None:
        asking, self._asking = self._asking, None
        answer = ask.ask(self, question)
        if asking is None or answer is None:
            self.panel.say(tr("Nothing was opened."))
            return
        wish, search = asking
        self._look_for(wish.answered(question, answer), search)

    def _run(self, job: Job, message: str) -> None:
        if not self.panel.run(job, message):
            self.panel.say(tr("Still busy: wait, or press Cancel to stop this first."))

    def _on_finished(self, result: object) -> None:
        match result:
            case Question():
                self._on_question(result)
            case OpenedCohort():
                self._show_cohort(result)
            case Mended():
                self._show_mended(result)
            case OpenedCase():
                self._show_case(result)
            case SavedMasks():
                self.workspace.layers.mark_saved(result.masks)
                self.panel.say(str(result))
            case TakenBack():
                self._put_back(result)
            case PutAside():
                self.workspace.journalling.look_up()
                self.panel.say(str(result))

    def _show_cohort(self, opened: OpenedCohort) -> None:
        before = (self.workspace.cohort, self.workspace.cohort_path)
        self._stays = None
        is_same = opened.path is not None and opened.path == self.workspace.cohort_path
        self.notices.forget_dismissed()
        self.workspace.set_cohort(opened.cohort, opened.path)
        if not len(opened.cohort):
            self.around.begin(opened)
            self.panel.say(tr("There is no case in this folder yet. The rows above say why."))
            return
        first = opened.first or opened.cohort.names[0]
        if is_same:
            self.choose(first)
        else:
            # A case of the same name may be open, of another project.
            self._moves_on = first
            self._stays = None if before[0] is None or self.workspace.case is None else (before[0], before[1])
            self.open_case(first)
            if self.workspace.opening != first:
                # The person stays with what was drawn.
                self._on_over()
                return
        self.around.begin(opened)

    def _show_mended(self, mended: Mended) -> None:
        """Show a table that was changed; the case is read anew if it is the open one, or if none is."""
        opened = mended.project
        case = self.workspace.case
        self.workspace.set_cohort(opened.cohort, opened.path)
        self.around.begin(opened)
        if case is None or case.name == mended.case:
            self._moves_on = mended.case if case is None else ""
            self.open_case(mended.case)

    def _show_case(self, opened: OpenedCase) -> None:
        # A pair of files may have the name of a case of the project, but is another case.
        if opened.files is not None and opened.files not in tuple(self.workspace.cohort or ()):
            self.workspace.set_cohort(Cohort(cases=(opened.files,)), None)
        self.switch.finish(opened)

    def _put_back(self, taken: TakenBack) -> None:
        case = self.workspace.case
        if case is None or case.name != taken.case:
            # It is offered again when its case is opened.
            taken.journal.close()
            return
        self.workspace.journalling.put_back(case, taken.kept, journal=taken.journal, found=taken.found)
        self.panel.say(str(taken))

    def _set_side_by_side(self, wanted: bool) -> None:
        self.workspace.layers.panes.side_by_side = wanted
        self.viewer.fit_to_view()

    def _on_case_wanted(self, name: str) -> None:
        if self._is_in_charge():
            self.open_case(name)

    def _on_paths_wanted(self, paths: tuple[Path, ...]) -> None:
        if self._is_in_charge():
            self.open_paths(paths)

    def _on_continued(self, folder: Path) -> None:
        """Open the last project at the case and the step where it was left."""
        step = read_remembered().step
        self._next_step = "model" if step == "model" else "draw"
        self.open_folder(folder)

    def _is_in_charge(self) -> bool:
        """Whether these parts open what is wanted: the panel and the dock Cases may both be there."""
        return self.workspace.openers[:1] == [self._token]

    def _on_files_changed(self, *_: object) -> None:
        if self._is_in_charge():
            self.around.look_again()

    def _on_states(self) -> None:
        self.table.show_cohort(self.workspace.cohort or Cohort(cases=()), self.workspace.states)
        self._mark()
        self._on_around()

    def _on_around(self) -> None:
        self.notices.show_notices(self.around.notices())

    def _on_over(self, *_: object) -> None:
        """Go back to the project whose case is still on the screen, if no case of another one was opened."""
        self._moves_on, self._next_step = "", "draw"
        stays, self._stays = self._stays, None
        if stays is not None and not self.workspace.opening:
            self.workspace.set_cohort(*stays)
            self.around.begin(OpenedCohort(cohort=stays[0], path=stays[1], compared=True))

    def _on_cohort(self) -> None:
        self.table.show_cohort(self.workspace.cohort or Cohort(cases=()), self.workspace.states)
        self.table.setVisible(bool(self.workspace.cohort))
        self.opening.set_open(self.workspace.cohort is None and self.workspace.case is None)
        self._on_case()

    def _on_case(self) -> None:
        case = self.workspace.case
        self.view.show_case(case, self._place(0), total=len(self._names()))
        self.opening.set_open(self.workspace.cohort is None and case is None)
        self._mark()
        if case is None:
            return
        self._stays = None
        if self._is_in_charge():
            self._remember(self.workspace.case_folder, case.name)
            self.around.case_is_shown()
        if case.name == self._moves_on:
            step, self._moves_on, self._next_step = self._next_step, "", "draw"
            self.workspace.step_wanted.emit(step)

    def _remember(self, folder: Path | None, case: str) -> None:
        temporary = Path(tempfile.gettempdir())
        if folder is not None and not (folder.parent == temporary and folder.name.startswith(_TEMPORARY)):
            self._memory.read(partial(project_table.remember_case, folder, case))

    def _mark(self) -> None:
        self.table.mark(self.workspace.case.name if self.workspace.case else "")

    def _names(self) -> tuple[str, ...]:
        return self.workspace.cohort.names if self.workspace.cohort else ()

    def _place(self, by: int) -> int | None:
        """The row of the open case, or of the case that many rows after it."""
        names = self._names()
        if self.switch.target not in names:
            return 0 if by and names else None
        place = names.index(self.switch.target) + by
        return place if 0 <= place < len(names) else None


class Cases(Dock, CasesParts):
    """The dock Cases."""


def _remove(openers: list[object], token: object) -> None:
    if token in openers:
        openers.remove(token)
