"""The list of devices: words on the screen, names in the config, cards once it is opened."""

import subprocess
import sys
import threading

import pytest

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Finished
from napari_necroseg.jobs import devices
from napari_necroseg.jobs.devices import find_devices
from napari_necroseg.widgets.shared import config_form
from napari_necroseg.widgets.shared.config_form import DeviceChoice

FOUND = {"auto": "here the H100", "cpu": "processor", "cuda:0": "H100 (70.5 of 80.0 GiB free)"}


@pytest.fixture
def choice(qtbot):
    choice = DeviceChoice()
    qtbot.addWidget(choice)
    yield choice
    qtbot.waitUntil(lambda: not choice.looker.is_busy)


@pytest.fixture
def looks(monkeypatch):
    """Replace the search by one that waits for the test's word; count how often it begins."""
    go_on, begun = threading.Event(), []

    def find(stop):
        begun.append(1)
        go_on.wait(60)
        yield Finished(result=FOUND)

    monkeypatch.setattr(config_form, "find_devices", find)
    return go_on, begun


def texts(choice):
    return [choice.itemText(row) for row in range(choice.count())]


def test_before_it_is_opened_nothing_was_looked_for(choice, looks):
    assert texts(choice) == ["auto: a graphics card if there is one", "cpu: processor"]
    assert looks[1] == []


def test_opened_it_finds_the_cards_and_keeps_the_choice(qtbot, choice, looks):
    go_on, begun = looks
    width = choice.minimumSizeHint().width()
    choice.choose("cpu")
    told = []
    choice.chosen.connect(lambda: told.append(choice.name()))
    choice.show()
    choice.showPopup()
    assert texts(choice)[-1] == "Looking for graphics cards ..."
    assert not choice.model().item(choice.count() - 1).isEnabled()
    with qtbot.waitSignal(choice.looker.finished):
        go_on.set()
    assert texts(choice) == [f"{name}: {words}" for name, words in FOUND.items()]
    assert (choice.name(), told) == ("cpu", [])
    # A long name does not widen the dock.
    assert choice.minimumSizeHint().width() == width
    choice.setCurrentIndex(2)
    assert told == ["cuda:0"]
    choice.hidePopup()
    choice.showPopup()
    assert begun == [1]
    choice.hidePopup()


def test_a_device_of_another_computer_stays_chosen(qtbot, choice, looks):
    choice.choose("cuda:7")
    looks[0].set()
    with qtbot.waitSignal(choice.looker.finished):
        choice.showPopup()
    choice.hidePopup()
    assert choice.name() == "cuda:7"
    assert texts(choice)[-1] == "cuda:7"


def test_a_search_that_fails_leaves_what_is_always_there(qtbot, choice, monkeypatch):
    monkeypatch.setattr(devices, "_COMMAND", ("-c", "raise SystemExit(1)"))
    with qtbot.waitSignal(choice.looker.failed) as failed:
        choice.showPopup()
    choice.hidePopup()
    assert "could not be listed" in failed.args[0]
    assert texts(choice) == ["auto: a graphics card if there is one", "cpu: processor"]


def test_the_real_search_asks_another_process():
    (event,) = find_devices(threading.Event())
    assert {"auto", "cpu"} <= set(event.result)


def test_a_search_that_is_stopped_ends_its_process(monkeypatch):
    monkeypatch.setattr(devices, "_COMMAND", ("-c", "import time; time.sleep(60)"))
    stop = threading.Event()
    stop.set()
    with pytest.raises(NecrosegError):
        list(find_devices(stop))


def test_the_list_needs_no_torch_in_this_process():
    code = "import sys, napari_necroseg.widgets.shared.config_form; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
