"""The status of the runs of a study, by events and files, and in words."""

import dataclasses

import pytest

from faked_study import (
    CONFIGURATIONS,
    about,
    advanced,
    done,
    planned,
    run,
    state_of,
)
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.events import Started
from napari_necroseg.core.study.record import RunState
from napari_necroseg.core.study.run import (
    Run,
    RunAdvanced,
    RunFailed,
    RunStarted,
    runs_of,
)
from napari_necroseg.jobs.study_status import StudyStatus, status_in_words, title_of


def test_many_points_of_a_loss_are_thinned_and_the_pace_tells_the_time_left(monkeypatch):
    status, one = StudyStatus(), run()
    status.show([one, run(fold=2)], {})
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    status.take(RunStarted(**about(one)))
    for n in range(3000):
        status.take(advanced(one, 0.5, iteration=n))
    assert 500 <= len(status.points(one.key)) <= 1000
    now[0] = 100.0
    # A quarter of all took 100 s.
    assert status.total().seconds_left == pytest.approx(300.0)
    assert status.take(Started(message="")) is None
    status.interrupt()
    assert status.total().seconds_left is None


def test_what_was_measured_stays_when_a_study_begins():
    status, one = StudyStatus(), run()
    status.take(planned(one))
    status.take(dataclasses.replace(planned(one), estimated_s=None, training=7))
    plan = status.runs[one.key].plan
    assert (plan.estimated_s, plan.training) == (720.0, 7)


def test_what_was_learned_stays_known_after_the_training():
    status, one = StudyStatus(), run()
    status.take(RunStarted(**about(one)))
    status.take(advanced(one, 0.5, loss=0.25, iteration=40))
    status.take(RunAdvanced(**about(one), phase="scoring", share=0.98))
    learned = status.runs[one.key]
    assert (learned.phase, learned.iteration, learned.loss) == ("scoring", 40, 0.25)
    # Begun again, it knows nothing of that.
    status.take(RunStarted(**about(one)))
    assert (status.runs[one.key].iteration, status.points(one.key)) == (0, ())


def test_the_mean_is_over_the_cases_that_have_something_to_find():
    """0.4 over one of three cases, and 0.8 over three: (0.4 + 3 * 0.8) / 4 = 0.7."""
    status, four = StudyStatus(), ("b", "c", "d", "e")
    states = [
        RunState(
            **about(run()), state="done", training=(), validation=("a", "x", "y"), mean_dice=0.4, scored=1
        ),
        RunState(**about(run(fold=2)), state="done", training=(), validation=four, mean_dice=0.8, scored=3),
        state_of(run(fold=3)),
    ]
    status.show([one.run for one in states], {one.run.key: one for one in states})
    assert status.mean_dice("2d:ceT1", 0) == pytest.approx(0.7)
    assert status.mean_dice("2d:ceT1", 1) is None
    said = status_in_words(status.runs[run().key])
    assert "Mean Dice 40.0 % over 1 case that it has not seen; 2 more have nothing to find." in said
    status.take(done(run(fold=3), dice=0.0, scored=4))
    assert status.mean_dice("2d:ceT1", 0) == pytest.approx(0.35)


def test_a_run_is_told_in_words():
    status, one = StudyStatus(), Run(configuration=Configuration("3d:ceT1+T2"), fold=2, seed=1)
    assert title_of(one) == "3D ceT1+T2, fold 2, seed 1"
    status.take(planned(one, memory_gib=2.5, estimated_iterations=900))
    said = status_in_words(status.runs[one.key])
    assert "10 min (about 900 iterations) on 1 case, scored on 1." in said
    assert "It takes about 12 min and 2.5 GiB." in said
    status.take(done(one, dice=None))
    assert "Mean Dice undefined: none of the cases" in status_in_words(status.runs[one.key])


def test_the_progress_is_that_of_the_runs_that_are_done_now(monkeypatch):
    """One run again of four, at a half after 100 s: 100 s are left, whatever the other three wait for."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    status, one = StudyStatus(), run()
    runs = runs_of(StudyConfig(configurations=CONFIGURATIONS, folds=2))
    status.show(runs, {one.key: state_of(one, "failed", reason="No memory.")})
    status.begin((one.key,))
    assert status.total().share == 0.0
    status.take(planned(one, state="failed"))
    status.take(planned(run(fold=2)))
    status.take(RunStarted(**about(one)))
    now[0] = 100.0
    status.take(advanced(one, 0.5))
    assert status.total().share == pytest.approx(0.5)
    assert status.total().seconds_left == pytest.approx(100.0)
    status.take(RunFailed(**about(one), done=1, total=4, reason="No memory."))
    assert status.total().share == 1.0


def test_going_on_counts_what_is_left_and_failed_runs_as_to_come():
    status = StudyStatus()
    first, second, *_ = runs = runs_of(StudyConfig(configurations=CONFIGURATIONS, folds=2))
    status.show(runs, {first.key: state_of(first, mean_dice=0.5), second.key: state_of(second, "failed")})
    status.begin()
    # The files of the first were found to be gone, those of the third to be there.
    status.take(planned(first))
    status.take(done(runs[2], was_done=True))
    assert status.total().share == 0.0
    status.take(RunStarted(**about(second)))
    status.take(done(second))
    assert status.total().share == pytest.approx(1 / 3)
