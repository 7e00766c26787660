"""Learning with one button: what is learned from and tested on is chosen by the program."""

import math
from functools import partial
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import Signal

from napari_necroseg.core.display import duration
from napari_necroseg.core.events import (
    Event,
    Paused,
    Progress,
    Started,
    TrainingStep,
    Validated,
    ValidationPicture,
    Warned,
)
from napari_necroseg.core.language import ntr, tr
from napari_necroseg.core.project.known_models import LEAST_ITERATIONS, known_model
from napari_necroseg.core.project.model_folder import MODELS_FOLDER, TrainedRun
from napari_necroseg.core.project.models import new_run_name
from napari_necroseg.core.project.remembered import read_remembered, remember
from napari_necroseg.jobs import learn, train
from napari_necroseg.jobs.learn import Improvement, LearningProposal
from napari_necroseg.jobs.train import NewTraining, ResumedTraining, TrainingControls
from napari_necroseg.widgets.shared.dock import DockParts
from napari_necroseg.widgets.shared.number_inputs import DecimalBox
from napari_necroseg.widgets.shared.qt_parts import WrappedLabel, button
from napari_necroseg.widgets.shared.quiet_panel import QuietJobPanel
from napari_necroseg.widgets.train.run_controls import InterruptedTraining, LiveMask, RunControls

_MOST_MINUTES = 24 * 60.0


