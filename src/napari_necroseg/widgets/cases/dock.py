"""The dock Cases: open images, see what each case has, look at both sequences side by side."""

import os
from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.jobs import cases
from napari_necroseg.jobs.cases import FoundTwins, OpenedCase, OpenedCohort, SavedMasks
from napari_necroseg.jobs.correct import PutAside, TakenBack
from napari_necroseg.layerdata import source_of
from napari_necroseg.widgets.cases.case_table import CaseTable, CaseView
from napari_necroseg.widgets.cases.open_panel import OpenPanel
from napari_necroseg.widgets.cases.switch_case import CaseSwitch
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.kept_strokes import KeptStrokesPart
from napari_necroseg.widgets.shared.qt_parts import on_destroyed
from napari_necroseg.widgets.shared.worker import Job, JobRunner

PHANTOM_CASES = 8


class CasesParts(DockParts):
    """Opens pairs and cohorts, and goes from case to case."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.opening = OpenPanel()
        self.table = CaseTable()
        self.view = CaseView()
        self.switch = CaseSwitch(self)
        self.kept = KeptStrokesPart(self)
        for part in (self.opening, self.table, self.kept, self.view):
            self.body.addWidget(part)
        self._phantoms_made = 0
        self._quiet = JobRunner(self)
        self._to_compare: Cohort | None = None
        on_destroyed(self, self._quiet.stop_flag())
        self._connect()
        self._on_cohort()
        self._on_case()

    def shut_down(self) -> None:
        """Also stop looking for equal images."""
        self._to_compare = None
        self._quiet.cancel()
        super().shut_down()

    def open_table(self, table: Path) -> None:
        """Read the table of a cohort, and open its first case."""
        self._run(partial(cases.open_cohort, table), f"Reading {table.name} ...")

    def open_folder(self, folder: Path) -> None:
        """Find and pair the images of a folder, or read its table if it has one."""
        table: Path | None = folder / "cohort.csv"
        if table is not None and table.exists():
            self.open_table(table)
            return
        if not os.access(folder, os.W_OK):
            title = f"{folder.name} cannot be written to: where should the table go?"
            table = qt_parts.ask_where_to_save(self, title, start="cohort.csv", kinds=qt_parts.TABLES)
        if table is not None:
            self._run(partial(cases.open_folder, folder, table), "Looking for images ...")

    def open_pair(self) -> None:
        """Open the files of the form, as a cohort of one case."""
        try:
            files = self.opening.pair.files()
        except NecrosegError as error:
            show_error(str(error))
            return
        self.switch.open(files.name, partial(cases.open_case, files, None))

    def open_phantom_case(self) -> None:
        """Open the next case of the numerical phantom."""
        index, self._phantoms_made = self._phantoms_made, self._phantoms_made + 1
        self.switch.open(f"phantom-{index + 1:02d}", partial(cases.open_phantom, index))

    def make_phantom_cohort(self, folder: Path) -> None:
        """Write a cohort of the phantom into a folder, and open it."""
        job = partial(cases.make_phantom_cohort, folder, PHANTOM_CASES)
        self._run(job, "Making the phantom cohort ...")

    def open_case(self, name: str) -> None:
        """Open a case of the cohort."""
        cohort = self.workspace.cohort
        if cohort is not None and name in cohort:
            files = cohort[name]
            self.switch.open(files.name, partial(cases.open_case, files, self.workspace.folder))

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
            self.panel.say("Select the reference, the tumour or a prediction in the layer list first.")
            return
        layers.copy_to_mine(chosen)
        self.panel.say(f"{chosen.name} is in my mask now. Ctrl+Z takes it back.")

    def save_masks(self) -> None:
        """Save the changed masks of the open case."""
        unsaved = self.workspace.layers.unsaved()
        if not unsaved:
            show_info("Every mask of this case is saved already.")
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
        self.opening.phantom_wanted.connect(self.open_phantom_case)
        self.opening.phantoms_wanted.connect(self.make_phantom_cohort)
        self.table.chosen.connect(self.open_case)
        self.view.step_wanted.connect(self.step)
        self.view.mask_wanted.connect(self.new_mask)
        self.view.save_wanted.connect(self.save_masks)
        self.view.copy_wanted.connect(self.copy_mask)
        self.view.panes_wanted.connect(self._set_side_by_side)
        self.runner.finished.connect(self._on_finished)
        self._quiet.finished.connect(self._on_compared)
        self._quiet.cancelled.connect(self._compare)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self.workspace.layers.drop_placeholders)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.case_wanted, self.open_case)

    def _run(self, job: Job, message: str) -> None:
        if not self.panel.run(job, message):
            self.panel.say("Still busy: wait, or press Cancel to stop this first.")

    def _on_finished(self, result: object) -> None:
        match result:
            case OpenedCohort():
                self._show_cohort(result)
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
        self.workspace.set_cohort(opened.cohort, opened.path)
        self.opening.show_problems(opened.problems)
        self._quiet.cancel()
        self._to_compare = None if opened.path is None or opened.compared else opened.cohort
        self._compare()
        if len(opened.cohort):
            self.open_case(opened.cohort.names[0])
        else:
            self.panel.say("There is no case in this cohort. The problems above say why.")

    def _compare(self) -> None:
        """Look for equal images in the cohort, once the search in the last cohort has stopped."""
        if self._to_compare is None or self._quiet.is_busy:
            return
        cohort, self._to_compare = self._to_compare, None
        self._quiet.start(partial(cases.look_for_twins, cohort))

    def _on_compared(self, found: FoundTwins) -> None:
        if found.problems and self.workspace.cohort is found.cohort:
            self.opening.show_problems(found.problems)

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

    def _on_cohort(self) -> None:
        self.table.show_cohort(self.workspace.cohort or Cohort(cases=()))
        self.table.setVisible(self.workspace.cohort is not None)
        self.opening.set_open(self.workspace.cohort is None and self.workspace.case is None)
        self._on_case()

    def _on_case(self) -> None:
        case = self.workspace.case
        self.view.show_case(case, self._place(0), total=len(self._names()))
        self.table.mark(case.name if case else "")

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
