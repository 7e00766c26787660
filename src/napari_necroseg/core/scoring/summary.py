"""The scores of a cohort in a few numbers, compared with other masks, and which cases are in no mean."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean, median
from typing import Self

from napari_necroseg.core.cohort.seen_cases import Known, known_in_words
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores, State, shown
from napari_necroseg.core.scoring.statistics import (
    PairedTest,
    defined,
    deviation,
    holm,
    interval_of_mean,
    paired_test,
    patient_differences,
    quartiles,
)

# The scores that are compared, and whether more is better; volume differences count by absolute value.
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
MOST_NAMED = 12


@dataclass(frozen=True, kw_only=True)
class CaseChange:
    """The Dice coefficient of a case in both sets."""

    case: str
    first: float
    other: float


@dataclass(frozen=True, kw_only=True)
class Unscored:
    """The cases without scores."""

    # How many cases have a reference, scored or not.
    with_reference: int = 0
    # Names of those without a prediction, and of predictions that belong to none of them.
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    # Why a case could not be scored, by its name.
    failed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, one: "Summary | Comparison") -> Self:
        """Return those of a summary or a comparison, which has the same fields."""
        return cls(**{field.name: getattr(one, field.name) for field in fields(cls)})

    @property
    def count(self) -> int:
        """How many cases with a reference have no scores."""
        return len(self.without_prediction) + len(self.failed)

    def in_words(self, what: str = "prediction", *, most: int = MOST_NAMED) -> tuple[str, ...]:
        """Say which cases have no scores, in sentences; none if all have.

        `what`: the noun for what is compared with the references. `most`: most names in a sentence; further
        ones are counted.
        """
        sentences = []
        total, lacking = self.with_reference, len(self.without_prediction)
        if lacking:
            have = "has" if total - lacking == 1 else "have"
            sentences.append(
                f"{total - lacking} of the {total} cases with a reference {have} a {what}; without one: "
                f"{_named(self.without_prediction, most)}."
            )
        if self.failed:
            sentences.append(
                f"{len(self.failed)} of the {total} cases with a reference could not be scored: "
                f"{_named(self.failed, most)}."
            )
        if sentences:
            sentences.append(f"So the means are over {total - self.count} of the {total} cases.")
        if self.without_reference:
            n = len(self.without_reference)
            plural = "" if n == 1 else "s"
            sentences.append(
                f"{n} {what}{plural} {'belongs' if n == 1 else 'belong'} to no reference: "
                f"{_named(self.without_reference, most)}."
            )
        return tuple(sentences)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Another set of masks compared with the first, on the cases that both have."""

    # Name of the other set.
    other: str
    # How many cases both have, patients being fewer if some have several.
    cases: int
    changes: tuple[PairedTest, ...]
    # Cases whose Dice coefficient differs most, by absolute difference.
    most_changed: tuple[CaseChange, ...]
    # The cases without scores in the other set; see `Unscored`.
    with_reference: int = 0
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def unscored(self) -> Unscored:
        """The cases without scores in the other set."""
        return Unscored.of(self)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks for readers of the numbers, a sentence each."""
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


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of a cohort, per score: mean, median, standard deviation (ddof 1) and quartiles over the cases.

    `mean_low` and `mean_high` are a 95 % bootstrap interval of the mean (2,000 resamples of the patients with
    all of their cases, percentile method, always the same random numbers). Cases with nothing to find and
    false alarms are counted, not averaged; missed cases are averaged with their Dice of 0 and their infinite
    distances. A standard deviation of a single case, an interval of a single patient, and either of values of
    which one is infinite, is nan. `comparisons` are with other sets of masks; `against_second_reader` sums up
    the same predictions against another reader's references. `trained_on` says of each case
    whether the model has learned from it, as far as the predictions say so. `with_reference` and what follows
    it tell of the cases that are in none of these numbers; see `Unscored`. `changed_since_written` names the
    cases whose mask is not the one that its record was written for, `corrected_by_hand` those whose record
    says that a person has drawn on it.
    """

    mean: dict[str, float]
    median: dict[str, float]
    std: dict[str, float]
    quartile_1: dict[str, float]
    quartile_3: dict[str, float]
    mean_low: dict[str, float]
    mean_high: dict[str, float]
    scored: int
    missed: int
    false_alarms: int
    nothing_to_find: int
    comparisons: tuple[Comparison, ...] = ()
    against_second_reader: "Summary | None" = None
    trained_on: Mapping[str, Known | None] = field(default_factory=dict)
    with_reference: int = 0
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    changed_since_written: tuple[str, ...] = ()
    corrected_by_hand: tuple[str, ...] = ()
    # Sentences on predictions that were made with other settings than most.
    mixed_settings: tuple[str, ...] = ()

    @property
    def seen(self) -> frozenset[str]:
        """The cases that the model has learned from, or that may be of a patient whom it has."""
        return frozenset(case for case, known in self.trained_on.items() if known not in (None, "no"))

    @property
    def total(self) -> int:
        """All cases, averaged or not."""
        return self.scored + self.missed + self.false_alarms + self.nothing_to_find

    @property
    def unscored(self) -> Unscored:
        """The cases that are in none of the numbers."""
        return Unscored.of(self)

    def remarks(self, *, most_named: int = MOST_NAMED) -> tuple[str, ...]:
        """Return remarks for readers of the numbers, a sentence each, with at most `most_named` cases."""
        known = known_in_words(self.trained_on, self.total)
        altered = altered_in_words(
            self.changed_since_written, self.corrected_by_hand, total=self.total, most=most_named
        )
        told = ((known,) if known else ()) + altered + self.mixed_settings
        return (*self.unscored.in_words(most=most_named), *told)

    def __str__(self) -> str:
        counts = (
            f"{self.scored} scored, {self.missed} missed, {self.false_alarms} false alarms, "
            f"{self.nothing_to_find} with nothing to find"
        )
        columns = {
            "mean": self.mean,
            "from": self.mean_low,
            "to": self.mean_high,
            "median": self.median,
            "std": self.std,
        }
        header = f"{'':<26}" + "".join(f"{title:>9}" for title in columns)
        rows = [
            f"{name:<26}" + "".join(f"{shown(values[name]):>9}" for values in columns.values())
            for name in SCORE_NAMES
        ]
        lines = [header, *rows, counts, *map(str, self.comparisons)]
        if self.against_second_reader is not None:
            lines += ["The same predictions against the second reader:", str(self.against_second_reader)]
        return "\n".join([*lines, *self.remarks()])


