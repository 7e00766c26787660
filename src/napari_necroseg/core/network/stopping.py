"""Stops a network in the middle of a step, since a 3D step takes seconds on a CPU."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Flags that steer a running training; each may be set at any time, from any thread."""

    # End the training within two seconds, and leave nothing.
    stop: threading.Event = field(default_factory=threading.Event)
    # Leave the checkpoint, if there is one, when the training is stopped.
    leave: threading.Event = field(default_factory=threading.Event)
    # End the training after this step, and keep the model as it is.
    keep: threading.Event = field(default_factory=threading.Event)
    # Write a checkpoint after this step, and pause until the flag is cleared.
    pause: threading.Event = field(default_factory=threading.Event)
    # Name of the validation case whose predicted labels are reported.
    picture: str | None = None


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """The job was asked to stop."""


def check(stop: threading.Event) -> None:
    """Raise `Stopped` if a stop was asked for."""
    if stop.is_set():
        raise Stopped


@contextmanager
def interruptible(network: nn.Module, stop: threading.Event) -> Iterator[None]:
    """Let forward and backward passes raise `Stopped` at the next layer after `stop` is set."""

    def check_gradient(_gradient: Tensor) -> None:
        check(stop)

    def check_layer(_layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        check(stop)
        if output.requires_grad:
            output.register_hook(check_gradient)  # type: ignore[no-untyped-call]

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(check_layer) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
