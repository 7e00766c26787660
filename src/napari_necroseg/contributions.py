"""Reads and writes files and makes sample data, as the manifest names it besides the docks."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.volume import Voxels
from napari_necroseg.layerdata import (
    LayerData,
    LayerSource,
    Role,
    case_layers,
    image_layer,
    mask_layer,
    placeholder_layer,
    source_of,
)

_MASK_ROLES = (Role.REFERENCE, Role.TUMOUR)
_CASES_WITHOUT_A_PANEL = 3
_MASK_SUFFIXES = (".nii.gz", ".nii")


def get_reader(path: str | list[str]) -> Any:
    """Return the function that reads these files, or None if one of them is of another kind."""
    from napari_necroseg.core.images.file_image import image_suffix

    paths = [path] if isinstance(path, str) else path
    return read_layers if paths and all(image_suffix(Path(one)) for one in paths) else None


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read images as upright layers in millimetres, and masks (by their names) as labels.

    Raises FileError or GeometryError for a file that cannot be read, in one sentence.
    """
    paths = [path] if isinstance(path, str) else path
    return [_read_layer(Path(one)) for one in paths]


def write_labels(path: str, voxels: Voxels, attributes: dict[str, Any]) -> list[str]:  # noqa: PLR0917  # napari's order
    """Save a labels layer onto the grid of the ceT1 file that it belongs to.

    An existing mask of that name that may be a person's work is kept as ``<name>_earlier-001.nii.gz``.

    Raises FileError if the layer belongs to no file, has another shape than it, or the name is not that of a
    NIfTI file.
    """
    from napari_necroseg.core.project.case_files import CaseOutput, corrected_record, write_case

    name = attributes.get("name", "labels")
    source = source_of(attributes.get("metadata", {}))
    if source is None:
        raise FileError(
            f"The layer {name!r} belongs to no image file, so there is no grid that it could be saved on. "
            "Open the case in the dock Cases, press 'New mask', and draw there."
        )
    if voxels.shape != source.grid.shape:
        raise FileError(
            f"The layer {name!r} has the shape {voxels.shape}, but the image that it belongs to has "
            f"{source.grid.shape}; only a mask on the image's own grid can be saved."
        )
    if not path.endswith(_MASK_SUFFIXES):
        raise FileError(f"{Path(path).name}: a mask is saved as NIfTI; choose a name that ends in .nii.gz.")
    # A map of errors keeps its labels; in a mask, all voxels that are not 0 are inside.
    is_map = source.role is Role.ERRORS
    output = CaseOutput(path=Path(path), mask=voxels, origin=source.origin, has_labels=is_map)
    write_case(replace(output, record=None if is_map else corrected_record(output)))
    return [path]


def sample_phantom_case() -> list[LayerData]:
    """Show one case of the numerical phantom."""
    parts = _cases_parts()
    if parts is not None:
        parts.open_phantom_case()
        return [placeholder_layer("phantom case: see the panel")]
    from napari_necroseg.core.phantom.phantom import phantom_case

    return case_layers(phantom_case(0, 0))


def sample_phantom_cohort() -> list[LayerData]:
    """Write a small cohort of the numerical phantom into a temporary folder, and show its first case."""
    folder = Path(tempfile.mkdtemp(prefix="necroseg-phantom-"))
    parts = _cases_parts()
    if parts is not None:
        parts.make_phantom_cohort(folder)
        return [placeholder_layer("phantom cohort: see the panel")]
    from napari_necroseg.core.cohort.load import load_case
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort

    for _ in write_phantom_cohort(folder, cases=_CASES_WITHOUT_A_PANEL, seed=0):
        pass
    cohort = read_cohort(folder / "cohort.csv")
    return case_layers(load_case(cohort[cohort.names[0]]))


def _read_layer(path: Path) -> LayerData:
    from napari_necroseg.core.grids.orient import to_working
    from napari_necroseg.core.images.file_image import image_stem
    from napari_necroseg.core.images.read import read_image, read_mask

    role = _role(image_stem(path))
    image = read_mask(path) if role in _MASK_ROLES else read_image(path)
    volume = to_working(image.volume)
    source = LayerSource(case=image_stem(path), role=role, origin=image.origin, grid=volume.grid)
    make = mask_layer if role in _MASK_ROLES else image_layer
    return make(volume, source, name=image_stem(path))


def _role(stem: str) -> Role:
    """Return what a file shows by its name; any other name means just an image."""
    from napari_necroseg.core.cohort.file_names import role_of

    named = role_of(stem)
    return Role(named.value) if named is not None and named.value in set(Role) else Role.IMAGE


def _cases_parts() -> Any:
    """Return what opens cases in the panel of the current window, in a thread; None without a window."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    from napari_necroseg.window import open_panel

    return open_panel(viewer).steps["cases"].cases
