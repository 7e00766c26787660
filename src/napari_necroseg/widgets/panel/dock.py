"""The dock Panel: a header, three steps, the status of the mask in work, and one main button."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakMethod

from napari.components import ViewerModel
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_necroseg.core.language import set_language, tr
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.widgets.panel.header import Header
from napari_necroseg.widgets.panel.kept_width import KeptWidth
from napari_necroseg.widgets.panel.pieces import import_parts, import_what_jobs_need
from napari_necroseg.widgets.panel.settings_menu import SettingsButton
from napari_necroseg.widgets.panel.status_line import StatusLine
from napari_necroseg.widgets.panel.step import Step
from napari_necroseg.widgets.shared.dock import FOOTER, DockLife, scroll_area
from napari_necroseg.widgets.shared.qt_parts import (
    below,
    beside,
    button,
    given,
    lay,
    on_destroyed,
    tab_order,
    timer,
)
from napari_necroseg.widgets.shared.workspace import Stepper, Workspace, unwrapped

if TYPE_CHECKING:
    from napari_necroseg.widgets.view.view import View

# The names in code, which are remembered, of the steps in their order.
STEPS = ("cases", "draw", "model", "researchers")
_MAIN_STYLE = (
    "QPushButton { background: #1f6feb; color: white; font-weight: bold; padding: 7px; border-radius: 4px; }"
    "QPushButton:hover { background: #1a5fd0; }"
    "QPushButton:focus { border: 2px solid white; }"
    "QPushButton:disabled { background: #555b66; color: #c9ccd1; }"
)


class Panel(QWidget):
    """One dock for the whole way from files to signed masks.

    `napari_viewer`: the viewer that the panel belongs to, or napari's proxy of it. The steps are imported and
    built one by one when Qt has nothing else to do, so that the window never stands still; one that is asked
    for earlier is built at once.
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = unwrapped(napari_viewer)
        self.workspace = Workspace.of(self.viewer)
        self._builder = Stepper()
        self._inside = _filling()
        # Whether the language is to change when no job runs any more.
        self._speaks_later = False
        self._soon_speaking = timer(self, 0, act=self.speak)
        lay(self, below(self._inside))
        self._fill()
        DockLife(self, opened=self.reopen, closed=self.shut_down)
        KeptWidth(self)
        self._builder.start(self._build_all())
        on_destroyed(self, self._builder.drop)
        self.workspace.step_wanted.connect(self.show_step)
        self.workspace.has_panel = True

    def _fill(self) -> None:
        """Make what is in the panel, in the language that is chosen."""
        set_language(read_remembered().language)
        self.header = Header(self.workspace)
        self.settings = SettingsButton(self.viewer)
        self.settings.language_chosen.connect(self.speak)
        self.status = StatusLine(self.workspace)
        self.main_button = button("", "")
        self.main_button.setObjectName("necroseg-main")
        self.main_button.setStyleSheet(_MAIN_STYLE)
        self.main_button.clicked.connect(self._on_main)
        self.steps = _Steps(self._build)
        self._stack = QStackedWidget()
        self._jobs = QVBoxLayout()
        self._jobs_of: dict[str, QWidget] = {}
        self._tabs = QButtonGroup(self)
        self._lay_out()
        self._refresh()

    def show_step(self, name: str) -> None:
        """Show a step, built first if it was not yet."""
        step = self.steps[name]
        self._stack.setCurrentIndex(STEPS.index(name))
        given(self._tabs.button(STEPS.index(name))).setChecked(True)
        step.shown()
        self._refresh()

    @property
    def step(self) -> str:
        """The name of the step that is shown."""
        return STEPS[self._stack.currentIndex()]

    def speak(self) -> None:
        """Make the panel anew in the language that was chosen; not while a job runs, which would be lost."""
        if self._is_busy:
            show_info(tr("Changes when the running job is over."))
            self._speaks_later = True
            return
        self._speaks_later = False
        name, old = self.step, self._inside
        self.shut_down()
        self._inside = _filling()
        given(self.layout()).replaceWidget(old, self._inside)
        old.hide()
        old.deleteLater()
        self._fill()
        self.reopen()
        self.show_step(name)
        _view_of(self.viewer).speak()

    @property
    def _is_busy(self) -> bool:
        """Whether a job of one of the steps runs."""
        return any(parts.runner.is_busy for step in self.steps.values() for parts in step.parts)

    @property
    def is_being_built(self) -> bool:
        """Whether parts of the panel are still to be imported or built."""
        return self._builder.is_busy

    def reopen(self) -> None:
        """Hear the viewer again, after the panel was closed and opened."""
        self.workspace.step_wanted.connect(self.show_step, unique=True)
        self.workspace.has_panel = True
        self.header.reopen()
        self.status.reopen()
        for step in self.steps.values():
            step.reopen()
        if not self._builder.is_busy:
            self._builder.start(self._build_all())

    def shut_down(self) -> None:
        """Stop all jobs, and hear nothing more of the viewer."""
        self._builder.drop()
        self.workspace.step_wanted.disconnect(self.show_step)
        self.workspace.has_panel = False
        self.header.shut_down()
        self.status.shut_down()
        for step in self.steps.values():
            step.shut_down()

    def _lay_out(self) -> None:
        tabs = []
        for number, (title, help_text) in enumerate(_titles()):
            tab = button(title, help_text)
            tab.setCheckable(True)
            self._tabs.addButton(tab, number)
            self._stack.addWidget(_empty_area())
            tabs.append(tab)
        self._tabs.idClicked.connect(self._on_tab)
        footer = QLabel(tr(FOOTER))
        footer.setStyleSheet("font-size: 10px;")
        head = beside(self.header, self.settings, wide=self.header)
        head.setAlignment(self.settings, Qt.AlignmentFlag.AlignTop)
        outer = below(head, beside(*tabs), self._stack, self._jobs, self.status, self.main_button, footer)
        outer.setStretchFactor(self._stack, 1)
        outer.setSpacing(4)
        lay(self._inside, outer)
        outer.setContentsMargins(6, 4, 6, 2)

    def _build(self, name: str) -> Step:
        step = _step(name, self.viewer)
        area = self._stack.widget(STEPS.index(name))
        assert isinstance(area, QScrollArea)
        area.setWidget(step)
        step.changed.connect(self._refresh)
        panels = lay(QWidget(), below(*(parts.panel for parts in step.parts)))
        self._jobs_of[name] = panels
        self._jobs.addWidget(panels)
        # Qt would put what is built later behind the main button.
        tab_order(given(self._tabs.button(len(STEPS) - 1)), step)
        return step

    def _build_all(self) -> Iterator[None]:
        yield from import_parts()
        if not self.steps:
            self.show_step(self.step)
            yield
        _view_of(self.viewer)
        yield
        for name in STEPS[:-1]:
            self.steps[name]
            yield
        yield from import_what_jobs_need()

    def _on_tab(self, number: int) -> None:
        name = STEPS[number]
        self.show_step(name)
        remember(step=name)

    def _on_main(self) -> None:
        main, shown = self.steps[self.step].main(), self.main_button.text()
        if main is not None and main.act is not None and main.text == shown:
            main.act()
        else:
            # What it said is no longer what comes next: it must not do something else than it says.
            self._refresh()

    def _refresh(self) -> None:
        step = self.steps.get(self.step)
        main = None if step is None else step.main()
        self.main_button.setVisible(main is not None)
        if self._speaks_later and not self._is_busy:
            self._soon_speaking.start()
        # What another step has said would only be in the way, but not the progress of its job.
        for name, panels in self._jobs_of.items():
            is_busy = any(parts.runner.is_busy for parts in self.steps[name].parts)
            panels.setVisible(name == self.step or is_busy)
        if main is not None:
            self.main_button.setText(main.text)
            # Qt takes the key away with the text.
            self.main_button.setShortcut("Ctrl+Return")
            self.main_button.setToolTip(f"{main.help}\n{tr('Key: Ctrl+Enter')}")
            self.main_button.setEnabled(main.act is not None)


