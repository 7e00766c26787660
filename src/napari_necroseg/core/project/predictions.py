"""Finds the predictions of a case that a project holds, in ``predictions/<model>/<case>.nii.gz``."""

from pathlib import Path

from napari_necroseg.core.case_names import named_file
from napari_necroseg.core.project.models import modified_s

PREDICTIONS_FOLDER = "predictions"


def saved_prediction(project: Path, case: str, *, model: str = "") -> Path | None:
    """Return the mask that this model predicted for a case, else the newest of any; None without one."""
    folder = project / PREDICTIONS_FOLDER
    if not folder.is_dir():
        return None
    of_models = [one for one in folder.iterdir() if one.is_dir()]
    found = [path for path in (named_file(one, f"{case}.nii.gz") for one in of_models) if path.is_file()]
    return max(found, key=lambda path: (path.parent.name == model, modified_s(path)), default=None)
