"""What the tests of an experiment say, in plain words and as tables."""

import math
from collections.abc import Sequence

from napari_necroseg.core.study.findings import title_of
from napari_necroseg.core.study.outcomes import Outcome
from napari_necroseg.core.study.resulttables import NOT_KNOWN, SCORE_TITLES, number
from napari_necroseg.core.study.statistics import TESTED, Friedman, Pair, friedman, pairs, seed_spread
from napari_necroseg.core.study.texttable import TextTable

SIGNIFICANT = 0.05
PRIMARY, *SECONDARY = TESTED


def conclusions(outcomes: Sequence[Outcome], score: str) -> tuple[str, ...]:
    """Say what the tests of one score show, pair by pair, and what they do not."""
    if len(outcomes) < 2:
        return ("There are no two configurations with scores yet, so nothing can be compared.",)
    found = pairs(outcomes, score)
    different = [_difference(pair) for pair in found if pair.p_holm < SIGNIFICANT]
    return (*_overall(friedman(outcomes, score)), *(different or [_no_difference(score, found)]))


def conclusion(outcomes: Sequence[Outcome], score: str) -> str:
    """Say the same in short."""
    found = pairs(outcomes, score)
    n_different = sum(pair.p_holm < SIGNIFICANT for pair in found)
    of_pairs = (
        f"{_name(score)}: {n_different} of {len(found)} pairs differ after Holm's correction."
        if n_different
        else _no_difference(score, found)
    )
    return " ".join((*_overall(friedman(outcomes, score)), of_pairs))


def pairs_table(outcomes: Sequence[Outcome], scores: Sequence[str], title: str) -> TextTable:
    """Return all pairs of configurations as a table, a row a pair and score."""
    return TextTable(
        title=title,
        columns=(
            "Score",
            "First",
            "Other",
            "Patients",
            "Median difference",
            "Mean difference (95 % interval)",
            "Better / worse",
            "p",
            "p (Holm)",
        ),
        rows=tuple(_pair_row(pair) for score in scores for pair in pairs(outcomes, score)),
        notes=(
            "Other minus first, paired by patient; better / worse: patients for whom the other one is. p: "
            "Wilcoxon's signed-rank test; Holm: corrected for all pairs of the score; *: below "
            f"{SIGNIFICANT:g}.",
        ),
        labels=3,
    )


def seeds_in_words(outcomes: Sequence[Outcome]) -> TextTable:
    """Return the mean Dice coefficient of each seed, and how far the seeds are apart."""
    spreads = [seed_spread(one) for one in outcomes]
    seeds = sorted({seed for spread in spreads for seed in spread.mean_dice})
    rows = [
        (
            title_of(spread.configuration),
            *(number(spread.mean_dice.get(seed, math.nan), "dice") for seed in seeds),
            number(spread.std, "dice") if len(spread.mean_dice) > 1 else "one seed: not known",
        )
        for spread in spreads
    ]
    return TextTable(
        title="Mean Dice by seed, %",
        columns=("Configuration", *(f"Seed {seed}" for seed in seeds), "Standard deviation"),
        rows=tuple(rows),
        notes=(
            "Mean over the patients of each seed; the deviation (ddof 1) is over the seeds that have all "
            "cases.",
        ),
    )


def p_text(p: float) -> str:
    """Return a p value as papers print it."""
    if math.isnan(p):
        return NOT_KNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _overall(test: Friedman | None) -> tuple[str, ...]:
    if test is None:
        return ()
    name, those = _name(test.score), f"the {test.configurations} configurations"
    if math.isnan(test.p):
        return (f"{name}: too few patients ({test.patients}) have all of {those} for Friedman's test.",)
    numbers = (
        f"Friedman's test, {test.patients} patients, chi-squared {test.chi_squared:.2f}, p {_equal(test.p)}"
    )
    if test.p < SIGNIFICANT:
        return (f"{name}: there are differences between {those} ({numbers}).",)
    return (f"{name}: no difference between {those} has been shown ({numbers}).",)


def _difference(pair: Pair) -> str:
    verdict = _verdict(pair)
    unit = SCORE_TITLES[pair.score].partition(", ")[2].replace("%", "percentage points")
    return (
        f"{title_of(pair.other)} {verdict} {title_of(pair.first)}: median difference "
        f"{_signed(pair.median_difference, pair.score)} {unit}, better in {pair.better} and worse in "
        f"{pair.worse} of {pair.patients} patients (p {_equal(pair.p)}, after Holm {_equal(pair.p_holm)})."
    )


def _verdict(pair: Pair) -> str:
    """Name a direction only if the patients, the median and the mean agree on it."""
    sign = 1 if TESTED[pair.score] else -1
    signs = {
        math.copysign(1.0, value) if value else 0.0
        for value in (pair.better - pair.worse, sign * pair.median_difference, sign * pair.mean_difference)
        if not math.isnan(value)
    }
    if len(signs) > 1 or 0.0 in signs:
        return "differs from"
    return "is better than" if 1.0 in signs else "is worse than"


def _no_difference(score: str, found: Sequence[Pair]) -> str:
    name = _name(score)
    tested = [pair for pair in found if not math.isnan(pair.p)]
    if not tested:
        return f"{name}: no two configurations have a patient in common yet."
    closest = min(tested, key=lambda pair: pair.p)
    which = f"none of {len(tested)} pairs differs" if len(tested) > 1 else "the two do not differ"
    return (
        f"{name}: after Holm's correction {which} (smallest p {_equal(closest.p)}, corrected "
        f"{_equal(closest.p_holm)}); that does not show that they are equal.{_power(tested)}"
    )


def _power(tested: Sequence[Pair]) -> str:
    """Say if so few patients could not have shown a difference even if all were on one side."""
    most = max(pair.patients for pair in tested)
    if 2.0 / 2**most * len(tested) < SIGNIFICANT:
        return ""
    patients = "1 patient" if most == 1 else f"{most} patients"
    return f" With {patients} no difference could have been shown, however large."


def _name(score: str) -> str:
    return SCORE_TITLES[score].partition(",")[0]


def _equal(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"


def _pair_row(pair: Pair) -> tuple[str, ...]:
    mean = _signed(pair.mean_difference, pair.score)
    if not math.isnan(pair.mean_low):
        mean += f" ({_signed(pair.mean_low, pair.score)} to {_signed(pair.mean_high, pair.score)})"
    return (
        SCORE_TITLES[pair.score],
        title_of(pair.first),
        title_of(pair.other),
        str(pair.patients),
        _signed(pair.median_difference, pair.score),
        mean,
        f"{pair.better} / {pair.worse}",
        p_text(pair.p),
        p_text(pair.p_holm) + (" *" if pair.p_holm < SIGNIFICANT else ""),
    )


def _signed(value: float, score: str) -> str:
    text = number(value, score)
    return f"+{text}" if value > 0 and text.strip("0.") else text
