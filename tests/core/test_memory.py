"""A process that keeps what it freed does not ask the system for it again."""

import subprocess
import sys

import pytest

# Page faults of ten tensors of 64 MiB, each freed before the next.
COUNT = """
import resource
import numpy as np
{keep}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(2**26, np.uint8)[::4096] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
KEEP = "from napari_necroseg.core.memory import keep_freed_memory; keep_freed_memory()"


def faults(keep: str) -> int:
    code = COUNT.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it changes the GNU C library's way only")
def test_what_was_freed_is_used_again() -> None:
    assert faults(KEEP) < faults("") / 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is kept")
def test_what_is_kept_counts_as_available() -> None:
    code = f"""
{KEEP}
import numpy as np, psutil
from napari_necroseg.core.memory import available_bytes
before = available_bytes() - psutil.virtual_memory().available
np.ones(2**28, np.uint8)
print(available_bytes() - psutil.virtual_memory().available - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == pytest.approx(2**28, rel=0.1)
