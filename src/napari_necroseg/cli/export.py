"""``necroseg export``: a trained network for other programs."""

import argparse
from collections.abc import Generator
from pathlib import Path

from napari_necroseg.core.events import Event


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument("model", type=Path, metavar="RUN", help="folder of a trained model")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="new folder for model.onnx and model_card.md",
    )


def run(options: argparse.Namespace) -> Generator[Event]:
    """Export the model."""
    from napari_necroseg.core.network.export import export
    from napari_necroseg.core.network.model import load_model

    return export(load_model(options.model), out=options.out)
