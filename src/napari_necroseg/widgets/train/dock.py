"""The dock Train: choose cases and settings, watch the loss, get a model."""

from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.config import AugmentConfig, TrainConfig, train_preset
from napari_necroseg.core.display import duration
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, TrainingStep, Validated, ValidationPicture
from napari_necroseg.core.language import tr
from napari_necroseg.core.plan import Plan, make_plan
from napari_necroseg.core.project.known_models import LEAST_ITERATIONS
from napari_necroseg.core.project.model_folder import MODELS_FOLDER, TrainedRun, learned_cases
from napari_necroseg.core.project.models import new_run_name
from napari_necroseg.jobs import train
from napari_necroseg.jobs.train import (
    DICTATED,
    NewTraining,
    ResumedTraining,
    TrainingControls,
    augmentation_in_words,
    cases_to_score,
    dictated_by,
    plan_in_words,
    starting_point,
)
from napari_necroseg.widgets.shared import qt_parts
from napari_necroseg.widgets.shared.config_form import ConfigForm
from napari_necroseg.widgets.shared.dock import Dock, DockParts
from napari_necroseg.widgets.shared.loss_curve import LossCurve
from napari_necroseg.widgets.shared.model_choice import ModelChoice
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, beside, browse_button, button
from napari_necroseg.widgets.train.cases import TrainCases
from napari_necroseg.widgets.train.run_controls import InterruptedTraining, LiveMask, RunControls

_PLAIN = ("preset", "dimension", "sequences", "minutes")
# Choices that changing the preset leaves alone.
_PERSONAL = ("sequences", "target", "seed", "device", "threads")
# Chosen in the dock Augmentation preview, which shows their effect.
_HIDDEN = tuple(f"augment.{name}" for name in AugmentConfig.model_fields)
_MODEL_HELP = (
    "Random weights: a network that knows nothing yet. A model: it goes on from what that one has learned "
    "(fine-tuning; fast then takes a tenth of its learning rate), so a few corrected cases can improve it."
)
_NAME_HELP = "Name of the new model: a folder of that name is made in the folder below."


