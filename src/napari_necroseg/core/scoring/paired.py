"""The same patients twice: what differs from pair to pair, and whether that is beyond chance."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.scoring.numbers import mean


def patient_differences(
    first: Mapping[str, float], other: Mapping[str, float], patients: Mapping[str, str]
) -> NDArray[np.float64]:
    """Return the other minus the first of each patient.

    Parameters
    ----------
    first, other
        Values by case; those that both have and that are defined in both count.
    patients
        The patient of each case, whose cases are averaged; a case that is not named is a patient of its own.

    Returns
    -------
    ndarray
        0 where both are infinite, and infinite where one is. A patient who is infinitely better in one case
        and infinitely worse in another is left out.
    """
    of_patient: dict[str, list[float]] = defaultdict(list)
    for case in first:
        difference = _difference(first[case], other.get(case, math.nan))
        if not math.isnan(difference):
            of_patient[patients.get(case, case)].append(difference)
    means = [mean(values) for values in of_patient.values()]
    return np.array([value for value in means if not math.isnan(value)])


def median_difference(differences: NDArray[np.float64]) -> float:
    """Median; where one of the two in the middle is infinite, the other one, and 0 for one of either sign."""
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

    # A zone found by one and missed by the other ranks above every difference that has a number.
    finite = differences[np.isfinite(differences)]
    beyond = float(np.abs(finite).max(initial=0.0)) + 1.0
    ranked = np.nan_to_num(differences, posinf=beyond, neginf=-beyond)
    return float(wilcoxon(ranked[ranked != 0]).pvalue)


def better_and_worse(differences: NDArray[np.float64], *, more_is_better: bool) -> tuple[int, int]:
    """Return for how many the other one is better, and for how many worse."""
    gain = differences if more_is_better else -differences
    return int(np.count_nonzero(gain > 0)), int(np.count_nonzero(gain < 0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for being many (Holm 1979), in their order; one that is undefined (nan) is no test."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    corrected = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        corrected[place] = highest
    return corrected


def _difference(first: float, other: float) -> float:
    if first == other:
        # Both infinite: both missed it.
        return 0.0
    return other - first
