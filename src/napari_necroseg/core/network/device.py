"""Finds the device that a network runs on, its number format, and the memory that is free there."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import psutil
import torch

from napari_necroseg.core.config import Precision, PredictConfig, TrainConfig
from napari_necroseg.core.errors import ResourceError, SettingsError
from napari_necroseg.core.process import available_bytes

# Messages of errors that are a lack of memory, although torch raises no `OutOfMemoryError`.
_OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "DefaultCPUAllocator",
    "MPS backend out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where a network computes."""

    # Torch's name, never ``auto``.
    device: str
    threads: int
    # The short number format of its convolutions; None for 32 bits.
    short_dtype: torch.dtype | None = None

    @property
    def name(self) -> str:
        """The device's name, as a person knows it."""
        return device_in_words(self.device).partition(" (")[0]


def resolve_hardware(
    config: TrainConfig | PredictConfig, *, device: str | None = None, threads: int | None = None
) -> Hardware:
    """Decide where a network computes: what the configuration leaves open, this computer decides.

    `device` and `threads` replace those of the configuration. Errors are those of `resolve_device`.
    """
    resolved = resolve_device(device or config.device)
    return Hardware(
        device=resolved,
        threads=threads or config.threads or default_threads(),
        short_dtype=reduced_dtype(resolved, config.precision),
    )


def resolve_device(name: str) -> str:
    """Return torch's name of a device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    ``auto`` is a graphics card if torch can use one through CUDA or ROCm, else the CPU. Any other name is a
    `SettingsError`, a device that this computer lacks a `ResourceError`.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and (kind != "cuda" or not number.isdecimal())):
        raise SettingsError(
            f"There is no device called {name!r}; choose auto, cpu, cuda, cuda:1 (and so on) or mps; "
            "necroseg devices lists what this computer has."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ResourceError(
            "This computer has no Apple GPU that torch can use; choose the device auto or cpu."
        )
    if kind == "cuda":
        _check_card(int(number or 0))
    return name


def device_in_words(device: str) -> str:
    """Return the name and free memory of a device, in words."""
    if device.startswith("cuda"):
        free, total = torch.cuda.mem_get_info(device)
        return f"{torch.cuda.get_device_name(device)} ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"
    return {"cpu": "processor", "mps": "Apple GPU"}.get(device, device)


def used_memory_gib(device: str) -> float:
    """Return the memory in use: by torch on a graphics card, by the whole program elsewhere."""
    if device.startswith("cuda"):
        return torch.cuda.memory_reserved(device) / 2**30
    if device == "mps":
        return torch.mps.driver_allocated_memory() / 2**30
    return int(psutil.Process().memory_info().rss) / 2**30


def default_threads() -> int:
    """Return the number of CPU cores that this process may use, less one that stays free for the viewer."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)) - 1)
    return max(1, (os.cpu_count() or 1) - 1)


def reduced_dtype(device: str, precision: Precision) -> torch.dtype | None:
    """Return the short number format for convolutions on this device; None for 32 bits.

    ``auto`` is bfloat16 where the hardware computes with it; elsewhere it would be emulated, slowly.
    """
    if precision == "fp32":
        return None
    if device.startswith("cuda"):
        # Torch asks the current card, which may be a different one.
        with torch.cuda.device(device):
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    return torch.bfloat16 if device == "cpu" and _cpu_computes_bfloat16() else None


def precision_context(hardware: Hardware) -> AbstractContextManager[object]:
    """Return the autocast to the short number format, or a context that does nothing."""
    if hardware.short_dtype is None:
        return nullcontext()
    return torch.autocast(hardware.device.partition(":")[0], dtype=hardware.short_dtype)


@contextmanager
def memory_errors(what: str, remedy: str) -> Iterator[None]:
    """Turn a lack of memory into a `ResourceError` that says `what` did not fit, and the `remedy`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(f"Not enough memory for {what}; {remedy}.") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch or numpy ran out of memory, of the processor or of a card."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Let torch compute with this many CPU threads and full 32 bits; restore its settings afterwards.

    By default, torch's convolutions on a card read only 10 bits of the mantissa (TF32).
    """
    n_before, short_before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(n_before)
        torch.backends.cudnn.allow_tf32 = short_before


def free_bytes(device: str) -> int:
    """Return the memory that torch can still use on a device, including what it holds but no longer uses."""
    if not device.startswith("cuda"):
        return available_bytes()
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def hand_back_memory(device: str) -> None:
    """Release the memory of a card that torch holds but no longer uses."""
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def _check_card(number: int) -> None:
    n_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number >= n_cards:
        has = (
            "no NVIDIA or AMD card that torch can use"
            if n_cards == 0
            else f"{n_cards} such card(s), counted from 0"
        )
        raise ResourceError(
            f"The device cuda:{number} was asked for, but this computer has {has}; choose auto or cpu."
        )


def _cpu_computes_bfloat16() -> bool:
    # Private in torch, hence guarded: where a version of torch lacks these functions, fp32 is right.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, question)() for question in questions if hasattr(torch.cpu, question))


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device that can be chosen: the `name` for the setting ``device``, and a description."""

    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.name}: {self.words}"


@dataclass(frozen=True, kw_only=True)
class Devices:
    """All devices of this computer, ``auto`` first."""

    devices: tuple[Device, ...]

    def __str__(self) -> str:
        return "\n".join(str(device) for device in self.devices)


def list_devices() -> Devices:
    """List the devices that torch can use on this computer, with the memory that is free now."""
    n_cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ["cpu", *(f"cuda:{number}" for number in range(n_cards))]
    if torch.backends.mps.is_available():
        names.append("mps")
    found = tuple(Device(name=name, words=_in_words(name)) for name in names)
    return Devices(devices=(Device(name="auto", words=_auto_in_words()), *found))


def _auto_in_words() -> str:
    chosen = resolve_device("auto")
    what = "processor" if chosen == "cpu" else torch.cuda.get_device_name(chosen)
    return f"a graphics card if torch can use one, here the {what}"


def _in_words(name: str) -> str:
    try:
        return device_in_words(name)
    except RuntimeError:
        # Another program may have reserved the card; the other devices can still be chosen.
        return f"{torch.cuda.get_device_name(name)} (cannot be used at the moment)"
