"""A stop in the middle of a forward or a backward pass."""

import threading

import pytest
import torch
from torch import nn

from napari_necroseg.core.network.stopping import Stopped, check, interruptible


class SetsStop(nn.Module):
    """Sets the stop flag when it is reached, and remembers that."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self.stop = stop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.stop.set()
        return x * 2


class Counts(nn.Module):
    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x


def test_a_forward_pass_ends_at_the_layer_where_the_stop_came() -> None:
    stop, after = threading.Event(), Counts()
    network = nn.Sequential(nn.Linear(2, 2), SetsStop(stop), after)
    with interruptible(network, stop), pytest.raises(Stopped):
        network(torch.ones(1, 2))
    assert after.calls == 0


def test_a_backward_pass_ends_before_it_reaches_the_first_layer() -> None:
    stop = threading.Event()
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True), nn.Linear(2, 2))
    with interruptible(network, stop):
        loss = network(torch.ones(1, 2)).sum()
        stop.set()
        with pytest.raises(Stopped):
            loss.backward()
    assert network[0].weight.grad is None


def test_the_network_is_as_before_once_the_context_is_left() -> None:
    stop = threading.Event()
    network = nn.Linear(2, 2)
    with interruptible(network, stop):
        expected = network(torch.ones(1, 2))
    stop.set()
    assert torch.equal(network(torch.ones(1, 2)), expected)
    assert not network._forward_hooks


def test_hooks_change_no_gradient() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 1))
    network(torch.ones(2, 3)).sum().backward()
    expected = network[0].weight.grad
    network.zero_grad(set_to_none=True)
    with interruptible(network, threading.Event()):
        network(torch.ones(2, 3)).sum().backward()
    assert torch.equal(network[0].weight.grad, expected)


def test_check_raises_only_when_asked_to_stop() -> None:
    stop = threading.Event()
    check(stop)
    stop.set()
    with pytest.raises(Stopped):
        check(stop)