class LearningPanel(QuietJobPanel):
    """Shows the progress of a training without the words of machine learning."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = False
        # The mean Dice of the test so far.
        self.dice = math.nan

    def show_event(self, event: Event) -> None:
        """Draw what the training reports; what only a researcher asks for is left out."""
        match event:
            case Started():
                pass
            case Progress(done=done, total=total):
                self._fill(done, total)
                self._say(self._waiting_in_words(done, total))
            case Paused():
                self._say(tr("Paused; what was learned is saved."))
            case Validated(mean_dice=dice):
                self.dice = dice
            case TrainingStep():
                self.has_begun = True
                super().show_event(event)
                self._say(self._step_in_words(event))
            case Warned():
                super().show_event(event)

    def _waiting_in_words(self, done: int, total: int) -> str:
        if self.has_begun:
            return tr("Testing ...")
        if total > 1:
            return tr("Reading the cases: {n} of {total}", n=min(done + 1, total), total=total)
        return tr("Reading the cases ...")

    def begin(self) -> None:
        """Forget the training before."""
        self.has_begun, self.dice = False, math.nan

    @property
    def words(self) -> str:
        """What is being done, in short."""
        return self._message.said

    def _step_in_words(self, step: TrainingStep) -> str:
        words = tr("Learning")
        if step.seconds_left is not None:
            words = tr("Learning: about {time} left", time=duration(step.seconds_left))
        if not math.isnan(self.dice):
            words += ". " + tr("Dice in the test so far: {dice:.2f}", dice=self.dice)
        return words


class LearnParts(DockParts):
    """Trains a model on all cases with a mask that counts, but for a few that it is tested on.

    `proposed`: emitted when what the next training would do has changed. `trained`: emitted with the folder
    of a model that was made.
    """

    panel_type = LearningPanel
    panel: LearningPanel
    proposed = Signal()
    trained = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self.proposal: LearningProposal | None = None
        self.improvement: Improvement | None = None
        self.minutes = DecimalBox()
        self.minutes.setRange(0.5, _MOST_MINUTES)
        self.minutes.setDecimals(1)
        self.minutes.setSuffix(tr(" min"))
        self.minutes.setToolTip(
            tr("How long learning may take, reading the cases included. More cases need more time.")
        )
        self.minutes.setValue(read_remembered().minutes or learn.DEFAULT_MINUTES)
        self.what = WrappedLabel(proposal_in_words(None))
        self.result = WrappedLabel()
        self.anew = button(
            tr("Learn anew from all cases instead"),
            tr("Make a new model from all cases, rather than go on from the one in use."),
            act=self.forget_improvement,
        )
        self.anew.hide()
        self.interrupted = InterruptedTraining()
        self.interrupted.hide()
        self.meanwhile = RunControls()
        self.meanwhile.hide()
        self._live = LiveMask(self.workspace)
        self._connect()

    @property
    def is_busy(self) -> bool:
        """Whether it learns."""
        return self.runner.is_busy

    def show_proposal(self, proposal: LearningProposal | None, *, interrupted: Path | None) -> None:
        """Say what would be learned from, and which training can be gone on with."""
        self.proposal = proposal
        self.what.say(proposal_in_words(proposal))
        self.interrupted.show_run(None if self.is_busy else interrupted)
        self.interrupted.setVisible(self.interrupted.run is not None)
        self.proposed.emit()

    def title(self) -> str:
        """Return what the button says."""
        if self.improvement is not None:
            return ntr(
                "Improve the model with {n} case, about {time}",
                "Improve the model with {n} cases, about {time}",
                len(self.improvement.learned),
                time=self._time(),
            )
        proposal = self.proposal
        n_cases = 0 if proposal is None else len(proposal.learned)
        words = ntr(
            "Learn from {n} case, about {time}",
            "Learn from {n} cases, about {time}",
            n_cases,
            time=self._time(),
        )
        if proposal is not None and proposal.tested:
            words += ", " + tr("test on {n}", n=len(proposal.tested))
        return words

    @property
    def can_start(self) -> bool:
        """Whether there is something to learn from, and a place to write to."""
        has_cases = self.proposal is not None and bool(self.proposal.learned)
        return (has_cases or self.improvement is not None) and self.workspace.folder is not None

    def start(self) -> None:
        """Learn as proposed."""
        folder, proposal = self.workspace.folder, self.proposal
        if self.is_busy or folder is None or proposal is None or not self.can_start:
            return
        training = self._new_training(folder / MODELS_FOLDER, proposal)
        remember(minutes=self.minutes.value())
        self._run(training, training.out)

    def resume(self) -> None:
        """Go on with the training that was interrupted, with its own choices and cases."""
        run = self.interrupted.run
        if self.is_busy or run is None or self.proposal is None:
            return
        cohort = self.proposal.cohort
        picture = self._live.begin(self.proposal.tested, run.name)
        tested = cohort.only(self.proposal.tested)
        self._run(ResumedTraining(out=run, cohort=cohort, validation=tested, picture=picture), run)

    def improve(self, cases: tuple[str, ...]) -> None:
        """Propose to go on from the model in use with these cases, those that are new to it first."""
        run, proposal = self.workspace.run, self.proposal
        if proposal is None or run is None:
            return
        self.improvement = learn.propose_improvement(proposal, run, wanted=cases)
        self.anew.setVisible(self.improvement is not None)
        if self.improvement is None:
            self.panel.say(tr("The model in use has learned from all of these cases already."))
        self.proposed.emit()

    def forget_improvement(self) -> None:
        """Propose to learn from all cases again."""
        self.improvement = None
        self.anew.hide()
        self.proposed.emit()

    def _new_training(self, models: Path, proposal: LearningProposal) -> NewTraining:
        improvement, minutes = self.improvement, self.minutes.value()
        chosen = proposal if improvement is None else improvement
        config = chosen.config(minutes)
        run = models / new_run_name(models, config.dimension, sequences=tuple(map(str, config.sequences)))
        return NewTraining(
            config=config,
            cohort=proposal.cohort.only(chosen.learned),
            validation=proposal.cohort.only(chosen.tested),
            out=run,
            start_from=None if improvement is None else improvement.run,
            left_out=proposal.cohort.without(chosen.learned),
            picture=self._live.begin(chosen.tested, run.name),
        )

    def _run(self, training: NewTraining | ResumedTraining, run: Path) -> None:
        controls = TrainingControls()
        self.panel.begin()
        job = partial(train.do_training, training, controls)
        if self.panel.run(job, tr("Reading the cases ...")):
            self.meanwhile.controls = controls
            self.interrupted.hide()
            self.result.say("")
            self.meanwhile.show_busy(True)
            self.proposed.emit()

    def _connect(self) -> None:
        self.minutes.valueChanged.connect(self.proposed)
        self.interrupted.go_on.clicked.connect(self.resume)
        self.interrupted.discarded.connect(self._on_discarded)
        self.panel.given_up.connect(self.meanwhile.give_up)
        self.meanwhile.kept.connect(lambda: self.panel.say(tr("Ending; the model is kept ...")))
        self.runner.reported.connect(self._on_event)
        self.runner.finished.connect(self._on_trained)
        for over in (self.runner.finished, self.runner.failed, self.runner.cancelled):
            over.connect(self._on_over)
        self.listen(self.workspace.improvement_wanted, self._on_improvement)

    def _on_improvement(self, cases: tuple[str, ...]) -> None:
        self.improve(cases)
        self.workspace.step_wanted.emit("model")

    def _on_event(self, event: object) -> None:
        match event:
            case ValidationPicture():
                self._live.show(event)
            case TrainingStep():
                self.proposed.emit()

    def _on_over(self, *_: object) -> None:
        self.meanwhile.show_busy(False)
        self.proposed.emit()

    def _on_discarded(self, message: str) -> None:
        self.panel.say(message)
        self.interrupted.show_run(None)
        self.interrupted.hide()
        self.proposed.emit()

    def _on_trained(self, trained: TrainedRun) -> None:
        self.forget_improvement()
        self.result.say(result_in_words(trained))
        if trained.iterations >= LEAST_ITERATIONS:
            self.workspace.set_run(trained.run)
        else:
            self.minutes.setValue(max(self.minutes.value(), minutes_needed(trained)))
            self.workspace.models_changed.emit()
        self.trained.emit(trained.run)

    def _time(self) -> str:
        return tr("{n:g} min", n=self.minutes.value())


def proposal_in_words(proposal: LearningProposal | None) -> str:
    """Say from which cases a model would learn, and why others are left out."""
    if proposal is None:
        return tr("Open a folder of cases first.")
    if not proposal.learned:
        return tr(
            "There is no case to learn from yet: draw the zone in a few cases and sign them off, or open a "
            "folder with an expert's masks."
        )
    n_signed = len(proposal.signed)
    n_expert = len(proposal.learned) + len(proposal.tested) - n_signed
    sources = []
    if n_signed:
        sources.append(ntr("{n} mask signed off here", "{n} masks signed off here", n_signed))
    if n_expert:
        sources.append(ntr("{n} mask of the expert", "{n} masks of the expert", n_expert))
    said = [tr("Images: {names}. Masks: {sources}.", names=_names(proposal), sources=", ".join(sources))]
    if proposal.tested:
        n, cases = len(proposal.tested), ", ".join(proposal.tested)
        said.append(tr("{n} of these are kept back for the test: {cases}.", n=n, cases=cases))
    else:
        said.append(tr("Too few patients to keep some back for a test."))
    if proposal.unsigned:
        said.append(
            tr("Your masks of {cases} do not count: not signed off.", cases=", ".join(proposal.unsigned))
        )
    return "\n".join(said)


def _names(proposal: LearningProposal) -> str:
    return " + ".join(str(sequence) for sequence in proposal.sequences)


def minutes_needed(trained: TrainedRun) -> float:
    """Estimate how long a model that learned too little should have learned on this computer."""
    return math.ceil(1 + trained.seconds / 60 * LEAST_ITERATIONS / max(1, trained.iterations))


def result_in_words(trained: TrainedRun) -> str:
    """Say how good a model is, in Dice on cases that it has not seen."""
    if trained.iterations < LEAST_ITERATIONS:
        return tr(
            "This was too short to be of use, so the model is not chosen by itself. Here, about {n:.0f} min "
            "are needed at least.",
            n=minutes_needed(trained),
        )
    model = known_model(trained.run)
    if model is None or not model.unseen:
        return tr("Learned in {time}. It was not tested on other cases.", time=duration(trained.seconds))
    return ntr(
        "Dice on {n} unseen case: {dice:.2f} (1 would be the expert's outline)",
        "Dice on {n} unseen cases: {dice:.2f} (1 would be the expert's outline)",
        model.unseen,
        dice=model.dice,
    )
