"""Train on a folder of cases, leave the last out, predict and score it: ``python headless_study.py FOLDER``.

Every long job is a generator of events; this script prints them as they come. Nothing here needs a screen.
"""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_necroseg.core.cohort.prepare import prepare
from napari_necroseg.core.cohort.table import read_cohort
from napari_necroseg.core.config import train_preset
from napari_necroseg.core.events import Event, Finished
from napari_necroseg.core.network.model import load_model
from napari_necroseg.core.prediction.predict_cohort import predict_cohort
from napari_necroseg.core.scoring.files import score_files
from napari_necroseg.core.scoring.summary import Summary
from napari_necroseg.core.training.start import train


def main(folder: Path, *, minutes: float = 10.0) -> Summary:
    """Find and pair the images, train, predict, score."""
    table = result_of(prepare(folder)).cohort
    cohort = read_cohort(table)
    held_out = cohort.names[-1]

    config = train_preset("fast", "2d").changed(minutes=minutes)
    training_cases = cohort.without((held_out,))
    run = result_of(train(training_cases, config, out=folder / "models" / "example")).run

    predictions = folder / "predictions" / "example"
    model = load_model(run)
    result_of(predict_cohort(model, cohort.only((held_out,)), out=predictions))
    summary: Summary = result_of(score_files(table, predictions))
    return summary


def result_of(events: Generator[Event]) -> Any:
    """Print what a job reports, and return what it made."""
    result = None
    for event in events:
        print(event)
        if isinstance(event, Finished):
            result = event.result
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1]))
