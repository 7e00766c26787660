"""The jobs of a training."""

import threading

import pytest

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.events import Progress
from napari_necroseg.jobs import train
from napari_necroseg.jobs.train import NewTraining, TrainingControls, do_training


@pytest.mark.parametrize(
    ("was_there", "gives_up", "stays"), [(False, True, False), (False, False, True), (True, True, True)]
)
def test_a_training_that_is_killed_while_it_gives_up_leaves_nothing(
    tmp_path, monkeypatch, was_there, gives_up, stays
):
    run, controls, nobody = tmp_path / "mine", TrainingControls(), Cohort(cases=())
    checkpoint = run / "checkpoint.safetensors"

    def killed(_training, flags):
        run.mkdir(exist_ok=True)
        checkpoint.touch()
        yield Progress(done=0, total=0)
        flags["stop"].set()

    monkeypatch.setattr(train, "run_remotely", killed)
    if was_there:
        run.mkdir()
    if gives_up:
        controls.leave.clear()
    training = NewTraining(config=train_preset("fast"), cohort=nobody, validation=nobody, out=run)
    list(do_training(training, controls, stop=threading.Event()))
    assert checkpoint.exists() == stays
