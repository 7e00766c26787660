"""The tables of a report, in Markdown, LaTeX and HTML: scores, distances and volumes, and every case."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from napari_necroseg.core.case_names import in_markdown
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.scoring.published import COHORT, published
from napari_necroseg.core.scoring.scores import State
from napari_necroseg.core.scoring.statistics import deviation, interval_of_mean, mean, quartiles
from napari_necroseg.core.scoring.tables import csv_text
from napari_necroseg.core.study.report.findings import Findings
from napari_necroseg.core.study.results import ABSOLUTE_VOLUME, RATIOS, Outcome

# LaTeX numbers tables by itself.
_NUMBER = re.compile(r"^Table \d+\. ")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "∞": r"$\infty$",
    "−": r"$-$",
    "²": r"\textsuperscript{2}",
}
NOT_KNOWN = "-"
SCORE_TITLES = {
    "dice": "Dice, %",
    "sensitivity": "Sensitivity, %",
    "specificity": "Specificity (native), %",
    "specificity_box": "Specificity (box), %",
    "specificity_patch": "Specificity (patch), %",
    "hd95_mm": "HD95, mm",
    "assd_mm": "ASSD, mm",
    "nsd": "NSD, %",
    "volume_difference_ml": "Volume difference, mL",
    ABSOLUTE_VOLUME: "Absolute volume difference, mL",
}
_STATES: dict[State, str] = {
    "missed": "Missed",
    "false_alarm": "False alarms",
    "nothing_to_find": "Nothing to find",
}

# Scores from 0 to 1 that are shown in percent.
_PERCENT = (*RATIOS, "nsd")
_DISTANCES = ("hd95_mm", "assd_mm", "nsd", "volume_difference_ml", ABSOLUTE_VOLUME)
_Statistic = Callable[[Outcome, str], float]
_TABLE_1 = {
    "mean": ("mean",),
    "95 % interval": ("mean_low", "mean_high"),
    "median": ("median",),
    "standard deviation": ("std",),
    "mean of fold means": ("mean_of_fold_means",),
}
_TABLE_2 = {
    "mean": ("mean",),
    "95 % interval": ("mean_low", "mean_high"),
    "median": ("median",),
    "quartiles": ("quartile_1", "quartile_3"),
    "standard deviation": ("std",),
}


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of text: title, columns, rows with a cell per column, and notes.

    The first `labels` columns name the row; the others hold numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    labels: int = 1

    @property
    def groups(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """Neighbouring rows with the same first cell: that cell, and the other cells of each row."""
        grouped = groupby(self.rows, key=lambda row: row[0])
        return [(first, [row[1:] for row in rows]) for first, rows in grouped]


def as_markdown(table: TextTable) -> str:
    """Return the table in Markdown, its title in bold above and its notes below."""
    rule = ["---"] * table.labels + ["---:"] * (len(table.columns) - table.labels)
    lines = [
        _markdown_row(table.columns),
        f"|{'|'.join(rule)}|",
        *map(_markdown_row, _without_repeats(table)),
    ]
    notes = [f"{in_markdown(note)}\n" for note in table.notes]
    return "\n".join([f"**{in_markdown(table.title)}**\n", *lines, "", *notes])


def as_latex(table: TextTable) -> str:
    """Return the table in LaTeX, without any package."""
    title = _NUMBER.sub("", table.title)
    alignment = "l" * table.labels + "r" * (len(table.columns) - table.labels)
    rows = "\n".join(map(_latex_row, _without_repeats(table)))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(' '.join((f'{title}.', *table.notes)))}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\hline",
            _latex_row(table.columns),
            r"\hline",
            rows,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _without_repeats(table: TextTable) -> list[tuple[str, ...]]:
    """Empty each first cell that repeats the one above it."""
    firsts = [None, *(row[0] for row in table.rows)]
    return [
        ("" if row[0] == above else row[0], *row[1:]) for above, row in zip(firsts, table.rows, strict=False)
    ]


def _markdown_row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"


def _latex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(_latex, cells)) + r" \\"


def _latex(text: str) -> str:
    return " ".join("".join(_LATEX.get(char, char) for char in text).split())


def _of_patients(outcome: Outcome, score: str) -> list[float]:
    return list(outcome.by_patient(score).values())


def _interval(outcome: Outcome, score: str) -> tuple[float, float]:
    return interval_of_mean([value] for value in _of_patients(outcome, score))


def _median(outcome: Outcome, score: str) -> float:
    values = _of_patients(outcome, score)
    return median(values) if values else math.nan


_STATISTICS: dict[str, _Statistic] = {
    "mean": lambda one, score: mean(_of_patients(one, score)),
    "mean_low": lambda one, score: _interval(one, score)[0],
    "mean_high": lambda one, score: _interval(one, score)[1],
    "median": _median,
    "quartile_1": lambda one, score: quartiles(_of_patients(one, score))[0],
    "quartile_3": lambda one, score: quartiles(_of_patients(one, score))[1],
    "std": lambda one, score: deviation(_of_patients(one, score)),
    "mean_of_fold_means": Outcome.mean_of_fold_means,
}


def table_1(findings: Findings) -> TextTable:
    """Return Dice, sensitivity and specificity of each configuration, in percent."""
    rows = _rows(findings.outcomes, RATIOS, shown=_TABLE_1)
    return TextTable(
        title=f"Table 1. This study: {findings.who}",
        columns=("Score", "Statistic", *(one.heading for one in findings.configurations)),
        rows=(*rows, *_sizes(findings)),
        notes=(
            "Specificity is counted over the whole image (native), the reference's bounding box plus 10 mm "
            "(box), and 64 x 128 x 128 voxels about its centroid on the grid of 64 slices (patch). The "
            "patient is the unit: a case is averaged over the seeds, then the cases of a patient; mean, "
            "median and standard deviation (ddof 1) are over patients. Interval: 95 %, bootstrap of the "
            "patients (2,000 resamples, percentiles) for the mean. Mean of fold means: over the cases of a "
            "fold, then over the folds. Missed cases count with a Dice of 0.",
            *_unequal(findings),
        ),
        labels=2,
    )


def papers_table(findings: Findings) -> TextTable:
    """Return the paper's Table 1 for the same configurations, with a dash where our copy is unreadable."""
    columns = [_published(configuration) for configuration in findings.configurations]
    rows = [
        (name.capitalize() + ", %", title, *(_number(one[name][statistic], 1) for one in columns))
        for name in ("dice", "sensitivity", "specificity")
        for statistic, title in enumerate(("mean", "median", "standard deviation"))
    ]
    return TextTable(
        title=f"For orientation only, the paper's Table 1: {COHORT}",
        columns=("Score", "Statistic", *(one.heading for one in findings.configurations)),
        rows=tuple(rows),
        notes=(
            f"Paper: 26 spine patients; ours: {findings.who}. {_how_other(findings)}, so this is no "
            "comparison of methods. A dash: the text that we have of the paper is damaged there. The paper "
            "does not say in which region it counted specificity.",
        ),
        labels=2,
    )


