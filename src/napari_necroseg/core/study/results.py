"""The results of a study: the table of scores, the means of each configuration, and the tests of them."""

import csv
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from napari_necroseg.core.cohort.csv_table import LARGEST_TABLE_BYTES
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import FileError
from napari_necroseg.core.events import plain
from napari_necroseg.core.files import read_text
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores, State
from napari_necroseg.core.scoring.statistics import (
    PairedTest,
    defined,
    deviation,
    holm,
    interval_of_mean,
    mean,
    paired_test,
    patient_differences,
)
from napari_necroseg.core.scoring.summary import value_of
from napari_necroseg.core.scoring.tables import csv_text, metric_and_region
from napari_necroseg.core.study.record import StudyRecord

SCORES_NAME = "scores.csv"
COLUMNS = ("configuration", "fold", "seed", "case", "metric", "region", "value")
_TEST_COLUMNS = (
    *("test", "score", "first", "other", "patients", "median_difference"),
    *("mean_difference", "mean_low", "mean_high", "better", "worse", "p", "p_holm"),
    *("configurations", "chi_squared"),
)
_TOLERANCE = "nsd_tolerance_mm"
_NAME_OF = {metric_and_region(name): name for name in (*SCORE_NAMES, _TOLERANCE)}
ABSOLUTE_VOLUME = "absolute_volume_difference_ml"
RATIOS = ("dice", "sensitivity", "specificity", "specificity_box", "specificity_patch")
REPORTED = (*RATIOS, "hd95_mm", "assd_mm", "nsd", "volume_difference_ml", ABSOLUTE_VOLUME)

# The scores that are tested, the primary one first, and whether more is better.
TESTED = {"dice": True, "sensitivity": True, "hd95_mm": False, "nsd": True, ABSOLUTE_VOLUME: False}


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """How well one network did on one case that it was not trained on."""

    configuration: Configuration
    fold: int
    seed: int
    case: str
    scores: Scores


def results_text(results: Iterable[CaseResult]) -> str:
    """Return the table as CSV; a value is empty where it is undefined, and ``inf`` where it is infinite."""
    rows = (
        (one.configuration, one.fold, one.seed, one.case, *metric, plain(getattr(one.scores, name)))
        for one in results
        for metric, name in _NAME_OF.items()
    )
    return csv_text(COLUMNS, rows)


def results_sha256(results: Iterable[CaseResult]) -> str:
    """Return the SHA-256 of a run's scores, whatever the order of the rows and the format of the file."""
    ordered = sorted(results, key=lambda one: one.case)
    return hashlib.sha256(results_text(ordered).encode()).hexdigest()


def read_results(path: Path) -> tuple[CaseResult, ...]:
    """Read the table of scores of a study.

    Raises `FileError` if there is none, or it is not such a table.
    """
    found: dict[tuple[Configuration, int, int, str], dict[str, float]] = {}
    text = read_text(path, "a table of scores", most_bytes=LARGEST_TABLE_BYTES)
    try:
        for row in csv.DictReader(io.StringIO(text, newline="")):
            run = Configuration(row["configuration"]), int(row["fold"]), int(row["seed"])
            values = found.setdefault((*run, row["case"]), {})
            values[_NAME_OF[row["metric"], row["region"]]] = float(row["value"] or "nan")
        return tuple(_result(key, values) for key, values in found.items())
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise FileError(
            f"{path} is no table of scores of a study: its columns are {','.join(COLUMNS)}. Write it again "
            "with `necroseg study`."
        ) from error


def _result(key: tuple[Configuration, int, int, str], values: dict[str, float]) -> CaseResult:
    configuration, fold, seed, case = key
    fields: dict[str, Any] = {name: values[name] for name in (*SCORE_NAMES, _TOLERANCE)}
    fields |= {name: int(value) for name, value in fields.items() if name.startswith("lesions_")}
    scores = Scores(state=_state(values), **fields)
    return CaseResult(configuration=configuration, fold=fold, seed=seed, case=case, scores=scores)


