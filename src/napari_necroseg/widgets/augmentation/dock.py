"""The dock Augmentation preview: see, on one's own images, exactly what a training will see."""

from functools import partial

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QRadioButton,
    QSlider,
    QWidget,
)

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.jobs.preview import (
    CasePreview,
    PreviewRequest,
    Sheet,
    Subject,
    View,
    in_words,
    necrosis_in_words,
    sheet_in_words,
)
from napari_necroseg.widgets.augmentation.controls import AugmentControls, OwnRanges, PresetChoice
from napari_necroseg.widgets.augmentation.picture import Picture
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.layer_choice import SubjectChoice
from napari_necroseg.widgets.shared.number_inputs import spin
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, beside, button, lay, timer
from napari_necroseg.widgets.shared.worker import NewestOnly

# The whole patch follows when the hand rests or releases the slider.
_REST_MS = 120
_SHEETS = {"one draw": 0, "9 draws": 9, "16 draws": 16}
_NOTE = "This is what the network is trained on: whitened intensities, in a patch of the preset's size."


class AugmentationParts(DockParts):
    """Shows draws of the augmentation on the open case, or on any pair of layers."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.choice = SubjectChoice(self.workspace)
        self.controls = AugmentControls()
        self.picture = Picture()
        self.by_draw, self.by_value = QRadioButton("Drawn"), QRadioButton("One value")
        self.slice = QSlider(Qt.Orientation.Horizontal)
        self.whose = PresetChoice()
        self.ranges = OwnRanges(self.workspace, self.controls, training=self.whose.training())
        self.has_outline, self.has_grid = QCheckBox("Outline"), QCheckBox("Grid")
        self.seed, self.number = spin(2**31 - 1), spin(10**9)
        self.sheet = QComboBox()
        self.values, self.necrosis = WrappedLabel(), WrappedLabel()
        self.latest = NewestOnly(self)
        self._preview = CasePreview()
        self._subject: Subject | None = None
        self._request: PreviewRequest | None = None
        self._rest = timer(self, _REST_MS, act=self._ask_for_patch)
        self._build()
        self._connect()
        self._on_layers()

    def shut_down(self) -> None:
        """Also end the thread."""
        self._rest.stop()
        self.latest.forget()
        self.latest.stop_flag()()
        super().shut_down()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  # Qt's name
        """Catch up: nothing is computed while another dock stands in front."""
        super().showEvent(event)
        self._on_changed()

    def request(self) -> PreviewRequest:
        """Return what the controls ask for.

        Raises SettingsError for choices that contradict each other.
        """
        is_single = self.by_value.isChecked()
        return PreviewRequest(
            training=self.whose.training().changed(augment=self.controls.config(), seed=self.seed.value()),
            number=self.number.value(),
            n_draws=0 if is_single else _SHEETS[self.sheet.currentText()],
            values=self.controls.values() if is_single else None,
            slice_index=self.slice.value(),
            has_outline=self.has_outline.isChecked(),
            has_grid=self.has_grid.isChecked(),
        )

    def new_draw(self) -> None:
        """Show the next draw."""
        self.number.setValue(self.number.value() + 1)

    def previous_draw(self) -> None:
        """Show the draw before."""
        self.number.setValue(self.number.value() - 1)

    def _build(self) -> None:
        self._fit_slider()
        self.slice.setValue(self.slice.maximum() // 2 + 1)
        self.by_draw.setChecked(True)
        self.has_outline.setChecked(True)
        self.sheet.addItems(list(_SHEETS))
        self._explain()
        # Above the part that scrolls: a slider is moved while one looks at the pictures.
        above = below(self.picture, beside(QLabel("Slice"), self.slice))
        self.top.addWidget(lay(QWidget(), above))
        above.setContentsMargins(6, 6, 6, 0)
        self.body.addLayout(beside(self.by_draw, self.by_value, None, self.whose))
        before = button("<", "Show the previous draw.", act=self.previous_draw, width=28)
        after = button(">", "Show a new draw.", act=self.new_draw, width=28)
        self.body.addLayout(beside(QLabel("Draw"), before, self.number, after, None, self.sheet))
        self.body.addLayout(beside(QLabel("Seed"), self.seed, None, self.has_outline, self.has_grid))
        note = WrappedLabel(_NOTE)
        for widget in (self.values, self.necrosis, self.controls, self.ranges, self.choice, note):
            self.body.addWidget(widget)

    def _explain(self) -> None:
        for widget, text in (
            (self.slice, "The slice of the patch; the wheel over the pictures moves it, too."),
            (self.by_draw, "Each parameter is drawn from its range, as a training draws it."),
            (self.by_value, "Each parameter has exactly the value of its slider."),
            (self.has_outline, "The outline of the reference, or what became of it."),
            (self.has_grid, "Where lines of the original, 16 voxels apart, come to lie."),
            (self.sheet, "Many draws at a glance; click one to see it alone."),
            (self.seed, "Start of the random draws: a training with this seed draws the same."),
            (self.number, "Which draw."),
        ):
            widget.setToolTip(text)

    def _connect(self) -> None:
        self.choice.changed.connect(self._on_subject)
        self.controls.changed.connect(self._on_changed)
        self.controls.released.connect(self._ask_for_patch)
        self.by_value.toggled.connect(self._on_mode)
        self.whose.changed.connect(self._on_whose)
        for switch in (self.has_outline, self.has_grid):
            switch.toggled.connect(self._on_changed)
        for number in (self.slice, self.seed, self.number):
            number.valueChanged.connect(self._on_changed)
        self.sheet.currentIndexChanged.connect(self._on_changed)
        self.picture.scrolled.connect(lambda step: self.slice.setValue(self.slice.value() + step))
        self.picture.chosen.connect(self._on_tile)
        self.latest.done.connect(self._on_made)
        self.latest.failed.connect(self.picture.say)
        self.destroyed.connect(self.latest.stop_flag())
        self.listen(self.workspace.case_changed, self._on_layers)
        happenings = ("inserted", "removed", "reordered", "renamed")
        self.listen_to(self.viewer.layers.events, happenings, slot=self._on_layers)

    def _on_layers(self, *_: object) -> None:
        self.choice.follow()
        self._on_subject()

    def _on_subject(self) -> None:
        """Show other images, and drop requests about the last ones."""
        self.latest.forget()
        self._request = None
        problem = self.choice.problem()
        self._subject = None if problem else self.choice.subject()
        if problem:
            self.picture.say(problem)
            self.values.say("")
            self.necrosis.say("")
            return
        if self.picture.shown is None:
            self.picture.say("Getting ready ...")
        self._on_changed()

    def _on_mode(self, is_single: bool) -> None:
        self.controls.show_single(is_single)
        for widget in (self.seed, self.number, self.sheet):
            widget.setEnabled(not is_single)
        self._on_changed()

    def _fit_slider(self) -> None:
        """Set the slider's range to the slices of the patch; its position in the stack stays."""
        before, n = self.slice.maximum() + 1, self.whose.training().slices
        place = self.slice.value() / before
        self.slice.setMaximum(n - 1)
        self.slice.setValue(round(place * n))

    def _on_whose(self) -> None:
        """Follow another preset; ranges that a person has changed stay."""
        # First the slices, so that a request in between names a slice that the patch has.
        self._fit_slider()
        self.ranges.follow(self.whose.training())
        self._on_changed()

    def _on_tile(self, number: int) -> None:
        self.sheet.setCurrentIndex(0)
        self.number.setValue(number)

    def _on_changed(self, *_: object) -> None:
        """Ask for the slice at once, and for the whole patch when the hand rests."""
        self._ask(has_patch=False)
        self._rest.start()

    def _ask_for_patch(self) -> None:
        self._rest.stop()
        self._ask(has_patch=True)

    def _ask(self, *, has_patch: bool) -> None:
        if self._subject is None or not self.isVisible():
            return
        try:
            request = self.request()
        except SettingsError as error:
            self.ranges.message.say(str(error))
            return
        if request.n_draws and request == self._request:
            return
        self._request = request
        if request.n_draws:
            self.latest.ask(partial(self._preview.sheet, self._subject, request))
            return
        source = self._preview.ready(self._subject, request.training)
        if has_patch or source is None:
            self.latest.ask(partial(self._preview.view, self._subject, request, has_patch=has_patch))
        else:
            # It takes a few milliseconds; handing it to the thread and back would take longer.
            self._show(self._preview.view(self._subject, request, has_patch=False, source=source))

    def _on_made(self, made: View | Sheet) -> None:
        if made.request == self._request:
            self._show(made)

    def _show(self, made: View | Sheet) -> None:
        self.picture.show_made(made)
        if isinstance(made, Sheet):
            self.values.say(sheet_in_words(made))
            self.necrosis.say("")
            return
        if made.after_ml is not None:
            # Sentences wait until the hand rests: laying them out takes longer than painting the pictures.
            self.values.say(in_words(made))
            self.necrosis.say(necrosis_in_words(made))


class Augmentation(Dock, AugmentationParts):
    """The dock Augmentation preview."""
