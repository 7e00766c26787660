"""A few numbers that stand for many: spread, quartiles, and how sure a mean is."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

import numpy as np

N_RESAMPLES = 2000
CONFIDENCE_PERCENT = 95.0


def defined(values: Iterable[float]) -> list[float]:
    """Return the values that are not nan; infinite ones are."""
    return [value for value in values if not math.isnan(value)]


def mean(values: Sequence[float]) -> float:
    """Return the mean; infinite if one value is, nan of none and of infinities of either sign."""
    infinite = {value for value in values if math.isinf(value)}
    return fmean(values) if values and len(infinite) < 2 else math.nan


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation (ddof 1); nan of a single value, and of any infinite one."""
    return stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and third quartile; an observed one where it would lie next to an infinite one."""
    if not values:
        return math.nan, math.nan
    if all(map(math.isfinite, values)):
        low, high = np.quantile(values, [0.25, 0.75])
    else:
        low, high = np.quantile(values, [0.25, 0.75], method="higher")
    return float(low), float(high)


def interval_of_mean(groups: Iterable[Sequence[float]]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of all values.

    Parameters
    ----------
    groups
        The values of each patient, of whom each is drawn with all of them: those of one patient are not
        independent. A patient without values is left out.

    Returns
    -------
    tuple of float
        Percentiles of the means of 2,000 resamples, always with the same random numbers; nan for less than
        two patients, or where a value is infinite.
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
