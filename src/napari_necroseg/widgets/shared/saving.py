"""Where a mask is saved, and what is handed to the job that saves it."""

from collections.abc import Iterable
from pathlib import Path

from napari.layers import Labels
from qtpy.QtWidgets import QWidget

from napari_necroseg.core.casename import named_file
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.io.corrected import LABELS_FOLDER, corrected_path
from napari_necroseg.layerdata import LayerSource, Role, source_of
from napari_necroseg.widgets.shared import ask
from napari_necroseg.widgets.shared.case_jobs import MaskToSave


def masks_to_save(
    parent: QWidget, layers: list[Labels], folder: Path | None, *, kept: Iterable[Path] = ()
) -> list[MaskToSave] | None:
    """Take a copy of masks, each with the file it goes to; None if the person gave up a file dialog.

    Parameters
    ----------
    parent
        Where file dialogs open.
    layers
        Masks of a case, the newest last: of two that go to one file, such as two predictions of one model,
        the newer one stays there, and the older is kept beside it as an earlier version.
    folder
        The project folder; without one the person is asked for each file.
    kept
        The images and the expert's masks of the case, which are never written to.

    Raises
    ------
    FileError
        If a layer does not belong to a case, or a file was chosen that is kept.
    """
    saves: list[MaskToSave] = []
    known = {file.resolve() for file in kept}
    for layer in layers:
        source = source_of(layer.metadata)
        if source is None:
            raise FileError(
                f"The layer {layer.name!r} belongs to no case, so there is no file whose grid it could be "
                "saved on. Press 'New mask' in the dock Cases, and draw there."
            )
        path = _project_path(folder, source) if folder else _ask_path(parent, layer, source)
        if path is None:
            return None
        if folder is None and path.resolve() in known:
            raise FileError(
                f"{path.name} is an image or an expert's mask of this case, and stays as it is. Save "
                f"{layer.name!r} under another name."
            )
        saves.append(MaskToSave(path=path, voxels=layer.data.copy(), origin=source.origin, key=id(layer)))
    return saves


def _project_path(folder: Path, source: LayerSource) -> Path:
    if source.role in (Role.PREDICTION, Role.IN_TRAINING):
        return named_file(folder / "predictions" / (source.run or "unknown-model"), f"{source.case}.nii.gz")
    return corrected_path(folder / LABELS_FOLDER, source.case, is_tumour=source.role is Role.TUMOUR)


def _ask_path(parent: QWidget, layer: Labels, source: LayerSource) -> Path | None:
    beside = source.origin.path.parent if source.origin.path else Path.home()
    start = str(beside / f"{source.case}_{source.role}.nii.gz")
    path = ask.ask_where_to_save(parent, f"Save {layer.name}", start)
    if path is not None and not path.name.endswith((".nii", ".nii.gz")):
        path = path.with_name(path.name + ".nii.gz")
    return path
