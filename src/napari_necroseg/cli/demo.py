"""``necroseg demo``: train, predict and score on a phantom cohort, and show the result."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from napari_necroseg.cli._window import has_display
from napari_necroseg.core.case import Cohort
from napari_necroseg.core.errors import ResourceError
from napari_necroseg.core.events import Event, Finished, Started, Warned, to_record
from napari_necroseg.core.project.model_folder import MODELS_FOLDER

N_CASES = 8
SEED = 0
MINUTES = 2.0
NOT_ACCURACY = "These are scores on a numerical phantom, not on patients: they show that the program works."


@dataclass(frozen=True, kw_only=True)
class Demonstrated:
    """The files that the demonstration made, and the scores of its test case."""

    out: Path
    run: Path
    prediction: Path
    scores: Path
    picture: Path | None
    dice: float
    sensitivity: float
    specificity: float

    def __str__(self) -> str:
        picture = f"\n  picture of the window  {self.picture}" if self.picture else ""
        return (
            f"Phantom case scored: Dice {self.dice:.3f}, sensitivity {self.sensitivity:.3f}, specificity "
            f"{self.specificity:.3f}. {NOT_ACCURACY}\n"
            f"  model                  {self.run}\n"
            f"  predicted mask         {self.prediction}\n"
            f"  scores                 {self.scores}{picture}"
        )


def add_demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("necroseg-demo"),
        metavar="DIR",
        help="folder for all files (default: necroseg-demo here)",
    )
    parser.add_argument(
        "--no-window", action="store_true", help="make a picture of the window instead of opening it"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        metavar="M",
        help=f"length of the training (default: {MINUTES:g})",
    )


def demo_left_behind(options: argparse.Namespace) -> str:
    """Say what is left of the demonstration if it is interrupted now."""
    return f"what was finished is in {options.out}; the same command begins a new training."


def demo_job(options: argparse.Namespace) -> Generator[Event]:
    """Make phantoms, train on all but one, predict that one, score it, and show it."""
    out: Path = options.out
    cohort = yield from _phantoms(out / "cohort.csv")
    held_out = cohort.names[-1]
    model_folder = _new_folder(out / MODELS_FOLDER)
    yield from _train(cohort.without((held_out,)), model_folder, minutes=options.minutes)
    predictions = out / "predictions" / model_folder.name
    yield from _predict(model_folder, cohort.only((held_out,)), out=predictions)
    scores = yield from _score(out / "cohort.csv", predictions)
    window = _Window(
        cohort=out / "cohort.csv",
        case=held_out,
        prediction=predictions / f"{held_out}.nii.gz",
        model_folder=model_folder,
    )
    picture = None
    if options.no_window or not has_display() or find_spec("napari") is None:
        yield Started(message="Drawing the window on a virtual screen.")
        picture = out / "window.png"
        yield from window.draw(picture)
    yield Finished(
        result=Demonstrated(
            out=out,
            run=model_folder,
            prediction=window.prediction,
            scores=scores[0],
            picture=picture if picture and picture.exists() else None,
            dice=scores[1]["dice"],
            sensitivity=scores[1]["sensitivity"],
            specificity=scores[1]["specificity"],
        )
    )
    if picture is None:
        window.open()


def _phantoms(table: Path) -> Generator[Event, None, Cohort]:
    """Make the phantom cohort, or use that of an earlier demonstration."""
    from napari_necroseg.core.cohort.table import read_cohort
    from napari_necroseg.core.phantom.phantom import write_phantom_cohort

    if not table.exists():
        yield from _without_end(write_phantom_cohort(table.parent, cases=N_CASES, seed=SEED))
    return read_cohort(table)


def _train(cohort: Cohort, folder: Path, *, minutes: float) -> Generator[Event]:
    from napari_necroseg.core.config import train_preset
    from napari_necroseg.core.training.start import train

    # Nobody works beside a demonstration: all cores may train.
    config = train_preset("fast").changed(minutes=minutes, threads=os.cpu_count())
    yield from _without_end(train(cohort, config, out=folder))


def _predict(model_folder: Path, cohort: Cohort, *, out: Path) -> Generator[Event]:
    from napari_necroseg.core.config import usual_prediction
    from napari_necroseg.core.network.model import load_model
    from napari_necroseg.core.prediction.predict_cohort import predict_cohort

    model = load_model(model_folder)
    config = usual_prediction(model.config).changed(threads=os.cpu_count())
    yield from _without_end(predict_cohort(model, cohort, config, out=out))


def _score(table: Path, predictions: Path) -> Generator[Event, None, tuple[Path, dict[str, float]]]:
    from napari_necroseg.core.files import write_text
    from napari_necroseg.core.scoring.files import CaseScored, score_files

    scores_file = predictions / "scores.json"
    mean: dict[str, float] = {}
    records = []
    for event in score_files(table, predictions):
        if isinstance(event, CaseScored):
            records.append(to_record(event))
        if isinstance(event, Finished):
            mean = event.result.mean
        else:
            yield event
    text = json.dumps({"remark": NOT_ACCURACY, "cases": records}, indent=2)
    write_text(scores_file, text + "\n")
    return scores_file, mean


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The napari window of the demonstration, in a process of its own: Qt wants the main thread."""

    cohort: Path
    case: str
    prediction: Path
    model_folder: Path

    def open(self) -> None:
        """Show the window until it is closed."""
        subprocess.run(self._command(), check=False)

    def draw(self, picture: Path) -> Generator[Event]:
        """Draw the window into a PNG file, on a virtual screen where there is no real one."""
        if find_spec("napari") is None:
            yield Warned(
                message="napari is not installed, so no picture of its window was made; "
                'install it with: pip install "napari-necroseg[all]"'
            )
            return
        command = [*self._command(), "--picture", str(picture)]
        if not has_display():
            if shutil.which("xvfb-run") is None:
                yield Warned(
                    message="There is no display and no xvfb-run, so no picture of the window was made; "
                    "install the package xvfb."
                )
                return
            screen = "-screen 0 1600x1000x24 +extension GLX"
            command = ["xvfb-run", "--auto-servernum", "--server-args", screen, *command]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            # A program that the system kills says nothing.
            said = result.stderr.strip() or f"its program ended with code {result.returncode} and no message."
            raise ResourceError(f"The window could not be drawn: {said.splitlines()[-1]}")

    def _command(self) -> list[str]:
        words = (self.cohort, self.case, self.prediction, self.model_folder)
        return [sys.executable, "-m", "napari_necroseg.demo_window", *map(str, words)]


def _new_folder(parent: Path) -> Path:
    """Return a folder name that is free, so that the model of an earlier demonstration stays."""
    from napari_necroseg.core.files import free_path

    return free_path(lambda number: parent / f"demo-{number}")


def _without_end(events: Generator[Event]) -> Generator[Event]:
    yield from (event for event in events if not isinstance(event, Finished))
