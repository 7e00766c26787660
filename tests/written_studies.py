"""Small study folders, made by hand: what was run, how it went, and the score of each case."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from napari_necroseg.core.case import CaseFiles, Cohort
from napari_necroseg.core.case import Sequence as MRSequence
from napari_necroseg.core.cohort.load import load_case
from napari_necroseg.core.cohort.table import read_cohort, write_cohort
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.files import voxels_sha256
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores
from napari_necroseg.core.study.record import RunState, StudyCase, StudyRecord, read_study, write_record
from napari_necroseg.core.study.results import CaseResult, results_text
from napari_necroseg.core.study.run import Run, runs_of

# Dice by configuration, seed and case.
Dice = Mapping[str, Mapping[int, Mapping[str, float]]]
HASH = "ab" * 32


def make_scores(dice: float, **values: float) -> Scores:
    """Scores of a case with 2 mL to find, all ratios equal to its Dice; missed where that is 0."""
    names = ("dice", "sensitivity", "specificity", "specificity_box", "specificity_patch", "nsd")
    ratios = dict.fromkeys(names, dice)
    found_ml = 0.0 if dice == 0 else 2.0
    distances = dict.fromkeys(("hd95_mm", "assd_mm"), math.inf if dice == 0 else 10 * (1 - dice))
    rest = dict.fromkeys(SCORE_NAMES, 0.0) | {"reference_ml": 2.0, "prediction_ml": found_ml}
    rest |= {"volume_difference_ml": found_ml - 2.0}
    fields: dict[str, Any] = rest | ratios | distances | values
    fields |= {name: int(value) for name, value in fields.items() if name.startswith("lesions_")}
    return Scores(state="scored" if dice else "missed", nsd_tolerance_mm=2.0, **fields)


def nothing(found_ml: float = 0.0) -> Scores:
    """Scores of a case with nothing to find."""
    undefined = {"sensitivity": math.nan, "specificity_box": math.nan, "specificity_patch": math.nan}
    made = make_scores(
        math.nan, reference_ml=0.0, prediction_ml=found_ml, volume_difference_ml=found_ml, **undefined
    )
    dice = 0.0 if found_ml else math.nan
    return replace(made, dice=dice, state="false_alarm" if found_ml else "nothing_to_find")


def result(configuration: str, case: str, scores: Scores, *, fold: int = 1, seed: int = 0) -> CaseResult:
    return CaseResult(
        configuration=Configuration(configuration), fold=fold, seed=seed, case=case, scores=scores
    )


def make_record(cases: Mapping[str, tuple[str, int]], **config: Any) -> StudyRecord:
    """Record of a study; the patient and the fold of each case."""
    return StudyRecord(
        config=StudyConfig.checked(**config),
        cohort="cohort.csv",
        cases={
            name: StudyCase(patient=patient, fold=fold, target_ml=2.0, images_sha256={"ceT1": HASH})
            for name, (patient, fold) in cases.items()
        },
        versions={"napari-necroseg": "0.1", "torch": "2.6"},
    )


def write_study(folder: Path, record: StudyRecord, results: list[CaseResult], **failed: str) -> Path:
    """Write a study folder: runs with results are done, those in `failed` (by key) failed for a reason."""
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / "study.json", record)
    (folder / "scores.csv").write_text(results_text(results), encoding="utf-8")
    done = {Run(configuration=one.configuration, fold=one.fold, seed=one.seed) for one in results}
    for run in sorted(done | {run for run in runs_of(record.config) if run.key in failed}):
        state = RunState(
            configuration=run.configuration,
            fold=run.fold,
            seed=run.seed,
            state="failed" if run.key in failed else "done",
            reason=failed.get(run.key, ""),
            training=tuple(name for name, case in record.cases.items() if case.fold != run.fold),
            validation=tuple(name for name, case in record.cases.items() if case.fold == run.fold),
            weights_sha256=HASH if run in done else "",
            iterations=100 + 10 * run.fold,
            seconds={"reading": 1.0, "training": 60.0, "predicting": 2.0, "scoring": 0.5},
            mean_dice=0.5,
            device="cpu",
            threads=2,
            versions=record.versions,
        )
        write_record(folder / "runs" / f"{run.key}.json", state)
    return folder


def write_dice(folder: Path, dice: Dice, patients: Mapping[str, str] | None = None, **config: Any) -> Path:
    """Write a study from Dice coefficients alone, two folds, cases in turns in either."""
    names = sorted({case for seeds in dice.values() for cases in seeds.values() for case in cases})
    of = {name: ((patients or {}).get(name, name), 1 + number % 2) for number, name in enumerate(names)}
    record = make_record(of, **{"configurations": tuple(dice), "folds": 2} | config)
    results = [
        result(configuration, case, make_scores(value), fold=of[case][1], seed=seed)
        for configuration, seeds in dice.items()
        for seed, cases in seeds.items()
        for case, value in cases.items()
    ]
    return write_study(folder, record, results)


def write_examples(
    folder: Path, write_case: Callable[..., Path], names: Sequence[str], runs: Sequence[str]
) -> None:
    """Write images and their table, and as predictions the reference moved by the number of the case."""
    cases = []
    for number, name in enumerate(names):
        images = write_case(folder / "images" / f"number-{number}", number)
        reference = nibabel.load(images / "necrosis.nii.gz")
        moved = np.roll(np.asarray(reference.dataobj), number, axis=1)
        for run in runs:
            path = folder / "predictions" / run / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(moved, reference.affine), path)
        sequences = {sequence: images / f"{sequence}.nii.gz" for sequence in MRSequence}
        cases.append(CaseFiles(name=name, sequences=sequences, reference=images / "necrosis.nii.gz"))
    write_cohort(folder / "cohort.csv", Cohort(cases=tuple(cases)))
    _record_images(folder)


def _record_images(folder: Path) -> None:
    """Let the record of the study know the images and masks that were written."""
    record, cohort = read_study(folder), read_cohort(folder / "cohort.csv")
    known = {}
    for name, case in record.cases.items():
        loaded = load_case(cohort[name])
        assert loaded.reference is not None
        known[name] = case.model_copy(
            update={
                "images_sha256": {str(one): voxels_sha256(image) for one, image in loaded.sequences.items()},
                "target_sha256": voxels_sha256(loaded.reference),
            }
        )
    write_record(folder / "study.json", record.model_copy(update={"cases": known}))
