"""The models of a computer: of all projects, with their age, cases and Dice, and which of them is used."""

import json
import math
import os
from pathlib import Path

from napari_necroseg.core.project.known_models import (
    LEAST_ITERATIONS,
    is_ready,
    known_model,
    known_models,
    to_use,
)

LONG = LEAST_ITERATIONS
TESTED = "iteration,seconds,loss,validation_dice\n100,5.0,,0.412000\n200,9.0,0.31,\n200,9.5,,0.710000\n"


def model(folder: Path, *, age_s: int = 0, history: str = "", **record: object) -> Path:
    folder.mkdir(parents=True)
    weights = folder / "weights.safetensors"
    weights.touch()
    os.utime(weights, (1_700_000_000 - age_s,) * 2)
    (folder / "run.json").write_text(json.dumps({"iterations": LONG, **record}))
    if history:
        (folder / "history.csv").write_text(history)
    return folder


def names(models) -> list[str]:
    return [one.run.name for one in models]


def test_lists_the_models_of_all_projects_and_others_the_newest_first_and_each_once(tmp_path):
    old = model(tmp_path / "here" / "models" / "old", age_s=300)
    model(tmp_path / "there" / "models" / "middle", age_s=200)
    lone = model(tmp_path / "elsewhere" / "new")
    projects = [tmp_path / "here", tmp_path / "there", tmp_path / "gone"]
    found = known_models(projects, others=[lone, old, tmp_path / "not-there"])
    assert names(found) == ["new", "middle", "old"]
    assert [one.project for one in found] == ["", "there", "here"]


def test_says_how_good_a_model_is_on_cases_that_it_has_not_seen(tmp_path):
    run = model(tmp_path / "a", history=TESTED, cases=["p", "q"], validation=["r", "s", "t"])
    found = known_model(run)
    assert found is not None
    assert (found.cases, found.dice, found.unseen) == (2, 0.71, 3)


def test_the_dice_of_cases_that_it_once_learned_from_is_no_test(tmp_path):
    run = model(tmp_path / "a", history=TESTED, cases=["new"], earlier_cases=["R"], validation=["r", "s"])
    found = known_model(run)
    assert found is not None
    assert math.isnan(found.dice)
    assert found.unseen == 0


def test_a_model_that_has_hardly_learned_is_never_chosen_by_itself(tmp_path):
    stopped = model(tmp_path / "models" / "stopped", iterations=LONG - 1)
    good = model(tmp_path / "models" / "good", age_s=60)
    found = known_models([tmp_path])
    assert names(found) == ["stopped", "good"]
    assert not is_ready(stopped)
    used = to_use(found, chosen=None)
    assert used is not None
    assert used.run == good
    # A person may choose it all the same; a chosen one that is gone is forgotten.
    assert to_use(found, chosen=stopped) == found[0]
    assert to_use(found, chosen=tmp_path / "gone") == found[1]
    assert to_use(found[:1], chosen=None) is None


def test_a_damaged_record_leaves_a_model_that_can_be_chosen(tmp_path):
    run = model(tmp_path / "a", history="\x00,\n\x00")
    (run / "run.json").write_text("[1]")
    found = known_model(run)
    assert found is not None
    assert (found.cases, found.iterations, found.is_ready) == (0, None, True)
    assert known_model(tmp_path) is None