def _state(values: dict[str, float]) -> State:
    """Derive whether there was something to find, and whether it was found."""
    if math.isnan(values["dice"]):
        return "nothing_to_find"
    if values["prediction_ml"] == 0:
        return "missed"
    return "scored" if values["reference_ml"] > 0 else "false_alarm"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of one configuration."""

    configuration: Configuration
    # By score and case: the mean over the seeds. Only cases with something to find are here, missed ones with
    # their Dice of 0 and their infinite distances; a case that is undefined from every seed is nan.
    values: Mapping[str, Mapping[str, float]]
    # Predictions (one per case and seed) by state.
    counts: Mapping[State, int]
    # All results, from which `values` and `counts` follow.
    results: tuple[CaseResult, ...]
    folds: Mapping[str, int]
    patients: Mapping[str, str]

    def by_patient(self, score: str, cases: Iterable[str] | None = None) -> dict[str, float]:
        """Return the mean of each patient's cases (all, or only those named) in which it is defined."""
        chosen = self.values[score] if cases is None else {case: self.values[score][case] for case in cases}
        return means_of(chosen, self.patients)

    def mean_of_fold_means(self, score: str) -> float:
        """Return the mean over the folds of the mean over the cases of each."""
        of_fold = means_of(self.values[score], {case: str(fold) for case, fold in self.folds.items()})
        return mean(list(of_fold.values()))

    def of_case(self, case: str) -> tuple[CaseResult, ...]:
        """Return the results of a case, by ascending seed."""
        return tuple(
            sorted((one for one in self.results if one.case == case), key=lambda result: result.seed)
        )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have results."""
        return tuple(sorted({one.seed for one in self.results}))

    def of_seed(self, seed: int) -> dict[str, float]:
        """Return the Dice coefficient of each case with something to find, from one seed."""
        return {
            one.case: one.scores.dice
            for one in self.results
            if one.seed == seed and one.case in self.values["dice"]
        }


def outcomes_of(record: StudyRecord, results: Iterable[CaseResult]) -> tuple[Outcome, ...]:
    """Group results by configuration, in the order of the study's choices.

    Raises `FileError` if there is a result of a case that the study does not have.
    """
    by_configuration: dict[Configuration, list[CaseResult]] = {
        name: [] for name in record.config.configurations
    }
    for one in results:
        if one.case not in record.cases:
            raise FileError(
                f"The table of scores has a case {one.case!r} that the study does not; they do not belong "
                "together. Write the scores again with `necroseg study`."
            )
        by_configuration.setdefault(one.configuration, []).append(one)
    return tuple(_outcome(name, found, record=record) for name, found in by_configuration.items() if found)


def _outcome(configuration: Configuration, results: list[CaseResult], *, record: StudyRecord) -> Outcome:
    of_case: dict[str, list[Scores]] = defaultdict(list)
    counts: dict[State, int] = {"scored": 0, "missed": 0, "false_alarm": 0, "nothing_to_find": 0}
    for one in results:
        counts[one.scores.state] += 1
        if one.scores.reference_ml > 0:
            of_case[one.case].append(one.scores)
    return Outcome(
        configuration=configuration,
        values={
            name: {
                case: mean(defined(_value(scores, name) for scores in of_seeds))
                for case, of_seeds in of_case.items()
            }
            for name in REPORTED
        },
        counts=counts,
        results=tuple(results),
        folds=record.folds,
        patients=record.patients,
    )


def _value(scores: Scores, name: str) -> float:
    if name == ABSOLUTE_VOLUME:
        return value_of(scores, "volume_difference_ml")
    return float(getattr(scores, name))


def means_of(values: Mapping[str, float], groups: Mapping[str, str]) -> dict[str, float]:
    """Return the mean of each group (a patient, a fold) over the cases in which the value is defined."""
    grouped: dict[str, list[float]] = defaultdict(list)
    for case, value in values.items():
        grouped[groups[case]].append(value)
    means = {group: mean(defined(found)) for group, found in grouped.items()}
    return {group: value for group, value in means.items() if defined([value])}


@dataclass(frozen=True, kw_only=True)
class Friedman:
    """Friedman's test whether any of three or more configurations differs."""

    score: str
    configurations: int
    # Those for whom every configuration has the score, on the cases that all have.
    patients: int
    # Of the test; nan with fewer than two patients.
    chi_squared: float
    p: float


