"""The results of an experiment by configuration: each case once, averaged over the seeds; then by patient."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from napari_necroseg.core.errors import FileError
from napari_necroseg.core.scoring.compare import value_of
from napari_necroseg.core.scoring.numbers import defined, mean
from napari_necroseg.core.scoring.scores import Scores, State
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.core.study.results import CaseResult

ABSOLUTE_VOLUME = "absolute_volume_difference_ml"
RATIOS = ("dice", "sensitivity", "specificity", "specificity_box", "specificity_patch")
REPORTED = (*RATIOS, "hd95_mm", "assd_mm", "nsd", "volume_difference_ml", ABSOLUTE_VOLUME)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one configuration came to.

    Parameters
    ----------
    configuration
        As text, such as ``2d:ceT1+T2``.
    values
        By score and case: the mean over the seeds. Only cases with something to find are here, missed ones
        with their Dice of 0 and their infinite distances; a case that is undefined from every seed is nan.
    counts
        Predictions, a case from a seed each, by what became of them.
    results
        Everything that `values` and `counts` were made from.
    folds, patients
        Of each case.
    """

    configuration: str
    values: Mapping[str, Mapping[str, float]]
    counts: Mapping[State, int]
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
        """Return what each seed made of a case, by ascending seed."""
        return tuple(
            sorted((one for one in self.results if one.case == case), key=lambda result: result.seed)
        )

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of which there is any result."""
        return tuple(sorted({one.seed for one in self.results}))

    def of_seed(self, seed: int) -> dict[str, float]:
        """Return the Dice coefficient of each case with something to find, from one seed."""
        return {
            one.case: one.scores.dice
            for one in self.results
            if one.seed == seed and one.case in self.values["dice"]
        }


def outcomes_of(record: StudyRecord, results: Iterable[CaseResult]) -> tuple[Outcome, ...]:
    """Sort results by configuration, in the order in which the experiment names them.

    Raises
    ------
    FileError
        If there is a result of a case that the experiment does not have.
    """
    by_configuration: dict[str, list[CaseResult]] = {name: [] for name in record.config.configurations}
    for one in results:
        if one.case not in record.cases:
            raise FileError(
                f"The table of scores has a case {one.case!r} that the study does not; they do not belong "
                "together. Write the scores again with `necroseg study`."
            )
        by_configuration.setdefault(one.configuration, []).append(one)
    return tuple(_outcome(name, found, record) for name, found in by_configuration.items() if found)


def _outcome(configuration: str, results: list[CaseResult], record: StudyRecord) -> Outcome:
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
