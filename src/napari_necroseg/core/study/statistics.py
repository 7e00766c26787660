"""Whether the configurations of an experiment differ beyond chance: between patients, and between seeds."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations

import numpy as np

from napari_necroseg.core.events import plain
from napari_necroseg.core.scoring.numbers import deviation, interval_of_mean, mean
from napari_necroseg.core.scoring.paired import (
    better_and_worse,
    holm,
    median_difference,
    patient_differences,
    signed_rank_p,
)
from napari_necroseg.core.study.outcomes import ABSOLUTE_VOLUME, Outcome, means_of

# What is tested, the primary score first, and whether more of it is better.
TESTED = {"dice": True, "sensitivity": True, "hd95_mm": False, "nsd": True, ABSOLUTE_VOLUME: False}


@dataclass(frozen=True, kw_only=True)
class Friedman:
    """Friedman's test whether any of three or more configurations differs.

    Parameters
    ----------
    patients
        Those of whom every configuration has the score, on the cases that all have.
    chi_squared, p
        Of the test; nan with less than two patients.
    """

    score: str
    configurations: int
    patients: int
    chi_squared: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two configurations, paired by patient: the other one minus the first.

    Parameters
    ----------
    mean_difference, mean_low, mean_high
        And its 95 % bootstrap interval by patient.
    better, worse
        Patients for whom the other one is better, or worse.
    p, p_holm
        Wilcoxon's signed-rank test, two-sided; corrected by Holm for all pairs of this score.
    """

    score: str
    first: str
    other: str
    patients: int
    median_difference: float
    mean_difference: float
    mean_low: float
    mean_high: float
    better: int
    worse: int
    p: float
    p_holm: float = math.nan


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """How much a configuration depends on the seed.

    Parameters
    ----------
    mean_dice, patients
        By seed, over the patients that it has been done for.
    std
        Standard deviation (ddof 1) over the seeds that have all cases; nan with less than two of them.
    """

    configuration: str
    mean_dice: Mapping[int, float]
    patients: Mapping[int, int]
    std: float


def friedman(outcomes: Sequence[Outcome], score: str) -> Friedman | None:
    """Test whether configurations differ; None for less than three."""
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


def pairs(outcomes: Sequence[Outcome], score: str) -> tuple[Pair, ...]:
    """Compare all pairs of configurations in one score, and correct for their number."""
    drafts = [_pair(first, other, score) for first, other in combinations(outcomes, 2)]
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
    """Return all tests as CSV: a row a test; what a test has not is empty, and so is what is undefined."""
    names = ["test", *(field.name for field in fields(Pair)), "configurations", "chi_squared"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    for score in TESTED:
        overall = friedman(outcomes, score)
        if overall is not None:
            writer.writerow({"test": "friedman"} | plain(overall))
        writer.writerows({"test": "wilcoxon"} | plain(pair) for pair in pairs(outcomes, score))
    return text.getvalue()


def seeds_table(outcomes: Sequence[Outcome]) -> str:
    """Return the mean Dice coefficient of each configuration and seed as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("configuration", "seed", "patients", "mean_dice"))
    for spread in map(seed_spread, outcomes):
        writer.writerows(
            (spread.configuration, seed, spread.patients[seed], plain(value))
            for seed, value in spread.mean_dice.items()
        )
    return text.getvalue()


def _friedman(values: np.ndarray) -> tuple[float, float]:
    """``(patients, configurations)``; equal values in every patient are no difference at all."""
    if (values == values[:, :1]).all():
        return 0.0, 1.0
    from scipy.stats import friedmanchisquare

    result = friedmanchisquare(*values.T)
    return float(result.statistic), float(result.pvalue)


def _pair(first: Outcome, other: Outcome, score: str) -> Pair:
    differences = patient_differences(first.values[score], other.values[score], first.patients)
    low, high = interval_of_mean([[float(value)] for value in differences])
    better, worse = better_and_worse(differences, more_is_better=TESTED[score])
    return Pair(
        score=score,
        first=first.configuration,
        other=other.configuration,
        patients=len(differences),
        median_difference=median_difference(differences),
        mean_difference=mean([float(value) for value in differences]),
        mean_low=low,
        mean_high=high,
        better=better,
        worse=worse,
        p=signed_rank_p(differences),
    )