class TrainParts(DockParts):
    """Trains a network on cases of the open cohort."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.form = ConfigForm(train_preset("fast"), plain=_PLAIN, hidden=_HIDDEN)
        self.chooser = TrainCases(self.workspace)
        self.cases, self.validates = self.chooser.list, self.chooser.validates
        self.model = ModelChoice(
            self.workspace, "Start from", help_text=_MODEL_HELP, nothing="random weights"
        )
        self.curve = LossCurve()
        self.name = QLineEdit()
        help_text = "Start the training. The viewer stays usable meanwhile."
        self.start_button = button("Train", help_text, act=self.start)
        self.interrupted = InterruptedTraining()
        self.meanwhile = RunControls()
        self._live = LiveMask(self.workspace)
        self.summary, self.augmentation, self._folder_label = WrappedLabel(), WrappedLabel(), WrappedLabel()
        self._models: Path | None = None
        self._shown: tuple[str, str] | None = (self._config().preset, self._config().dimension)
        self._is_named = False
        self._build()
        self._connect()
        self._on_cohort()

    def start(self) -> None:
        """Train with what the form says; pressed again while a training runs, it does nothing."""
        if self.runner.is_busy:
            return
        # Masks that another dock or program has saved meanwhile count, too.
        self.chooser.show_cases(self.chooser.config)
        plan = self._plan()
        if plan is not None and self._models is None:
            self._choose_folder()
        if plan is None or self._models is None:
            return
        run = self._models / self.name.text().strip()
        held_out = self._held_out()
        cohort = self.chooser.cohort
        training = NewTraining(
            config=plan.config,
            cohort=cohort.only(plan.cases),
            validation=cohort.only(held_out),
            out=run,
            start_from=self.model.run(),
            left_out=cohort.without(plan.cases),
            picture=self._live.begin(held_out, run.name),
        )
        self._run(training, f"Training {run.name} ...")

    def resume(self) -> None:
        """Go on with the training that was interrupted last, with its own choices and cases."""
        cohort, run = self.chooser.cohort, self.interrupted.run
        if self.runner.is_busy or run is None:
            return
        others = cohort if self.validates.isChecked() else Cohort(cases=())
        picture = self._live.begin(others.names, run.name)
        training = ResumedTraining(out=run, cohort=cohort, validation=others, picture=picture)
        self._run(training, f"Going on with {run.name} ...")

    def add_layers(self) -> None:
        """Add the chosen layers, as they are now, as a case to train on."""
        taken = self.attempt(lambda: self.chooser.taken(self._config().target))
        if taken is None:
            return
        if not self.panel.run(partial(train.load_layer_case, taken), f"Taking over {taken.name} ..."):
            self.panel.say("Still busy: add the layers when this is over.")

    def _held_out(self) -> tuple[str, ...]:
        """The cases to score during the training: of those left out, a few that the start model knows."""
        if not self.validates.isChecked():
            return ()
        return cases_to_score(self.cases.held_out(), self.model.run())

    def _run(self, training: NewTraining | ResumedTraining, message: str) -> None:
        controls = TrainingControls()
        if self.panel.run(partial(train.do_training, training, controls), message):
            self.meanwhile.controls = controls
            self.interrupted.show_run(None)
            self.curve.clear()
            self._refresh()

    def _build(self) -> None:
        self.name.setToolTip(_NAME_HELP)
        choose = browse_button("Choose another folder for the models.", self._choose_folder)
        model_row = beside(QLabel("Model"), self.name, choose, wide=self.name)
        widgets: list[QWidget] = [self.chooser, self.model, self.form, self.augmentation, self._folder_label]
        for widget in [*widgets, self.summary, self.start_button, self.interrupted]:
            self.body.addWidget(widget)
        self.body.insertLayout(4, model_row)
        self.body.addWidget(self.meanwhile)
        self.body.addWidget(self.curve)

    def _connect(self) -> None:
        self.form.changed.connect(self._on_form)
        self.chooser.changed.connect(self._refresh)
        self.chooser.layers.wanted.connect(self.add_layers)
        self.model.chosen.connect(self._on_model)
        self.name.textEdited.connect(self._on_named)
        self.interrupted.go_on.clicked.connect(self.resume)
        self.interrupted.discarded.connect(self._on_discarded)
        self.panel.given_up.connect(self.meanwhile.give_up)
        self.meanwhile.kept.connect(self._on_kept)
        self.runner.reported.connect(self._on_event)
        self.runner.finished.connect(self._on_finished)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._look_again)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.layers.saved, self._on_case)
        self.listen(self.workspace.case_changed, self._on_case)
        self.listen(self.workspace.run_changed, self.model.refill)
        self.listen(self.workspace.improvement_wanted, self._on_improvement)
        self.listen_to(self.viewer.layers.events, ("inserted", "removed"), slot=self.chooser.layers.follow)
        self.listen(self.workspace.augment_changed, self._refresh)

    def _config(self) -> TrainConfig:
        config = self.form.config()
        assert isinstance(config, TrainConfig)
        augment = self.workspace.augment
        return config if augment is None else config.changed(augment=augment)

    def _on_form(self) -> None:
        """Follow the preset and the network, then show the plan."""
        preset, dimension = self.form.input("preset").value, self.form.input("dimension").value
        if (preset, dimension) != self._shown:
            keep = {name: self.form.input(name).value for name in _PERSONAL}
            config = starting_point(preset, dimension, personal=keep, run=self.model.run())
            self._shown = (config.preset, config.dimension)
            self.form.set_config(config)
            return
        try:
            self.chooser.show_cases(self._config())
        except NecrosegError:
            self._refresh()

    def _on_model(self) -> None:
        """Copy the settings that the start model dictates, and disable their inputs."""
        run, is_tuning = self.model.run(), not self.form.input(DICTATED[0]).enabled
        if run is None and not is_tuning:
            return
        taken = dictated_by(run)
        for name in DICTATED:
            self.form.input(name).enabled = name not in taken
        if run is not None:
            self.validates.setChecked(True)
            self.cases.tick(self.chooser.new_to(learned_cases(run)) or self.cases.ticked())
        # Fill in the preset anew, then the settings that the start model dictates.
        self._shown = None
        self._on_form()

    def _on_improvement(self, cases: tuple[str, ...]) -> None:
        """Go on from the newest model, with these cases."""
        self.model.choose_newest()
        self._on_case()
        self.cases.tick(cases)

    def _on_cohort(self) -> None:
        folder = self.workspace.folder
        self.chooser.enter(folder)
        self._models = None if folder is None else folder / MODELS_FOLDER
        self._is_named = False
        self.model.refill()
        self.chooser.layers.follow()
        self._on_form()
        self._look_again()

    def _on_case(self) -> None:
        self.chooser.layers.follow()
        self._on_form()

    def _look_again(self) -> None:
        """Look for an interrupted training, then update the buttons."""
        self.interrupted.look(None if self.runner.is_busy else self._models)
        self._refresh()

    def _on_discarded(self, message: str) -> None:
        self.panel.say(message)
        self._look_again()

    def _on_named(self) -> None:
        self._is_named = bool(self.name.text().strip())
        self._refresh()

    def _choose_folder(self) -> None:
        folder = qt_parts.ask_folder(
            self, "Folder for trained models", start=str(self.workspace.folder or "")
        )
        if folder is not None:
            self._models = folder
            self._look_again()

    def _plan(self) -> Plan | None:
        """Plan the training, or say why it cannot be; the device is looked at only when it starts."""
        try:
            config = self._config()
            cohort = self.chooser.cohort.only(self.cases.ticked())
            plan = make_plan(config, cohort)
        except NecrosegError as error:
            has_cases = bool(len(self.chooser.cohort))
            self.summary.say(str(error) if has_cases else "Open a cohort in the dock Cases first.")
            return None
        run = self.model.run()
        self.summary.say(plan_in_words(plan, start_from="" if run is None else run.name))
        return plan

    def _refresh(self) -> None:
        plan = self._plan()
        self.augmentation.say(augmentation_in_words(plan, is_chosen=self.workspace.augment is not None))
        if plan is not None and not self._is_named:
            sequences = tuple(str(sequence) for sequence in plan.config.sequences)
            self.name.setText(new_run_name(self._models, plan.config.dimension, sequences=sequences))
        is_named = bool(self.name.text().strip())
        self.start_button.setEnabled(plan is not None and is_named and not self.runner.is_busy)
        self.interrupted.setVisible(self.interrupted.run is not None and bool(len(self.chooser.cohort)))
        self.meanwhile.show_busy(self.runner.is_busy)
        place = "chosen when you press Train" if self._models is None else str(self._models)
        self._folder_label.say(f"Folder: {place}")

    def _on_kept(self) -> None:
        self.panel.say("Stopping after this step; the model is kept ...")

    def _on_event(self, event: Event) -> None:
        match event:
            case TrainingStep():
                self.curve.add(event.iteration, event.loss)
            case ValidationPicture():
                self._live.show(event)
            case Validated():
                self.curve.add_dice(event.iteration, event.mean_dice)

    def _on_finished(self, result: CaseFiles | TrainedRun) -> None:
        if isinstance(result, CaseFiles):
            self.chooser.add(result)
            self.panel.say(f"{result.name} is in the list, as its layers are now.")
            self._on_form()
        else:
            self._on_trained(result)

    def _on_trained(self, trained: TrainedRun) -> None:
        text = tr(
            "Trained {n} iterations in {time}, last loss {loss:.3f}.",
            n=trained.iterations,
            time=duration(trained.seconds),
            loss=trained.loss,
        )
        if trained.iterations >= LEAST_ITERATIONS:
            self.workspace.set_run(trained.run)
            chosen = tr("The model {name} is chosen in the dock Predict.", name=trained.run.name)
        else:
            self.workspace.models_changed.emit()
            chosen = tr(
                "The model {name} is not chosen by itself: fewer than {least} iterations are too few.",
                name=trained.run.name,
                least=LEAST_ITERATIONS,
            )
        self.panel.say(f"{text} {chosen}")
        self._is_named = False
        self._look_again()


class Train(Dock, TrainParts):
    """The dock Train."""
