"""Lists the devices of this computer without loading PyTorch into the viewer."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from napari_necroseg.core.errors import NecrosegError
from napari_necroseg.core.events import Event, Finished

_COMMAND = ("-m", "napari_necroseg.cli", "devices", "--json")
_SECONDS_BETWEEN_POLLS = 0.05
_MOST_SECONDS = 60.0


def find_devices(stop: threading.Event) -> Iterator[Event]:
    """Ask ``necroseg devices`` for the devices: their descriptions by name."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    with subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        creationflags=flags,
    ) as process:
        deadline_s = time.monotonic() + _MOST_SECONDS
        while process.poll() is None:
            if stop.wait(_SECONDS_BETWEEN_POLLS) or time.monotonic() > deadline_s:
                process.kill()
        output = "" if process.stdout is None else process.stdout.read()
    if process.returncode != 0:
        raise NecrosegError("The graphics cards of this computer could not be listed.")
    record = json.loads(output.splitlines()[-1])
    yield Finished(result={device["name"]: device["words"] for device in record["devices"]})
