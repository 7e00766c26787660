"""The jobs of a study, and what is read of one."""

import threading

from faked_study import (
    Result,
    run,
)
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.events import Finished
from napari_necroseg.jobs import study


def test_one_core_is_left_and_the_result_needs_no_pytorch_here(monkeypatch, tmp_path):
    asked = []

    def run_study(_cohort, config, **_):
        asked.append(config)
        yield Finished(result=Result(tmp_path))

    monkeypatch.setattr("napari_necroseg.core.study.experiment.run_study", run_study)
    config = StudyConfig(folds=2)
    nobody, table = Cohort(cases=()), tmp_path / "cohort.csv"
    to_do = study.StudyToDo(config=config, cohort=nobody, table=table, out=tmp_path)
    (event,) = to_do({"stop": threading.Event()})
    assert asked[0].spare_cores == 1
    assert event.result == "4 of 4 runs done."


def test_a_long_history_is_thinned_to_what_can_be_seen(tmp_path):
    path = tmp_path / "models" / run().key / "history.csv"
    path.parent.mkdir(parents=True)
    rows = "".join(f"{n},1,0.5,\n" for n in range(1, 100_001))
    path.write_text(f"iteration,seconds,loss,validation_dice\n{rows}")
    (event,) = study.read_curve(tmp_path, run().key, stop=threading.Event())
    losses = event.result.losses
    assert len(losses) == 2000
    assert losses[-1] == (100_000, 0.5)
