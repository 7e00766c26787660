"""The devices of a computer in words: cards by name and free memory."""

import pytest
import torch

from napari_necroseg.core.events import Finished, to_record
from napari_necroseg.core.network.device import list_devices

GIB = 2**30


@pytest.fixture
def _two_cards(monkeypatch) -> None:
    free = {"cuda:0": 70.5 * GIB, "cuda:1": 3 * GIB}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda name: "T4" if name == "cuda:1" else "H100")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda name: (free[name], 80 * GIB))


@pytest.fixture(autouse=True)
def _no_apple(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("_two_cards")
def test_cards_are_named_with_their_free_memory() -> None:
    assert str(list_devices()).splitlines() == [
        "auto: a graphics card if torch can use one, here the H100",
        "cpu: processor",
        "cuda:0: H100 (70.5 of 80.0 GiB free)",
        "cuda:1: T4 (3.0 of 80.0 GiB free)",
    ]


@pytest.mark.usefixtures("_two_cards")
def test_a_card_that_cannot_be_used_hides_no_other(monkeypatch) -> None:
    def look(name: str) -> tuple[int, int]:
        if name == "cuda:0":
            raise torch.AcceleratorError("CUDA error: all CUDA-capable devices are busy or unavailable")
        return GIB, 2 * GIB

    monkeypatch.setattr(torch.cuda, "mem_get_info", look)
    words = {device.name: device.words for device in list_devices().devices}
    assert words["cuda:0"] == "H100 (cannot be used at the moment)"
    assert words["cuda:1"] == "T4 (1.0 of 2.0 GiB free)"


def test_without_a_card_there_is_the_processor(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    record = to_record(Finished(result=list_devices()))
    assert record["devices"] == [
        {"name": "auto", "words": "a graphics card if torch can use one, here the processor"},
        {"name": "cpu", "words": "processor"},
    ]


def test_an_apple_gpu_is_listed(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert str(list_devices().devices[-1]) == "mps: Apple GPU"
