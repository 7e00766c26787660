"""Only the newest piece of work matters; nothing arrives that was forgotten; the thread ends."""

import threading

import pytest

from napari_necroseg.core.errors import SettingsError
from napari_necroseg.widgets.shared.worker import NewestOnly


@pytest.fixture
def latest(qtbot, threads):
    made = NewestOnly()
    yield made
    made.stop_flag()()
    qtbot.waitUntil(lambda: not threads())


@pytest.fixture
def arrived(latest):
    found = []
    latest.done.connect(found.append)
    return found


def held(gate, result):
    def work():
        gate.wait(60)
        return result

    return work


def test_what_waits_is_replaced_by_what_is_asked_for_later(qtbot, latest, arrived, threads):
    gate, started = threading.Event(), threading.Event()
    latest.ask(lambda: (started.set(), gate.wait(60), "first")[-1])
    assert started.wait(60)
    for number in range(20):
        latest.ask(lambda number=number: number)
    gate.set()
    qtbot.waitUntil(lambda: arrived == ["first", 19])
    assert len(threads()) == 1


def test_nothing_arrives_that_was_forgotten(qtbot, latest, arrived):
    gate = threading.Event()
    latest.ask(held(gate, "old"))
    latest.forget()
    gate.set()
    latest.ask(lambda: "new")
    qtbot.waitUntil(lambda: arrived == ["new"])
    qtbot.wait(50)
    assert arrived == ["new"]


def test_an_error_is_said_in_plain_words_and_the_next_work_is_done(qtbot, latest, arrived):
    said = []
    latest.failed.connect(said.append)

    def wrong():
        raise SettingsError("Choose a smaller factor.")

    latest.ask(wrong)
    qtbot.waitUntil(lambda: said == ["Choose a smaller factor."])
    latest.ask(lambda: 1)
    qtbot.waitUntil(lambda: arrived == [1])


def test_the_thread_ends_and_begins_again(qtbot, latest, arrived, threads):
    latest.ask(lambda: 1)
    qtbot.waitUntil(lambda: arrived == [1])
    latest.stop_flag()()
    qtbot.waitUntil(lambda: not threads())
    latest.ask(lambda: 2)
    qtbot.waitUntil(lambda: arrived == [1, 2])


def test_a_result_for_an_object_that_is_gone_does_no_harm(qtbot, threads):
    gate, latest = threading.Event(), NewestOnly()
    latest.ask(held(gate, 1))
    stop = latest.stop_flag()
    del latest
    stop()
    gate.set()
    qtbot.waitUntil(lambda: not threads())
