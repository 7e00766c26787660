"""Which device and precision a name stands for, the devices in words, and how a lack of memory reads."""

import contextlib
import os

import pytest
import torch

from napari_necroseg.core.config import train_preset
from napari_necroseg.core.errors import ResourceError, SettingsError
from napari_necroseg.core.events import Finished, to_record
from napari_necroseg.core.network.device import (
    Hardware,
    default_threads,
    free_bytes,
    list_devices,
    memory_errors,
    precision_context,
    reduced_dtype,
    resolve_device,
    resolve_hardware,
    torch_settings,
)


@pytest.mark.parametrize(("has_card", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_card_where_there_is_one(monkeypatch, has_card: bool, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_card)
    assert resolve_device("auto") == device


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:0", "", "mps:1"])
def test_an_unknown_device_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=r"auto, cpu, cuda, cuda:1 \(and so on\) or mps"):
        resolve_device(name)


def test_a_card_that_is_not_there_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(ResourceError, match=r"cuda:2 was asked for, but this computer has 2 such card"):
        resolve_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ResourceError, match="no NVIDIA or AMD card"):
        resolve_device("cuda")


def test_one_core_stays_free(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert default_threads() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert default_threads() == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert default_threads() == 7


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_the_cpu_computes_in_bfloat16_only_where_its_hardware_does(monkeypatch, has_bfloat16: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert reduced_dtype("cpu", "auto") == (torch.bfloat16 if has_bfloat16 else None)
    assert reduced_dtype("cpu", "fp32") is None
    assert reduced_dtype("mps", "auto") is None


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_the_precision_holds_within_the_context(dtype: torch.dtype | None) -> None:
    with precision_context(Hardware(device="cpu", threads=1, short_dtype=dtype)):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (dtype or torch.float32)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: ..."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB)."),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_a_lack_of_memory_names_what_did_not_fit(error: Exception) -> None:
    with (
        pytest.raises(ResourceError, match=r"^Not enough memory for a batch of 32; use a smaller one\.$"),
        memory_errors("a batch of 32", "use a smaller one"),
    ):
        raise error


def test_torch_itself_reports_a_lack_of_memory_so() -> None:
    with pytest.raises(ResourceError), memory_errors("it", "stop"):
        torch.empty(2**60, dtype=torch.uint8)


def test_another_runtime_error_stays_a_bug() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), memory_errors("it", "stop"):
        raise RuntimeError("shapes differ")


def test_threads_and_precision_are_given_back_even_after_an_error(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    before = torch.get_num_threads()
    within = []
    with contextlib.suppress(KeyError), torch_settings(before + 2):
        within += [torch.get_num_threads(), torch.backends.cudnn.allow_tf32]
        raise KeyError
    assert within == [before + 2, False]
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_num_threads() == before


def test_what_torch_holds_of_a_card_and_uses_no_more_is_free(monkeypatch) -> None:
    asked = []
    answers = {"mem_get_info": (3, 80), "memory_reserved": 20, "memory_allocated": 5}
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda card, answer=answer: asked.append(card) or answer)
    assert free_bytes("cuda:1") == 3 + 20 - 5
    assert asked == ["cuda:1"] * 3
    assert 0 < free_bytes("cpu") < 2**50


def test_the_number_format_is_that_of_the_very_card(monkeypatch) -> None:
    current = ["cuda:0"]

    @contextlib.contextmanager
    def card(name):
        current.append(name)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", card)
    supports = {"cuda:0": False, "cuda:1": True}
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: supports[current[-1]])
    assert reduced_dtype("cuda:1", "auto") == torch.bfloat16
    assert reduced_dtype("cuda:0", "auto") is None


def test_hardware_is_that_of_the_choices_unless_another_is_given() -> None:
    config = train_preset("fast").changed(device="cpu", threads=3, precision="fp32")
    assert resolve_hardware(config) == Hardware(device="cpu", threads=3, short_dtype=None)
    assert resolve_hardware(config, threads=2).threads == 2
    assert resolve_hardware(config.changed(threads=None)).threads == default_threads()
    with pytest.raises(ResourceError, match="cuda:99"):
        resolve_hardware(config, device="cuda:99")


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