def _how_other(findings: Findings) -> str:
    is_tumour = findings.record.config.target == "tumour"
    return "Other patients, and tumours instead of necrosis" if is_tumour else "Other patients"


def table_2(findings: Findings) -> TextTable:
    """Return distances, volumes, and the states of the predictions."""
    counts = [
        (title, "predictions", *(f"{one.counts[state]} of {len(one.results)}" for one in findings.outcomes))
        for state, title in _STATES.items()
    ]
    tolerances = sorted(
        {one.scores.nsd_tolerance_mm for outcome in findings.outcomes for one in outcome.results}
    )
    tolerance = " and ".join(f"{one:g}" for one in tolerances) or NOT_KNOWN
    return TextTable(
        title=f"Table 2. Distances and volumes: {findings.who}",
        columns=("Score", "Statistic", *(one.heading for one in findings.configurations)),
        rows=(*_rows(findings.outcomes, _DISTANCES, shown=_TABLE_2), *counts),
        notes=(
            "HD95: larger directed 95th percentile of the surface distances; ASSD: their mean; NSD: share "
            f"of both surfaces within {tolerance} mm of each other; volume difference: prediction minus "
            "reference. The distances of a missed case are infinite (∞), so a mean is, too; the median is "
            "not, unless half of the patients are. A prediction is one case from one seed: missed (nothing "
            "found where there is a zone: in the means), a false alarm (something found where there is "
            "none) or with nothing to find and nothing found (both counted, not averaged).",
        ),
        labels=2,
    )


def csv_of(findings: Findings) -> str:
    """Return the numbers of all three tables as CSV, ratios in percent, one row per statistic."""
    rows: list[tuple[object, ...]] = []
    for score in (*RATIOS, *_DISTANCES):
        for name, statistic in _STATISTICS.items():
            values = (statistic(one, score) * _factor(score) for one in findings.outcomes)
            rows.append(("this study", score, name, *map(_cell, values)))
        patients = (len(one.by_patient(score)) for one in findings.outcomes)
        rows.append(("this study", score, "patients", *patients))
    for state in _STATES:
        counts = (one.counts[state] for one in findings.outcomes)
        rows.append(("this study", state, "predictions", *counts))
    columns = [_published(configuration) for configuration in findings.configurations]
    for score in ("dice", "sensitivity", "specificity"):
        for index, name in enumerate(("mean", "median", "std")):
            rows.append(("paper", score, name, *(_cell(one[score][index]) for one in columns)))
    return csv_text(("source", "score", "statistic", *findings.configurations), rows)


