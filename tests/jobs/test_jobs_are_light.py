"""The viewer imports all jobs when a dock opens: what is heavy comes later, and the screen never."""

import subprocess
import sys

CODE = """
import importlib, pkgutil, sys
from napari_necroseg import jobs
for module in pkgutil.iter_modules(jobs.__path__, "napari_necroseg.jobs."):
    importlib.import_module(module.name)
print(sorted({"torch", "napari", "qtpy", "magicgui", "matplotlib", "numba"} & set(sys.modules)))
"""


def test_jobs_load_neither_torch_nor_a_screen() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