def summarise(scores: Mapping[str, Scores], patients: Mapping[str, str] | None = None) -> Summary:
    """Summarise the scores of many cases; see `Summary` for what is averaged.

    `scores`: by case. `patients`: the patient of each case; a case that is not named is a patient of its own.
    """
    everything = list(scores.values())
    averaged = {case: one for case, one in scores.items() if one.state in ("scored", "missed")}
    columns = {name: defined(float(getattr(one, name)) for one in averaged.values()) for name in SCORE_NAMES}
    between = {name: quartiles(values) for name, values in columns.items()}
    intervals = {name: _interval_of_mean(averaged, name, patients=patients or {}) for name in SCORE_NAMES}
    return Summary(
        mean={name: fmean(values) if values else math.nan for name, values in columns.items()},
        median={name: median(values) if values else math.nan for name, values in columns.items()},
        std={name: deviation(values) for name, values in columns.items()},
        quartile_1={name: low for name, (low, _) in between.items()},
        quartile_3={name: high for name, (_, high) in between.items()},
        mean_low={name: low for name, (low, _) in intervals.items()},
        mean_high={name: high for name, (_, high) in intervals.items()},
        scored=_how_many(everything, "scored"),
        missed=_how_many(everything, "missed"),
        false_alarms=_how_many(everything, "false_alarm"),
        nothing_to_find=_how_many(everything, "nothing_to_find"),
    )


def _interval_of_mean(
    scores: Mapping[str, Scores], name: str, *, patients: Mapping[str, str]
) -> tuple[float, float]:
    of_patient: dict[str, list[float]] = {}
    for case, one in scores.items():
        value = float(getattr(one, name))
        if not math.isnan(value):
            of_patient.setdefault(patients.get(case, case), []).append(value)
    return interval_of_mean(of_patient.values())


def _how_many(scores: Sequence[Scores], state: State) -> int:
    return sum(one.state == state for one in scores)


def compare(
    first: Mapping[str, Scores],
    others: Mapping[str, Mapping[str, Scores]],
    *,
    patients: Mapping[str, str] | None = None,
) -> tuple[Comparison, ...]:
    """Compare sets of scores with a first one, pair by pair.

    `first`: scores by case. `others`: further ones by name of the set, all against the same references.
    `patients`: the patient of each case; a case that is not named is a patient of its own.
    Returns a comparison for each of `others`; p values are corrected over all scores of all of them.
    """
    drafts = [_compared(first, name, other=other, patients=patients or {}) for name, other in others.items()]
    corrected = iter(holm([change.p for draft in drafts for change in draft.changes]))
    return tuple(
        replace(draft, changes=tuple(replace(change, p_holm=next(corrected)) for change in draft.changes))
        for draft in drafts
    )


def _compared(
    first: Mapping[str, Scores], name: str, *, other: Mapping[str, Scores], patients: Mapping[str, str]
) -> Comparison:
    cases = [case for case in first if case in other]
    changes = [CaseChange(case=case, first=first[case].dice, other=other[case].dice) for case in cases]
    changed = [change for change in changes if abs(change.other - change.first) > 0]
    changed.sort(key=lambda change: -abs(change.other - change.first))

    def test(score: str) -> PairedTest:
        mine, its = ({case: value_of(one[case], score) for case in cases} for one in (first, other))
        differences = patient_differences(mine, its, patients=patients)
        return paired_test(score, differences, more_is_better=COMPARED[score])

    return Comparison(
        other=name,
        cases=len(cases),
        changes=tuple(map(test, COMPARED)),
        most_changed=tuple(changed[:_MOST_CHANGED]),
    )


def value_of(scores: Scores, name: str) -> float:
    """Return the value of a score for comparison: the absolute value of a difference of volumes."""
    value = float(getattr(scores, name))
    return abs(value) if name == _ABSOLUTE else value


def _signed(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.3f}"


def altered_in_words(
    changed: Collection[str], corrected: Collection[str], *, total: int, most: int = MOST_NAMED
) -> tuple[str, ...]:
    """Say which masks are not as a model made them, in sentences; none if all are.

    `changed`: names of the cases whose mask is not the one that its record was written for. `corrected`: of
    those whose record says that a person has corrected them. `total`: how many masks there are.
    """
    sentences = []
    if changed:
        was = "was" if len(changed) == 1 else "were"
        records = "its record is" if len(changed) == 1 else "their records are"
        sentences.append(
            f"{len(changed)} of the {total} masks {was} changed after being written, by hand or by damage, "
            f"so {records} not believed: {_named(changed, most)}."
        )
    if corrected:
        was = "was" if len(corrected) == 1 else "were"
        sentences.append(
            f"{len(corrected)} of the {total} masks {was} corrected by hand, and not scored as a model made "
            f"{'it' if len(corrected) == 1 else 'them'}: {_named(corrected, most)}."
        )
    return tuple(sentences)


def _named(names: Collection[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(list(names)[:most]) + (f" and {more} more" if more > 0 else "")
