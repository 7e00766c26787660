"""Machine code that cannot be kept on disk is compiled anew, and computes the same."""

import subprocess
import sys

import numpy as np
import pytest

from napari_necroseg.core.augment._kernel.llvm_intrinsics import log2

# What goes wrong with numba's files, done to numba before the package is imported.
NO_FOLDER = "caching.CacheImpl._locator_classes = []"
FULL_DISK = """
def save(*_, **__):
    raise OSError(28, "No space left on device")
caching.IndexDataCacheFile.save = save
caching.IndexDataCacheFile.load = lambda *_, **__: None
"""
TORN_FILE = """
import pickle
def load(*_, **__):
    raise pickle.UnpicklingError("pickle data was truncated")
caching.IndexDataCacheFile.load = load
"""


@pytest.mark.parametrize(
    "fault", [NO_FOLDER, FULL_DISK, TORN_FILE], ids=["no-folder", "full-disk", "torn-file"]
)
def test_code_that_cannot_be_kept_is_compiled_and_used(fault: str) -> None:
    code = f"""
from numba.core import caching
{fault}
import numpy as np
from napari_necroseg.core.augment._kernel.llvm_intrinsics import log2
print(float(log2(np.float32(10))).hex())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == float(log2(np.float32(10))).hex()
