"""Imports what the panel consists of, a module at a time, so that the window never stands still."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

_WIDGETS = "napari_necroseg.widgets"
# In the order of their first use.
_PACKAGES = (
    "shared",
    "cases",
    "view",
    "correct",
    "predict",
    "scores",
    "train",
    "augmentation",
    "study",
    "panel",
)
# What the first click, case and scores would else wait for. Not torch: it cannot be imported in small pieces,
# so that it stays in the thread of the job that needs it.
_LATER = (
    "numpy.testing",
    "numpy.f2py",
    "scipy.special",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.spatial",
    "scipy.ndimage",
    "nibabel",
)


def import_parts() -> Iterator[None]:
    """Import the modules of the steps, one between two yields."""
    for package in _PACKAGES:
        found = import_module(f"{_WIDGETS}.{package}")
        yield from _import_all(module.name for module in iter_modules(found.__path__, f"{found.__name__}."))


def import_what_jobs_need() -> Iterator[None]:
    """Import the libraries that the first jobs need, one between two yields."""
    return _import_all(iter(_LATER))


def _import_all(names: Iterator[str]) -> Iterator[None]:
    for name in names:
        if name not in sys.modules:
            import_module(name)
            yield
