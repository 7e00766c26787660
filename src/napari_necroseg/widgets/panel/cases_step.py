"""The step Cases: opens a folder, lists its cases, and says what is to be mended."""

from napari.components import ViewerModel

from napari_necroseg.core.language import ntr, tr
from napari_necroseg.widgets.cases.dock import CasesParts
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.shared.qt_parts import Section


class CasesStep(Step):
    """Opens a folder of cases, and lists what is in it."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.cases = CasesParts(viewer)
        self.add(self.cases)
        parts = self.cases
        # The rest of these parts is in the header and in the step Draw & check.
        parts.setParent(self)
        parts.hide()
        self.about = Section()
        for label in (parts.view.about, parts.view.notes):
            self.about.addWidget(label)
        for part in (parts.opening, parts.notices, parts.table, self.about):
            self.body.addWidget(part)
        parts.opening.leave_main_to_panel()
        # Without drop area and table, the rows stay at the top.
        self.body.addStretch(1)
        for part in (parts.opening, parts.table):
            self.body.setStretchFactor(part, 1000)
        parts.table.itemSelectionChanged.connect(self.changed)
        parts.listen(parts.workspace.cohort_changed, self._on_job)
        parts.listen(parts.workspace.case_changed, self._on_case)
        self._on_case()

    def main(self) -> MainAction:
        """Open a folder, or the case whose row is selected."""
        workspace = self.cases.workspace
        case = workspace.case
        if self.cases.runner.is_busy or workspace.opening:
            return MainAction(text=tr("One moment ..."), help=tr("A project or a case is being opened."))
        selected = self.cases.table.selected
        if selected and (case is None or selected != case.name):
            text = tr("Open {case}", case=selected)
            return MainAction(text=text, help=tr("Open the selected case."), act=self._open_selected)
        if case is not None:
            text, help_text = (
                tr("Go on with {case}", case=case.name),
                tr("Draw and check the mask of the open case."),
            )
            return MainAction(text=text, help=help_text, act=lambda: workspace.step_wanted.emit("draw"))
        last = self.cases.opening.last
        if last is not None and workspace.cohort is None:
            text = self.cases.opening.continue_text
            return MainAction(text=text, help=str(last.folder), act=self.cases.opening.go_on)
        help_text = tr("Find and pair the images in a folder. What is ambiguous is asked, never guessed.")
        return MainAction(text=tr("Open folder ..."), help=help_text, act=self.cases.opening.ask_folder)

    def shown(self) -> None:
        """Look again at what each case has."""
        self.cases.around.look_again()

    def _on_case(self) -> None:
        case = self.cases.workspace.case
        self.about.setVisible(case is not None)
        if case is not None:
            n = len(case.notes)
            remarks = ntr("1 remark", "{n} remarks", n)
            about = tr("About {case}", case=case.name)
            self.about.setText(f"{about} ({remarks})" if n else about)
        self._on_job()

    def _open_selected(self) -> None:
        self.cases.choose(self.cases.table.selected)
