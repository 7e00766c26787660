"""The devices of this computer that a network can run on, in words that a person knows."""

from dataclasses import dataclass

import torch

from napari_necroseg.core.learning.device import device_in_words, resolve_device


@dataclass(frozen=True, kw_only=True)
class Device:
    """What can be chosen as ``device``: its `name` there, and what it is."""

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
    """Look at what torch can run on here; free memory is that of this moment."""
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
        # Another program may have the card for itself; the others can still be chosen.
        return f"{torch.cuda.get_device_name(name)} (cannot be used at the moment)"
