"""Scores of a cohort in a few numbers: mean, median, spread, and how sure the mean is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from napari_necroseg.core.cohort.seen_cases import Known, known_in_words
from napari_necroseg.core.scoring.compare import Comparison
from napari_necroseg.core.scoring.numbers import defined, deviation, interval_of_mean, quartiles
from napari_necroseg.core.scoring.scores import SCORE_NAMES, Scores, State, shown
from napari_necroseg.core.scoring.unscored import MOST_NAMED, Unscored, altered_in_words


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

    @property
    def total(self) -> int:
        """All cases, averaged or not."""
        return self.scored + self.missed + self.false_alarms + self.nothing_to_find

    @property
    def unscored(self) -> Unscored:
        """The cases that are in none of the numbers."""
        return Unscored(
            with_reference=self.with_reference,
            without_prediction=self.without_prediction,
            without_reference=self.without_reference,
            failed=self.failed,
        )

    def remarks(self, *, most_named: int = MOST_NAMED) -> tuple[str, ...]:
        """Say what a reader of the numbers should know, a sentence each; of so many cases by name."""
        known = known_in_words(self.trained_on, self.total)
        altered = altered_in_words(
            self.changed_since_written, self.corrected_by_hand, total=self.total, most=most_named
        )
        return (*self.unscored.in_words(most=most_named), *((known,) if known else ()), *altered)

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

    Parameters
    ----------
    scores
        By case.
    patients
        The patient of each case; a case that is not named is a patient of its own.
    """
    everything = list(scores.values())
    averaged = {case: one for case, one in scores.items() if one.state in ("scored", "missed")}
    columns = {name: defined(float(getattr(one, name)) for one in averaged.values()) for name in SCORE_NAMES}
    between = {name: quartiles(values) for name, values in columns.items()}
    intervals = {name: _interval_of_mean(averaged, name, patients or {}) for name in SCORE_NAMES}
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
    scores: Mapping[str, Scores], name: str, patients: Mapping[str, str]
) -> tuple[float, float]:
    of_patient: dict[str, list[float]] = {}
    for case, one in scores.items():
        value = float(getattr(one, name))
        if not math.isnan(value):
            of_patient.setdefault(patients.get(case, case), []).append(value)
    return interval_of_mean(of_patient.values())


def _how_many(scores: Sequence[Scores], state: State) -> int:
    return sum(one.state == state for one in scores)
