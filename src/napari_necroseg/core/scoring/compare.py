"""Two sets of masks against the same references: what differs beyond chance, and which cases changed most."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_necroseg.core.scoring.scores import Scores, shown

# What is compared, and whether more of it is better. A volume counts by how far it is off, either way.
COMPARED = {
    "dice": True,
    "sensitivity": True,
    "specificity_box": True,
    "hd95_mm": False,
    "nsd": True,
    "volume_difference_ml": False,
}
_ABSOLUTE = "volume_difference_ml"
_MOST_CHANGED = 5


@dataclass(frozen=True, kw_only=True)
class Change:
    """One score of two sets of masks, paired by patient: the other one minus the first.

    Parameters
    ----------
    score
        Its name; of ``volume_difference_ml`` the absolute value counts.
    patients
        Pairs in which it is defined in both; the cases of one patient are averaged before.
    median_difference
        Other minus first.
    better, worse
        Patients for whom the other one is better, or worse.
    p
        Of Wilcoxon's signed-rank test, two-sided, without the pairs that are equal; nan without pairs.
    p_holm
        The same, corrected by Holm for all tests that were made together.
    """

    score: str
    patients: int
    median_difference: float
    better: int
    worse: int
    p: float
    p_holm: float = math.nan


@dataclass(frozen=True, kw_only=True)
class CaseChange:
    """The Dice coefficient of a case in both sets."""

    case: str
    first: float
    other: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Another set of masks against the first one, on the cases that both have.

    Parameters
    ----------
    other
        Name of the other set.
    cases
        How many cases both have, patients being fewer if some have several.
    changes
        Each score.
    most_changed
        Cases whose Dice coefficient differs most, by absolute difference.
    """

    other: str
    cases: int
    changes: tuple[Change, ...]
    most_changed: tuple[CaseChange, ...]

    def __str__(self) -> str:
        lines = [f"{self.other} against the first, {self.cases} cases:"]
        lines += [
            f"  {one.score:<21} median difference {_signed(one.median_difference)}, better in {one.better} "
            f"and worse in {one.worse} of {one.patients} pairs, p {shown(one.p)} (Holm {shown(one.p_holm)})"
            for one in self.changes
        ]
        changed = (f"{one.case} {shown(one.first)} to {shown(one.other)}" for one in self.most_changed)
        return "\n".join([*lines, f"  Dice changed most: {', '.join(changed) or 'nowhere'}"])


def compare(
    first: Mapping[str, Scores],
    others: Mapping[str, Mapping[str, Scores]],
    patients: Mapping[str, str] | None = None,
) -> tuple[Comparison, ...]:
    """Compare sets of scores with a first one, pair by pair.

    Parameters
    ----------
    first
        Scores by case.
    others
        Further ones by name of the set, all against the same references.
    patients
        The patient of each case; a case that is not named is a patient of its own.

    Returns
    -------
    tuple of Comparison
        One for each of `others`; p values are corrected over all scores of all of them.
    """
    drafts = [_compared(first, name, other, patients or {}) for name, other in others.items()]
    corrected = iter(holm([change.p for draft in drafts for change in draft.changes]))
    return tuple(
        replace(draft, changes=tuple(replace(change, p_holm=next(corrected)) for change in draft.changes))
        for draft in drafts
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for being many (Holm 1979), in their order; one that is undefined (nan) is no test."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    corrected = [math.nan] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        corrected[place] = highest
    return corrected


def _compared(
    first: Mapping[str, Scores], name: str, other: Mapping[str, Scores], patients: Mapping[str, str]
) -> Comparison:
    cases = [case for case in first if case in other]
    changes = [CaseChange(case=case, first=first[case].dice, other=other[case].dice) for case in cases]
    changed = [change for change in changes if abs(change.other - change.first) > 0]
    changed.sort(key=lambda change: -abs(change.other - change.first))
    groups = [patients.get(case, case) for case in cases]
    return Comparison(
        other=name,
        cases=len(cases),
        changes=tuple(
            _change(score, [first[case] for case in cases], [other[case] for case in cases], groups)
            for score in COMPARED
        ),
        most_changed=tuple(changed[:_MOST_CHANGED]),
    )


def _change(score: str, first: Sequence[Scores], other: Sequence[Scores], groups: Sequence[str]) -> Change:
    of_patient: dict[str, list[float]] = defaultdict(list)
    for one, two, group in zip(first, other, groups, strict=True):
        difference = _difference(_value(one, score), _value(two, score))
        if not math.isnan(difference):
            of_patient[group].append(difference)
    means = [_mean(values) for values in of_patient.values()]
    differences = np.array([mean for mean in means if not math.isnan(mean)])
    gain = differences if COMPARED[score] else -differences
    return Change(
        score=score,
        patients=len(differences),
        median_difference=_median(differences),
        better=int(np.count_nonzero(gain > 0)),
        worse=int(np.count_nonzero(gain < 0)),
        p=_signed_rank_p(differences),
    )


def _value(scores: Scores, name: str) -> float:
    value = float(getattr(scores, name))
    return abs(value) if name == _ABSOLUTE else value


def _difference(first: float, other: float) -> float:
    if first == other:
        # Both infinite: both missed it.
        return 0.0
    return other - first


def _mean(values: Sequence[float]) -> float:
    """Mean of the cases of a patient; undefined if one is infinitely better and another infinitely worse."""
    infinite = {value for value in values if math.isinf(value)}
    return sum(values) / len(values) if len(infinite) < 2 else math.nan


def _median(differences: NDArray[np.float64]) -> float:
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


def _signed_rank_p(differences: NDArray[np.float64]) -> float:
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


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3f}"
