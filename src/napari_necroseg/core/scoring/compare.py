"""Two sets of masks against the same references: what differs beyond chance, and which cases changed most."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from napari_necroseg.core.scoring.paired import (
    better_and_worse,
    holm,
    median_difference,
    patient_differences,
    signed_rank_p,
)
from napari_necroseg.core.scoring.scores import Scores, shown
from napari_necroseg.core.scoring.unscored import Unscored

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
    with_reference, without_prediction, without_reference, failed
        What the other set has no scores of; see `Unscored`.
    """

    other: str
    cases: int
    changes: tuple[Change, ...]
    most_changed: tuple[CaseChange, ...]
    with_reference: int = 0
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def unscored(self) -> Unscored:
        """What the other set has no scores of."""
        return Unscored(
            with_reference=self.with_reference,
            without_prediction=self.without_prediction,
            without_reference=self.without_reference,
            failed=self.failed,
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of its numbers should know, a sentence each."""
        return tuple(f"{self.other}: {words}" for words in self.unscored.in_words("mask"))

    def __str__(self) -> str:
        lines = [f"{self.other} against the first, {self.cases} cases:"]
        lines += [
            f"  {one.score:<21} median difference {_signed(one.median_difference)}, better in {one.better} "
            f"and worse in {one.worse} of {one.patients} pairs, p {shown(one.p)} (Holm {shown(one.p_holm)})"
            for one in self.changes
        ]
        changed = (f"{one.case} {shown(one.first)} to {shown(one.other)}" for one in self.most_changed)
        lines.append(f"  Dice changed most: {', '.join(changed) or 'nowhere'}")
        return "\n".join([*lines, *(f"  {remark}" for remark in self.remarks)])


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


def _compared(
    first: Mapping[str, Scores], name: str, other: Mapping[str, Scores], patients: Mapping[str, str]
) -> Comparison:
    cases = [case for case in first if case in other]
    changes = [CaseChange(case=case, first=first[case].dice, other=other[case].dice) for case in cases]
    changed = [change for change in changes if abs(change.other - change.first) > 0]
    changed.sort(key=lambda change: -abs(change.other - change.first))
    return Comparison(
        other=name,
        cases=len(cases),
        changes=tuple(
            _change(
                score,
                {case: value_of(first[case], score) for case in cases},
                {case: value_of(other[case], score) for case in cases},
                patients,
            )
            for score in COMPARED
        ),
        most_changed=tuple(changed[:_MOST_CHANGED]),
    )


def value_of(scores: Scores, name: str) -> float:
    """Return the value of a score that is compared: of a difference of volumes how far it is off."""
    value = float(getattr(scores, name))
    return abs(value) if name == _ABSOLUTE else value


def _change(
    score: str, first: Mapping[str, float], other: Mapping[str, float], patients: Mapping[str, str]
) -> Change:
    differences = patient_differences(first, other, patients)
    better, worse = better_and_worse(differences, more_is_better=COMPARED[score])
    return Change(
        score=score,
        patients=len(differences),
        median_difference=median_difference(differences),
        better=better,
        worse=worse,
        p=signed_rank_p(differences),
    )


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3f}"
