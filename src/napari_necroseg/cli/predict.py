"""The commands ``predict``, ``export`` and ``devices``, which use a trained network."""

import argparse
from collections.abc import Generator
from pathlib import Path
from typing import get_args

from napari_necroseg.cli._options import add_image_options, add_options, chosen, in_words, read_input
from napari_necroseg.core.config import BY_PRESET, PredictConfig, Preset, train_preset, usual_prediction
from napari_necroseg.core.errors import SettingsError
from napari_necroseg.core.events import Event, Finished, Warned

FIELDS = (
    "threshold",
    "fill_holes",
    "min_volume_ml",
    "smallest_share",
    "largest",
    "tta",
    "slice_smoothing_mm",
    "around",
    "device",
    "threads",
    "precision",
)


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of trained models, or of ensembles of a study, whose mean is used; the last word is "
        "INPUT: cohort.csv, or the folder of one case",
    )
    add_image_options(parser, instead_of="INPUT")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the predicted masks"
    )
    parser.add_argument(
        "--probability", action="store_true", help="also write the probability of every voxel"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write the standard deviation between the models and mirrored images, or sqrt(p (1 - p)) "
        "where there is only one",
    )
    add_options(parser, PredictConfig, names=FIELDS, defaults={name: _by_preset(name) for name in BY_PRESET})


def predict_job(options: argparse.Namespace) -> Generator[Event]:
    """Predict every case of the input."""
    choices = chosen(options, FIELDS)
    # Wrong choices are refused before anything is loaded.
    PredictConfig.checked(**choices)
    runs, given = split_input(options)
    cohort = read_input(options, given)
    from napari_necroseg.core.network.model import load_model
    from napari_necroseg.core.prediction.predict_cohort import predict_cohort
    from napari_necroseg.core.project.models import distinct_runs

    runs, repeated = distinct_runs(runs)
    models = [load_model(run) for run in runs]
    config = usual_prediction(*(model.config for model in models)).changed(**choices)
    maps = {"probability": options.probability, "uncertainty": options.uncertainty}
    return _told(repeated, predict_cohort(models, cohort, config, out=options.out, **maps))


def _told(repeated: str, job: Generator[Event]) -> Generator[Event]:
    if repeated:
        yield Warned(message=repeated)
    yield from job


def _by_preset(name: str) -> str:
    usual = {preset: usual_prediction(train_preset(preset)) for preset in get_args(Preset)}
    return ", ".join(f"{preset} {in_words(getattr(config, name))}" for preset, config in usual.items())


def split_input(options: argparse.Namespace) -> tuple[list[Path], Path | None]:
    """Return the models, and the input unless it is given by --ceT1.

    Raises SettingsError if the input is missing.
    """
    if options.ce_t1 is not None:
        return options.runs, None
    if len(options.runs) < 2:
        raise SettingsError("Name the INPUT after the RUN: cohort.csv, a case folder, or --ceT1 FILE.")
    return options.runs[:-1], options.runs[-1]


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", type=Path, metavar="RUN", help="folder of a trained model")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="new folder for model.onnx and model_card.md",
    )


def export_job(options: argparse.Namespace) -> Generator[Event]:
    """Export the model."""
    from napari_necroseg.core.network.export import export
    from napari_necroseg.core.network.model import load_model

    return export(load_model(options.model), out=options.out)


def add_devices_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add no options: there is nothing to choose."""


def devices_job(_options: argparse.Namespace) -> Generator[Event]:
    """List the devices."""
    from napari_necroseg.core.network.device import list_devices

    yield Finished(result=list_devices())