@dataclass(frozen=True, kw_only=True)
class ConfigurationPair(PairedTest):
    """Two configurations, paired by patient: the other one minus the first."""

    first: Configuration
    other: Configuration
    # The mean and its 95 % bootstrap interval, by patient.
    mean_difference: float
    mean_low: float
    mean_high: float


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """How much a configuration depends on the seed."""

    configuration: Configuration
    # By seed, over the patients with results.
    mean_dice: Mapping[int, float]
    patients: Mapping[int, int]
    # Standard deviation (ddof 1) over the seeds that have all cases; nan with fewer than two of them.
    std: float


def friedman(outcomes: Sequence[Outcome], score: str) -> Friedman | None:
    """Test whether configurations differ; None for fewer than three."""
    if len(outcomes) < 3:
        return None
    common = [
        case for case in outcomes[0].values[score] if all(case in one.values[score] for one in outcomes)
    ]
    columns = [one.by_patient(score, common) for one in outcomes]
    complete = [patient for patient in columns[0] if all(patient in column for column in columns)]
    values = np.array([[column[patient] for column in columns] for patient in complete])
    chi_squared, p = _friedman(values) if len(complete) > 1 else (math.nan, math.nan)
    return Friedman(
        score=score, configurations=len(outcomes), patients=len(complete), chi_squared=chi_squared, p=p
    )


def pairs(outcomes: Sequence[Outcome], score: str) -> tuple[ConfigurationPair, ...]:
    """Compare all pairs of configurations in one score, and correct for their number."""
    drafts = [_pair(first, other, score=score) for first, other in combinations(outcomes, 2)]
    corrected = holm([draft.p for draft in drafts])
    return tuple(replace(draft, p_holm=p) for draft, p in zip(drafts, corrected, strict=True))


def seed_spread(outcome: Outcome) -> SeedSpread:
    """Return the mean Dice coefficient of each seed, and how much the seeds differ."""
    of_seed = {seed: outcome.of_seed(seed) for seed in outcome.seeds}
    by_patient = {seed: means_of(cases, outcome.patients) for seed, cases in of_seed.items()}
    means = {seed: mean(list(values.values())) for seed, values in by_patient.items()}
    complete = [seed for seed, cases in of_seed.items() if len(cases) == len(outcome.values["dice"])]
    return SeedSpread(
        configuration=outcome.configuration,
        mean_dice=means,
        patients={seed: len(values) for seed, values in by_patient.items()},
        std=deviation([means[seed] for seed in complete]),
    )


def statistics_table(outcomes: Sequence[Outcome]) -> str:
    """Return all tests as CSV, one row per test; undefined values, and columns a test lacks, are empty."""
    tests: list[dict[str, object]] = []
    for score in TESTED:
        overall = friedman(outcomes, score)
        tests += [] if overall is None else [{"test": "friedman"} | plain(overall)]
        tests += [{"test": "wilcoxon"} | plain(pair) for pair in pairs(outcomes, score)]
    return csv_text(_TEST_COLUMNS, ([test.get(name) for name in _TEST_COLUMNS] for test in tests))


def seeds_table(outcomes: Sequence[Outcome]) -> str:
    """Return the mean Dice coefficient of each configuration and seed as CSV."""
    rows = (
        (spread.configuration, seed, spread.patients[seed], plain(value))
        for spread in map(seed_spread, outcomes)
        for seed, value in spread.mean_dice.items()
    )
    return csv_text(("configuration", "seed", "patients", "mean_dice"), rows)


def _friedman(values: np.ndarray) -> tuple[float, float]:
    """``(patients, configurations)``; equal values in every patient are no difference at all."""
    if (values == values[:, :1]).all():
        return 0.0, 1.0
    from scipy.stats import friedmanchisquare

    result = friedmanchisquare(*values.T)
    return float(result.statistic), float(result.pvalue)


def _pair(first: Outcome, other: Outcome, *, score: str) -> ConfigurationPair:
    differences = patient_differences(first.values[score], other.values[score], patients=first.patients)
    low, high = interval_of_mean([[float(value)] for value in differences])
    return ConfigurationPair(
        **vars(paired_test(score, differences, more_is_better=TESTED[score])),
        first=first.configuration,
        other=other.configuration,
        mean_difference=mean([float(value) for value in differences]),
        mean_low=low,
        mean_high=high,
    )