def _view_of(viewer: ViewerModel) -> "View":
    """Return captions, bar, mouse and keys of the canvas; imported only here, as the steps are."""
    from napari_necroseg.widgets.view.view import View

    return View.of(viewer)


def _titles() -> tuple[tuple[str, str], ...]:
    """Return what is written on the tabs, in the order of the steps, and their explanations."""
    return (
        (tr("1  Cases"), tr("Open a folder, and see its cases.")),
        (tr("2  Draw && check"), tr("Outline the zone in the open case, check it and sign it off.")),
        (tr("3  Model"), tr("Learn from the drawn masks, and predict the other cases.")),
        (tr("For researchers"), tr("See how training samples are varied, and run studies.")),
    )


class _Steps(dict[str, Step]):
    """The steps by their names; one that is not there yet is built when it is asked for."""

    def __init__(self, build: Callable[[str], Step]) -> None:
        super().__init__()
        # The panel owns this: a strong reference to its method would be a circle.
        self._build = WeakMethod(build)

    def __missing__(self, name: str) -> Step:
        step = self[name] = given(self._build())(name)
        return step


def _step(name: str, viewer: ViewerModel) -> Step:
    """Build a step; each is imported only here, since together they take long."""
    if name == "cases":
        from napari_necroseg.widgets.panel.cases_step import CasesStep

        return CasesStep(viewer)
    if name == "draw":
        from napari_necroseg.widgets.panel.draw_step import DrawStep

        return DrawStep(viewer)
    if name == "model":
        from napari_necroseg.widgets.panel.model_step import ModelStep

        return ModelStep(viewer)
    from napari_necroseg.widgets.panel.researchers_step import ResearchersStep

    return ResearchersStep(viewer)


def _filling() -> QWidget:
    """Make a widget that takes all the height; napari adds a gap below any other."""
    made = QWidget()
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    return made


def _empty_area() -> QScrollArea:
    area = scroll_area(QWidget())
    # A bar that comes and goes with a message would move what is under the pointer.
    area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
    return area
