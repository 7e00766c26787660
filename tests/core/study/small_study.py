"""A study of four tiny cases, for many tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.config.study import StudyConfig
from napari_necroseg.core.events import Event
from napari_necroseg.core.study.experiment import run_study

CHOICES: dict[str, Any] = {
    "configurations": ("2d:ceT1",),
    "folds": 2,
    "steps_per_run": 2,
    "threads": 1,
    "workers": 1,
}


def run(project: Path, *, only: tuple[str, ...] = (), **choices: Any) -> list[Event]:
    table = project / "cohort.csv"
    config = StudyConfig.checked(**CHOICES | choices)
    return list(run_study(read_cohort(table), config, out=project / "study" / "a", only=only))


def of_kind(events: list[Event], name: str) -> list[Any]:
    return [event for event in events if event.event == name]


def edit_cohort(project: Path, change: Callable[[Cohort], Cohort]) -> None:
    write_cohort(project / "cohort.csv", change(read_cohort(project / "cohort.csv")))


def weights(project: Path, key: str) -> dict[str, np.ndarray]:
    return load_file(project / "study" / "a" / "models" / key / "weights.safetensors")


def change_a_dice(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    number = next(place for place, line in enumerate(lines) if ",dice," in line)
    lines[number] = lines[number][: lines[number].rindex(",")] + ",0.987\n"
    path.write_text("".join(lines))
