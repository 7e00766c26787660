"""A stepper runs iterators one after the other, whoever asks for the next one, and whenever."""

import pytest

from napari_necroseg.widgets.shared.workspace import Stepper


def noted(done, name, *, steps=2):
    for number in range(steps):
        done.append(f"{name}{number}")
        yield


def test_steps_are_done_one_by_one_while_events_are_served(qtbot):
    stepper, done = Stepper(), []
    stepper.start(noted(done, "a"))
    assert done == []
    qtbot.waitUntil(lambda: not stepper.is_busy)
    assert done == ["a0", "a1"]


def test_the_one_before_is_finished_first(qtbot):
    stepper, done = Stepper(), []
    stepper.start(noted(done, "a"))
    stepper.start(noted(done, "b"))
    assert done == ["a0", "a1"]
    qtbot.waitUntil(lambda: not stepper.is_busy)
    assert done == ["a0", "a1", "b0", "b1"]


def test_what_a_step_begins_comes_after_all_of_its_own(qtbot):
    stepper, done = Stepper(), []

    def begins_others():
        stepper.start(noted(done, "b", steps=1))
        stepper.start(noted(done, "c", steps=1))
        stepper.finish()
        yield from noted(done, "a")

    stepper.start(begins_others())
    qtbot.waitUntil(lambda: not stepper.is_busy)
    assert done == ["a0", "a1", "b0", "c0"]


def test_what_is_dropped_is_not_done_nor_what_waits(qtbot):
    stepper, done = Stepper(), []

    def dropped():
        stepper.start(noted(done, "b"))
        stepper.drop()
        yield
        done.append("never")

    stepper.start(dropped())
    qtbot.waitUntil(lambda: not stepper.is_busy)
    qtbot.wait(20)
    assert done == []
    stepper.start(noted(done, "c", steps=1))
    stepper.finish()
    assert done == ["c0"]


def test_one_that_fails_is_over_and_the_next_one_is_done(qtbot):
    stepper, done = Stepper(), []

    def fails():
        stepper.start(noted(done, "b", steps=1))
        yield
        raise ValueError("broken")

    stepper.start(fails())
    with qtbot.captureExceptions() as raised:
        qtbot.waitUntil(lambda: not stepper.is_busy)
    assert [str(error) for _, error, _ in raised] == ["broken"]
    assert done == ["b0"]
    stepper.start(fails())
    with pytest.raises(ValueError, match="broken"):
        stepper.finish()
