"""The statistics of scores: means with their spread and intervals, and paired tests by patient."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 2000
CONFIDENCE_PERCENT = 95.0


def defined(values: Iterable[float]) -> list[float]:
    """Return the values that are not nan; infinite ones count as defined."""
    return [value for value in values if not math.isnan(value)]


def mean(values: Sequence[float]) -> float:
    """Return the mean; infinite if a value is; nan without values, or with infinities of both signs."""
    infinite = {value for value in values if math.isinf(value)}
    return fmean(values) if values and len(infinite) < 2 else math.nan


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation (ddof 1); nan for a single value, or if any is infinite."""
    return stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and third quartile; next to an infinite value, an observed value is taken."""
    if not values:
        return math.nan, math.nan
    if all(map(math.isfinite, values)):
        low, high = np.quantile(values, [0.25, 0.75])
    else:
        low, high = np.quantile(values, [0.25, 0.75], method="higher")
    return float(low), float(high)


def interval_of_mean(groups: Iterable[Sequence[float]]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of all values.

    `groups`: the values of each patient. Patients are drawn with all of their values, which are not
    independent; one without values is left out.
    Returns percentiles of the means of 2,000 resamples, always with the same random numbers; nan for fewer
    than two patients, or where a value is infinite.
    """
    patients = [values for values in groups if len(values)]
    sums, counts = (np.array([how(values) for values in patients]) for how in (sum, len))
    if len(sums) < 2 or not np.isfinite(sums).all():
        return math.nan, math.nan
    drawn = np.random.default_rng(0).integers(0, len(sums), (N_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    beyond = (100.0 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(means, (beyond, 100.0 - beyond))
    return float(low), float(high)


def patient_differences(
    first: Mapping[str, float], other: Mapping[str, float], *, patients: Mapping[str, str]
) -> NDArray[np.float64]:
    """Return the other minus the first of each patient.

    `first`, `other`: values by case; those that both have and that are defined in both count. `patients`: the
    patient of each case, whose cases are averaged; a case that is not named is a patient of its own.
    Returns 0 where both are infinite, and infinite where one is. A patient who is infinitely better in one
    case and infinitely worse in another is left out.
    """
    of_patient: dict[str, list[float]] = defaultdict(list)
    for case in first:
        difference = _difference(first[case], other.get(case, math.nan))
        if not math.isnan(difference):
            of_patient[patients.get(case, case)].append(difference)
    means = [mean(values) for values in of_patient.values()]
    return np.array([value for value in means if not math.isnan(value)])


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """A score of two networks, readers or sets of masks, paired by patient: the other one minus the first."""

    # Its name; of a difference of volumes the absolute value counts.
    score: str
    # How many have it defined in both; the cases of one patient are averaged before.
    patients: int
    # Other minus first.
    median_difference: float
    # Patients for whom the other one is better, or worse.
    better: int
    worse: int
    # Of Wilcoxon's signed-rank test, two-sided, without the pairs that are equal; nan without pairs.
    p: float
    # The same, corrected by Holm for all tests that were made together.
    p_holm: float = math.nan


def paired_test(score: str, differences: NDArray[np.float64], *, more_is_better: bool) -> PairedTest:
    """Test the differences of patients, from `patient_differences`."""
    better, worse = better_and_worse(differences, more_is_better=more_is_better)
    return PairedTest(
        score=score,
        patients=len(differences),
        median_difference=median_difference(differences),
        better=better,
        worse=worse,
        p=signed_rank_p(differences),
    )


def median_difference(differences: NDArray[np.float64]) -> float:
    """Median; of two middle values the finite one if there is one; 0 of infinities of both signs."""
    if not len(differences):
        return math.nan
    ordered = np.sort(differences)
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    if low == high:
        return low
    if math.isinf(low) and math.isinf(high):
        return 0.0
    return min(low, high, key=abs) if math.isinf(low) or math.isinf(high) else (low + high) / 2


def signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Return p of Wilcoxon's signed-rank test, two-sided, without pairs that are equal; nan without pairs."""
    if not len(differences):
        return math.nan
    if not differences.any():
        return 1.0
    from scipy.stats import wilcoxon

    # A zone that only one of them found outranks every finite difference.
    finite = differences[np.isfinite(differences)]
    beyond = float(np.abs(finite).max(initial=0.0)) + 1.0
    ranked = np.nan_to_num(differences, posinf=beyond, neginf=-beyond)
    return float(wilcoxon(ranked[ranked != 0]).pvalue)


def better_and_worse(differences: NDArray[np.float64], *, more_is_better: bool) -> tuple[int, int]:
    """Return for how many patients the other one is better, and for how many worse."""
    gain = differences if more_is_better else -differences
    return int(np.count_nonzero(gain > 0)), int(np.count_nonzero(gain < 0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for multiple tests (Holm 1979), in their order; undefined ones (nan) do not count."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    corrected = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        corrected[index] = highest
    return corrected


def _difference(first: float, other: float) -> float:
    if first == other:
        # Both infinite: both missed it.
        return 0.0
    return other - first
