"""What a trained model says of itself in ``run.json``, read without its weights."""

from pathlib import Path

from pydantic import ValidationError

from napari_necroseg.core.config import TrainConfig
from napari_necroseg.core.files import read_json_quietly

RECORD_NAME = "run.json"
# A case takes some 2,000 bytes; anything this large is no record. It is read in the viewer's own thread.
_MOST_BYTES = 10_000_000


def lock_path(run: Path) -> Path:
    """Return the file that is locked while a training writes into the folder of a run; it is beside it."""
    place = run.absolute()
    return place.with_name(f".{place.name}.lock")


def read_run_record(run: Path) -> dict[str, object]:
    """Return the names and values of a model's record; none if it cannot be read."""
    return read_json_quietly(run / RECORD_NAME, _MOST_BYTES)


def trained_config(run: Path) -> TrainConfig | None:
    """Return the choices that a model was trained with; None if they cannot be read."""
    try:
        return TrainConfig.model_validate(read_run_record(run).get("config"))
    except ValidationError:
        return None