def cases_table(findings: Findings) -> TextTable:
    """Return the Dice coefficient of each case in each configuration, best first."""
    # A configuration must not win by lacking the hardest cases.
    common = _common(findings.outcomes)
    found = {
        one.configuration: mean(list(one.by_patient("dice", common).values())) for one in findings.outcomes
    }
    means = {name: value for name, value in found.items() if not math.isnan(value)}
    best = max(means, key=lambda name: means[name], default=None)
    dice = next((one.values["dice"] for one in findings.outcomes if one.configuration == best), {})
    names = sorted(findings.record.cases, key=lambda name: (-dice.get(name, -1.0), name))
    over = " over the cases that all have" if _unequal(findings) else ""
    none = "no case has a score of every configuration" if findings.outcomes else "no score yet"
    by = f"sorted by {best.heading}, which has the highest mean{over}" if best else none
    return TextTable(
        title=f"Dice of each case, %; {by}",
        columns=("Case", "Patient", "Fold", "Target, mL", *(one.heading for one in findings.configurations)),
        rows=tuple(_case_row(findings, name) for name in names),
        notes=("Averaged over the seeds. A dash: not predicted yet.",),
        labels=2,
    )


def number(value: float, score: str) -> str:
    """Return a value of a score as text: ratios in percent, infinite as ∞, undefined as a dash."""
    return _number(value * _factor(score), 1 if score in _PERCENT else 2)


def _rows(
    outcomes: Sequence[Outcome], scores: tuple[str, ...], *, shown: dict[str, tuple[str, ...]]
) -> list[tuple[str, ...]]:
    return [
        (SCORE_TITLES[score], title, *(_statistic_text(one, score, names=names) for one in outcomes))
        for score in scores
        for title, names in shown.items()
    ]


def _statistic_text(outcome: Outcome, score: str, *, names: tuple[str, ...]) -> str:
    """Return one number, or an interval."""
    values = [_STATISTICS[name](outcome, score) for name in names]
    return NOT_KNOWN if math.isnan(values[0]) else " to ".join(number(value, score) for value in values)


def _sizes(findings: Findings) -> list[tuple[str, ...]]:
    patients = (str(len(one.by_patient("dice"))) for one in findings.outcomes)
    cases = (f"{len(one.values['dice'])} of {len(findings.record.cases)}" for one in findings.outcomes)
    return [("Counted", "patients", *patients), ("Counted", "cases", *cases)]


def _unequal(findings: Findings) -> tuple[str, ...]:
    """Warn if the columns cover different cases."""
    cases = {frozenset(one.values["dice"]) for one in findings.outcomes}
    warning = (
        "The columns are not of the same cases, since runs are missing: compare them by the paired tests."
    )
    return (warning,) if len(cases) > 1 else ()


def _common(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return the cases that every configuration has scores of."""
    all_cases = (case for one in outcomes for case in one.values["dice"])
    return tuple(
        case for case in dict.fromkeys(all_cases) if all(case in one.values["dice"] for one in outcomes)
    )


def _case_row(findings: Findings, name: str) -> tuple[str, ...]:
    case = findings.record.cases[name]
    cells = (_case_cell(one, name) for one in findings.outcomes)
    return (name, case.patient, str(case.fold), f"{case.target_ml:.2f}", *cells)


def _case_cell(outcome: Outcome, name: str) -> str:
    results = outcome.of_case(name)
    if not results:
        return NOT_KNOWN
    states = [one.scores.state for one in results]
    if name not in outcome.values["dice"]:
        false = states.count("false_alarm")
        return f"false alarm ({false} of {len(states)})" if false else "nothing to find"
    value = number(outcome.values["dice"][name], "dice")
    missed = states.count("missed")
    if 0 < missed < len(states):
        return f"{value} (missed {missed} of {len(states)})"
    return f"{value} (missed)" if missed else value


def _published(configuration: Configuration) -> dict[str, tuple[float, float, float]]:
    return {
        name: (math.nan if one.mean is None else one.mean, one.median, one.std)
        for name, one in published(configuration.dimension, configuration.sequences).items()
    }


def _factor(score: str) -> float:
    return 100.0 if score in _PERCENT else 1.0


def _number(value: float, digits: int) -> str:
    if math.isnan(value):
        return NOT_KNOWN
    text = "∞" if math.isinf(value) else f"{abs(value):.{digits}f}"
    # A value shown as 0 has no sign. The minus is not a hyphen, which stands for an unknown value.
    return f"−{text}" if value < 0 and text.strip("0.") else text


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
