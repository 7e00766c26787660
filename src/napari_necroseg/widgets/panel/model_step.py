"""The step Model: learns from the drawn masks, and predicts the other cases."""

from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel

from napari_necroseg.core.language import ntr, tr
from napari_necroseg.core.project.known_models import known_model
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.jobs.models import ModelsView, look
from napari_necroseg.widgets.panel.model_list import ModelList
from napari_necroseg.widgets.panel.step import MainAction, Step
from napari_necroseg.widgets.predict.batch import BatchParts
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, below, beside, button, timer
from napari_necroseg.widgets.shared.worker import NewestJob
from napari_necroseg.widgets.shared.workspace import Workspace
from napari_necroseg.widgets.train.learn import LearnParts

# Signatures come one after the other; looking reads files.
_MS_BEFORE_LOOKING = 200
_MOST_MODELS = 50


class ModelStep(Step):
    """Learns from the cases of the project, lists the models that are known, and predicts all cases."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.workspace = Workspace.of(viewer)
        self.learn, self.batch = LearnParts(viewer), BatchParts(viewer)
        self.add(self.learn)
        self.add(self.batch)
        self.models = ModelList()
        self.view = ModelsView()
        self.other_button = button("", "", act=self._on_other)
        self._reading = NewestJob(self)
        self._reading.done.connect(self._show)
        self._soon = timer(self, _MS_BEFORE_LOOKING, act=self.look_again)
        self._is_learned = False
        # The model that a person chose or trained; without one the step proposes another.
        self._chosen: Path | None = None
        self._proposes = False
        self._lay_out()
        self._connect()
        # Before a folder is opened: its first case may then be predicted at once.
        self._soon.start()

    def main(self) -> MainAction:
        """Learn, or predict all cases with what was learned."""
        if self.learn.is_busy:
            return MainAction(text=self.learn.panel.words, help=tr("The model is being made."))
        if self.batch.is_busy:
            return MainAction(text=tr("Predicting all cases ..."), help=tr("See the line above."))
        if self._predicts_first:
            return self._to_predict()
        if self._is_checking:
            return self._to_check()
        return self._to_learn()

    def shown(self) -> None:
        """Look at what has changed meanwhile."""
        self._soon.start()

    def reopen(self) -> None:
        """Hear the viewer again."""
        super().reopen()
        self._soon.start()

    def shut_down(self) -> None:
        """Stop all jobs."""
        super().shut_down()
        self._reading.forget()

    def look_again(self) -> None:
        """Read which models there are, and what could be learned."""
        workspace = self.workspace
        self._reading.read(partial(look, workspace.cohort, workspace.folder, chosen=self._chosen))

    def use(self, run: Path) -> None:
        """Use a model from now on, in all projects."""
        self.workspace.set_run(run)

    def add_folder(self, folder: Path) -> None:
        """Remember a model elsewhere, and use it."""
        if known_model(folder) is None:
            self.batch.panel.say(tr("{name} is not the folder of a trained model.", name=folder.name))
            return
        others = [one for one in read_remembered().models if one != folder]
        remember(models=(folder, *others)[:_MOST_MODELS])
        self.use(folder)

    @property
    def _predicts_first(self) -> bool:
        """Whether predicting is what comes next: there is a model, and cases without its prediction."""
        view = self.view
        return self.learn.improvement is None and view.used is not None and bool(view.unpredicted)

    @property
    def _is_checking(self) -> bool:
        return self._is_learned and self.learn.improvement is None and self.view.used is not None

    def _to_predict(self) -> MainAction:
        n, view = len(self.view.unpredicted), self.view
        words = ntr("Predict {n} case", "Predict all {n} cases", n)
        used = view.used
        assert used is not None, "asked for before"
        is_all = self.workspace.cohort is not None and n == len(self.workspace.cohort)
        if not is_all:
            words = ntr("Predict the case that is left", "Predict the {n} cases that are left", n)
        return MainAction(
            text=words,
            help=tr("Predict them with {name}, and save the masks. Your own masks stay.", name=used.run.name),
            act=partial(self.batch.start, used.run),
        )

    def _to_check(self) -> MainAction:
        return MainAction(
            text=tr("Check the predictions"),
            help=tr("Go through the cases, correct them, and sign them off."),
            act=self._check,
        )

    def _to_learn(self) -> MainAction:
        return MainAction(
            text=self.learn.title(),
            help=tr("Make a model from these cases. It is saved in the project; the viewer stays usable."),
            act=self.learn.start if self.learn.can_start else None,
        )

    def _other(self) -> MainAction | None:
        """Return what can be done beside the main button: learning, while that is another."""
        is_idle = not (self.learn.is_busy or self.batch.is_busy)
        has_other_main = self._predicts_first or self._is_checking
        return self._to_learn() if is_idle and has_other_main and self.learn.can_start else None

    def _on_other(self) -> None:
        other = self._other()
        if other is not None and other.act is not None:
            other.act()

    def _check(self) -> None:
        cohort = self.workspace.cohort
        if cohort is not None and len(cohort):
            signed = () if self.view.proposal is None else self.view.proposal.signed
            left = [name for name in cohort.names if name not in signed]
            self.workspace.case_wanted.emit((left or list(cohort.names))[0])
        self.workspace.step_wanted.emit("draw")

    def _lay_out(self) -> None:
        title = QLabel(tr("Learn"))
        known = QLabel(tr("Models on this computer"))
        for heading in (title, known):
            heading.setStyleSheet("font-weight: bold;")
        self.poor = WrappedLabel(
            "⚠ " + tr("The model in use has hardly learned: its outlines are of no use yet.")
        )
        self.poor.hide()
        self.empty = WrappedLabel(tr("There is none yet. The first one is made by the button below."))
        time_row = beside(QLabel(tr("Time for learning")), self.learn.minutes, None)
        column = below(
            self.learn.interrupted,
            title,
            self.learn.what,
            time_row,
            self.learn.meanwhile,
            self.learn.result,
            self.learn.panel.note_list,
            self.other_button,
            self.learn.anew,
            known,
            self.empty,
            self.models,
            self.poor,
            self.batch.result,
            self.batch.panel.note_list,
            None,
        )
        column.setContentsMargins(6, 6, 6, 6)
        self.body.addLayout(column)
        font = self.learn.result.font()
        font.setBold(True)
        self.learn.result.setFont(font)

    def _connect(self) -> None:
        self.models.chosen.connect(self.use)
        self.models.added.connect(self.add_folder)
        self.learn.proposed.connect(self._refresh)
        self.learn.trained.connect(self._on_trained)
        self.learn.interrupted.discarded.connect(self.look_again)
        self.batch.predicted.connect(self._on_predicted)
        for parts in (self.learn, self.batch):
            parts.runner.failed.connect(self._soon.start)
            parts.runner.cancelled.connect(self._soon.start)
        workspace = self.workspace
        listen = self.learn.listen
        listen(workspace.cohort_changed, self._on_cohort)
        listen(workspace.layers.saved, self._on_saved)
        listen(workspace.run_changed, self._on_run)
        listen(workspace.models_changed, self._on_saved)
        self._refresh()

    def _on_cohort(self) -> None:
        self._is_learned = False
        self.learn.improvement = None
        for label in (self.learn.result, self.batch.result):
            label.say("")
        self._soon.start()

    def _on_saved(self, *_: object) -> None:
        self._soon.start()

    def _on_run(self) -> None:
        """Remember what a person chose, here or elsewhere."""
        run = self.workspace.run
        if run is not None and not self._proposes:
            self._chosen = run
            remember(model=run)
        self._soon.start()

    def _on_trained(self, _run: object) -> None:
        self._is_learned = True
        self.look_again()

    def _on_predicted(self) -> None:
        self._is_learned = True
        self.look_again()

    def _show(self, view: ModelsView) -> None:
        self.view = view
        self.models.show_models(view)
        self.empty.setVisible(not view.models)
        self.poor.setVisible(view.used is not None and not view.used.is_ready)
        self.learn.show_proposal(view.proposal, interrupted=view.interrupted)
        self.workspace.set_known_runs(tuple(model.run for model in view.models))
        used = None if view.used is None else view.used.run
        if used is not None and self.workspace.run != used:
            self._proposes = True
            self.workspace.set_run(used)
            self._proposes = False
        self._refresh()

    def _refresh(self) -> None:
        other = self._other()
        self.other_button.setVisible(other is not None)
        if other is not None:
            self.other_button.setText(other.text)
            self.other_button.setToolTip(other.help)
        self.learn.minutes.setEnabled(not self.learn.is_busy)
        self.changed.emit()
