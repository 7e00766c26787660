"""``necroseg devices``: what a network can run on here."""

import argparse
from collections.abc import Generator

from napari_necroseg.core.events import Event, Finished


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing: there is nothing to choose."""


def run(_options: argparse.Namespace) -> Generator[Event]:
    """List the devices."""
    from napari_necroseg.core.network.device import list_devices

    yield Finished(result=list_devices())
