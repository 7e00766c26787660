"""What an event looks like as a line of JSON."""

import json
import math
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

from napari_necroseg.core.events import (
    CaseDone,
    CaseFailed,
    Finished,
    Progress,
    Started,
    TrainingStep,
    Validated,
    Warned,
    to_record,
)


@dataclass(frozen=True)
class Inner:
    path: Path
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Outcome:
    inner: Inner
    by_case: dict


STEP = TrainingStep(iteration=3, iterations=None, loss=0.5, seconds=1.0, seconds_left=None)
EVENTS = [
    Started(message="Now."),
    Progress(done=1, total=2),
    Warned(message="Careful."),
    STEP,
    CaseDone(case="a", done=1, total=2, seconds=0.1, path=Path("a.nii.gz")),
    CaseFailed(case="a", done=1, total=2, reason="No."),
    Finished(result={"a": 1}),
]


def test_each_event_has_a_name_of_its_own() -> None:
    names = [to_record(event)["event"] for event in EVENTS]
    assert names == ["started", "progress", "warning", "step", "case", "failed", "finished"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event)
def test_events_pickle_and_are_json(event) -> None:
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own bytes
    json.dumps(to_record(event), allow_nan=False)


def test_a_step_by_its_fields() -> None:
    assert to_record(STEP) == {
        "event": "step",
        "iteration": 3,
        "iterations": None,
        "loss": 0.5,
        "seconds": 1.0,
        "seconds_left": None,
        "samples_per_s": None,
        "memory_gib": None,
    }


def test_a_result_is_unfolded_with_plain_numbers_and_paths() -> None:
    scores = (0.5, math.nan, math.inf, -math.inf)
    result = Outcome(inner=Inner(path=Path("a") / "b", scores=scores), by_case={1: [math.nan]})
    assert to_record(Finished(result=result)) == {
        "event": "finished",
        "inner": {"path": str(Path("a") / "b"), "scores": [0.5, None, "inf", "-inf"]},
        "by_case": {"1": [None]},
    }


def test_a_validation_says_over_how_many_cases_its_mean_is() -> None:
    one = Validated(iteration=5, dice={"a": 0.5, "b": math.nan}, mean_dice=0.5)
    assert str(one).endswith("mean Dice 0.500 (1 of 2 cases: the others have nothing to find)")
