"""The dock Train: choose cases and settings, watch the loss, get a model."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QGroupBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import AugmentConfig, TrainConfig, describe, train_preset
from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, TrainingStep, Validated, ValidationPicture
from napari_necroseg.core.plan import Plan, duration, make_plan
from napari_necroseg.widgets import _ask, _train_jobs
from napari_necroseg.widgets._case_list import CaseList
from napari_necroseg.widgets._curve import LossCurve
from napari_necroseg.widgets._dock import Dock
from napari_necroseg.widgets._forms import ConfigForm
from napari_necroseg.widgets._live_mask import LiveMask
from napari_necroseg.widgets._prose import Prose
from napari_necroseg.widgets._runs import find_interrupted, new_run_name
from napari_necroseg.widgets._train_jobs import Meanwhile
from napari_necroseg.widgets._worker import Job

_PLAIN = ("preset", "dimension", "sequences", "minutes")
# Choices that a preset has no opinion about, so that changing it leaves them alone.
_PERSONAL = ("sequences", "target", "seed", "device", "threads")
# Chosen in the dock Augmentation preview, where one sees what they do.
_HIDDEN = tuple(f"augment.{name}" for name in AugmentConfig.model_fields)
_NAME_HELP = "Name of the new model: a folder of that name is made in the folder below."


class Train(Dock):
    """Trains a network on cases of the open cohort."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.form = ConfigForm(train_preset("fast"), plain=_PLAIN, hidden=_HIDDEN)
        self.cases = CaseList()
        self.curve = LossCurve()
        self.name = QLineEdit()
        self.start_button = QPushButton("Train")
        self.start_button.setToolTip("Start the training. The viewer stays usable meanwhile.")
        self.resume_button = QPushButton()
        self.resume_button.setToolTip(
            "This training was interrupted. Go on from its last save, with its own choices and cases."
        )
        self.pause_button = QPushButton("Pause")
        self.pause_button.setCheckable(True)
        self.pause_button.setToolTip("Let the training stand still, so that the computer is free.")
        self.keep_button = QPushButton("Stop and keep")
        self.keep_button.setToolTip("End the training now, and keep the model as it is.")
        self.validates = QCheckBox("Score the cases left out meanwhile")
        self.validates.setToolTip(
            "Every two minutes (see Advanced) the cases that are not trained on are predicted and compared "
            "with their reference. It costs some seconds a case, and changes nothing in the training. If one "
            "of them is the open case, what the network makes of it is shown as a layer that keeps up."
        )
        self._live = LiveMask(self.workspace)
        self.summary = Prose()
        self.augmentation = Prose()
        self._folder_label = Prose()
        self._meanwhile = Meanwhile()
        self._interrupted: Path | None = None
        self._models: Path | None = None
        self._shown = (self._config().preset, self._config().dimension)
        self._is_named = False
        self._build()
        self._connect()
        self._on_cohort()

    def start(self) -> None:
        """Train with what the form says; pressed again while a training runs, it does nothing."""
        if self.runner.is_busy or self.workspace.cohort is None:
            return
        if self._models is None:
            self._choose_folder()
        plan = self._plan()
        if plan is None or self._models is None:
            return
        run = self._models / self.name.text().strip()
        held_out = self.cases.held_out() if self.validates.isChecked() else ()
        cohorts = self.workspace.cohort.only(plan.cases), self.workspace.cohort.only(held_out)
        meanwhile = Meanwhile(picture=self._live.begin(held_out, run.name))
        job = partial(_train_jobs.train_on, plan.config, cohorts, run, meanwhile)
        self._run(job, meanwhile, f"Training {run.name} ...")

    def resume(self) -> None:
        """Go on with the training that was interrupted last, with the choices and cases that it had."""
        cohort, run = self.workspace.cohort, self._interrupted
        if self.runner.is_busy or cohort is None or run is None:
            return
        others = cohort if self.validates.isChecked() else Cohort(cases=())
        meanwhile = Meanwhile(picture=self._live.begin(others.names, run.name))
        job = partial(_train_jobs.resume_training, (cohort, others), run, meanwhile)
        self._run(job, meanwhile, f"Going on with {run.name} ...")

    def _run(self, job: Job, meanwhile: Meanwhile, message: str) -> None:
        if self.panel.run(job, message):
            self._meanwhile = meanwhile
            self.curve.clear()
            self._refresh()

    def _build(self) -> None:
        self.name.setToolTip(_NAME_HELP)
        choose = QPushButton("...")
        choose.setFixedWidth(32)
        choose.setToolTip("Choose another folder for the models.")
        choose.clicked.connect(self._choose_folder)
        model_row = QHBoxLayout()
        model_row.addWidget(QLabel("Model"))
        model_row.addWidget(self.name, 1)
        model_row.addWidget(choose)
        cases = QGroupBox("Cases to train on")
        column = QVBoxLayout(cases)
        column.addWidget(self.cases)
        column.addWidget(self.validates)
        self.body.addWidget(cases)
        self.body.addWidget(self.form)
        self.body.addWidget(self.augmentation)
        self.body.addLayout(model_row)
        self.body.addWidget(self._folder_label)
        self.body.addWidget(self.summary)
        self.body.addWidget(self.start_button)
        self.body.addWidget(self.resume_button)
        meanwhile = QHBoxLayout()
        meanwhile.addWidget(self.pause_button)
        meanwhile.addWidget(self.keep_button)
        self.body.addLayout(meanwhile)
        self.body.addWidget(self.curve)

    def _connect(self) -> None:
        self.form.changed.connect(self._on_form)
        self.cases.changed.connect(self._refresh)
        self.name.textEdited.connect(self._on_named)
        self.start_button.clicked.connect(self.start)
        self.resume_button.clicked.connect(self.resume)
        self.pause_button.toggled.connect(self._on_pause)
        self.keep_button.clicked.connect(self._on_keep)
        self.runner.event.connect(self._on_event)
        self.runner.finished.connect(self._on_trained)
        for over in (self.runner.failed, self.runner.cancelled):
            over.connect(self._refresh)
        self.listen(self.workspace.cohort_changed, self._on_cohort)
        self.listen(self.workspace.augment_changed, self._refresh)

    def _config(self) -> TrainConfig:
        config = self.form.config()
        assert isinstance(config, TrainConfig)
        augment = self.workspace.augment
        return config if augment is None else config.changed(augment=augment)

    def _on_form(self) -> None:
        """Follow the preset and the network, then show what the choices come to."""
        preset, dimension = self.form.editor("preset").value(), self.form.editor("dimension").value()
        if (preset, dimension) != self._shown:
            keep = {name: self.form.editor(name).value() for name in _PERSONAL}
            self._shown = (preset, dimension)
            self.form.set_config(train_preset(preset, dimension).changed(**keep))
            return
        try:
            self.cases.show_cohort(self.workspace.cohort or Cohort(cases=()), self._config())
        except NecrosegError:
            self._refresh()

    def _on_cohort(self) -> None:
        folder = self.workspace.folder
        self._models = None if folder is None else folder / "models"
        self._is_named = False
        self._on_form()

    def _on_named(self) -> None:
        self._is_named = bool(self.name.text().strip())
        self._refresh()

    def _choose_folder(self) -> None:
        folder = _ask.ask_folder(self, "Folder for trained models", str(self.workspace.folder or ""))
        if folder is not None:
            self._models = folder
            self._refresh()

    def _plan(self) -> Plan | None:
        """Plan the training, or say why it cannot be; the device is looked at only when it starts."""
        try:
            config = self._config()
            cohort = (
                self.workspace.cohort.only(self.cases.ticked()) if self.workspace.cohort else Cohort(cases=())
            )
            plan = make_plan(config, cohort, device=config.device, threads=config.threads or 1)
        except NecrosegError as error:
            self.summary.say(
                str(error) if self.workspace.cohort else "Open a cohort in the dock Cases first."
            )
            return None
        self.summary.say(_describe(plan))
        return plan

    def _refresh(self) -> None:
        plan = self._plan()
        self.augmentation.say(_augmentation_in_words(plan, is_chosen=self.workspace.augment is not None))
        if plan is not None and not self._is_named:
            sequences = tuple(str(sequence) for sequence in plan.config.sequences)
            self.name.setText(new_run_name(self._models, plan.config.dimension, sequences))
        is_named = bool(self.name.text().strip())
        self.start_button.setEnabled(plan is not None and is_named and not self.runner.is_busy)
        self._interrupted = None if self.runner.is_busy else find_interrupted(self._models)
        self.resume_button.setVisible(self._interrupted is not None and self.workspace.cohort is not None)
        self.resume_button.setText(f"Go on with {self._interrupted.name}" if self._interrupted else "")
        for button in (self.pause_button, self.keep_button):
            button.setVisible(self.runner.is_busy)
            button.setEnabled(self.runner.is_busy)
        if not self.runner.is_busy:
            self.pause_button.setChecked(False)
        place = "chosen when you press Train" if self._models is None else str(self._models)
        self._folder_label.say(f"Folder: {place}")

    def _on_pause(self, pauses: bool) -> None:
        """Let the training stand still after its step, or go on."""
        self.pause_button.setText("Go on" if pauses else "Pause")
        (self._meanwhile.pause.set if pauses else self._meanwhile.pause.clear)()

    def _on_keep(self) -> None:
        self._meanwhile.keep.set()
        self.keep_button.setEnabled(False)
        self.panel.say("Stopping after this step; the model is kept ...")

    def _on_event(self, event: Event) -> None:
        match event:
            case TrainingStep():
                self.curve.add(event.iteration, event.loss)
            case ValidationPicture():
                self._live.show(event)
            case Validated():
                self.curve.add_dice(event.iteration, event.mean_dice)

    def _on_trained(self, trained: Any) -> None:
        self.workspace.set_run(trained.run)
        self.panel.say(
            f"Trained {trained.iterations:,} iterations in {duration(trained.seconds)}, last loss "
            f"{trained.loss:.3f}. The model {trained.run.name} is chosen in the dock Predict."
        )
        self._is_named = False
        self._refresh()


def _augmentation_in_words(plan: Plan | None, *, is_chosen: bool) -> str:
    if plan is None:
        return ""
    whose = "as chosen in the dock Augmentation preview" if is_chosen else "the preset's"
    return f"Augmentation ({whose}): {describe(plan.config.augment)}."


def _describe(plan: Plan) -> str:
    length = f"{plan.iterations:,} iterations" if plan.iterations is not None else ""
    if plan.seconds is not None:
        length = f"{length}, at most {duration(plan.seconds)}" if length else duration(plan.seconds)
    sequences = " and ".join(str(sequence) for sequence in plan.config.sequences)
    return f"{plan.config.dimension.upper()} network on {sequences} of {len(plan.cases)} cases: {length}."
