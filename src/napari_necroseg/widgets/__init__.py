"""Docks of the napari plugin: thin forms over the jobs of the core."""

from importlib.metadata import PackageNotFoundError, version

# The wheel does not ask for napari, so that the command line runs without it: here is where it is missed.
OLDEST_NAPARI = (0, 9)


def check_napari(installed: str | None) -> None:
    """Refuse a napari that is too old for the docks, or none.

    `installed`: its version; None where it is not installed.
    Raises ImportError with the version that is there, and what to do.
    """
    oldest = ".".join(map(str, OLDEST_NAPARI))
    if installed is None:
        raise ImportError(
            f"The docks of napari-necroseg need napari {oldest} or newer, which is not installed; "
            'install it with: pip install "napari-necroseg[all]"'
        )
    if tuple(int(part) for part in installed.split(".")[:2]) < OLDEST_NAPARI:
        raise ImportError(
            f"The docks of napari-necroseg need napari {oldest} or newer, and this is napari {installed}; "
            f'update it with: pip install --upgrade "napari[all]>={oldest}"'
        )


def _installed_napari() -> str | None:
    try:
        return version("napari")
    except PackageNotFoundError:
        return None


check_napari(_installed_napari())
