"""The sentences of a report: what the tests show, and a methods section as a paper has it."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import median

from napari_necroseg.core.config import Dimension, TrainConfig
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.plan import WIDTHS, patch_shape_of
from napari_necroseg.core.study.record import StudyRecord
from napari_necroseg.core.study.report.findings import Findings
from napari_necroseg.core.study.report.tables import NOT_KNOWN, SCORE_TITLES, TextTable, number
from napari_necroseg.core.study.results import (
    TESTED,
    ConfigurationPair,
    Friedman,
    Outcome,
    friedman,
    pairs,
    seed_spread,
)
from napari_necroseg.core.study.run import Run, training_of
from napari_necroseg.core.training.description import parameters_of, training_in_words

SIGNIFICANT = 0.05
PRIMARY, *SECONDARY = TESTED
_UNITS = {"2d": "slices", "3d": "volumes"}


def conclusions(outcomes: Sequence[Outcome], score: str) -> tuple[str, ...]:
    """State what the tests of one score show, pair by pair, and what they do not show."""
    if len(outcomes) < 2:
        return ("There are no two configurations with scores yet, so nothing can be compared.",)
    found = pairs(outcomes, score)
    different = [_difference(pair) for pair in found if pair.p_holm < SIGNIFICANT]
    return (*_overall(friedman(outcomes, score)), *(different or [_no_difference(score, found)]))


def conclusion(outcomes: Sequence[Outcome], score: str) -> str:
    """State the same in one sentence."""
    found = pairs(outcomes, score)
    n_different = sum(pair.p_holm < SIGNIFICANT for pair in found)
    of_pairs = (
        f"{_name(score)}: {n_different} of {len(found)} pairs differ after Holm's correction."
        if n_different
        else _no_difference(score, found)
    )
    return " ".join((*_overall(friedman(outcomes, score)), of_pairs))


def pairs_table(outcomes: Sequence[Outcome], scores: Sequence[str], *, title: str) -> TextTable:
    """Return all pairs of configurations as a table, one row per pair and score."""
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
    """Return a table of the mean Dice coefficient of each seed, and of their spread."""
    spreads = [seed_spread(one) for one in outcomes]
    seeds = sorted({seed for spread in spreads for seed in spread.mean_dice})
    rows = [
        (
            spread.configuration.heading,
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


def _difference(pair: ConfigurationPair) -> str:
    verdict = _verdict(pair)
    unit = SCORE_TITLES[pair.score].partition(", ")[2].replace("%", "percentage points")
    return (
        f"{pair.other.heading} {verdict} {pair.first.heading}: median difference "
        f"{_signed(pair.median_difference, pair.score)} {unit}, better in {pair.better} and worse in "
        f"{pair.worse} of {pair.patients} patients (p {_equal(pair.p)}, after Holm {_equal(pair.p_holm)})."
    )


def _verdict(pair: ConfigurationPair) -> str:
    """Name a direction only if patients, median and mean agree on it."""
    sign = 1 if TESTED[pair.score] else -1
    signs = {
        math.copysign(1.0, value) if value else 0.0
        for value in (pair.better - pair.worse, sign * pair.median_difference, sign * pair.mean_difference)
        if not math.isnan(value)
    }
    if len(signs) > 1 or 0.0 in signs:
        return "differs from"
    return "is better than" if 1.0 in signs else "is worse than"


def _no_difference(score: str, found: Sequence[ConfigurationPair]) -> str:
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


def _power(tested: Sequence[ConfigurationPair]) -> str:
    """Say so if there are too few patients to show even a difference that all of them agree on."""
    most = max(pair.patients for pair in tested)
    if 2.0 / 2**most * len(tested) < SIGNIFICANT:
        return ""
    patients = "1 patient" if most == 1 else f"{most} patients"
    return f" With {patients} no difference could have been shown, however large."


def _name(score: str) -> str:
    return SCORE_TITLES[score].partition(",")[0]


def _equal(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"


def _pair_row(pair: ConfigurationPair) -> tuple[str, ...]:
    mean = _signed(pair.mean_difference, pair.score)
    if not math.isnan(pair.mean_low):
        mean += f" ({_signed(pair.mean_low, pair.score)} to {_signed(pair.mean_high, pair.score)})"
    return (
        SCORE_TITLES[pair.score],
        pair.first.heading,
        pair.other.heading,
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


def methods(findings: Findings) -> tuple[str, ...]:
    """Return the paragraphs of a methods section, ready for a paper."""
    dimensions = dict.fromkeys(one.dimension for one in findings.record.config.configurations)
    return (
        _cohort(findings),
        _folds(findings),
        *(_network(findings, dimension) for dimension in dimensions),
        _prediction(findings),
        _scores(findings),
        _statistics(findings),
        _software(findings),
    )


def versions_of(findings: Findings) -> dict[str, str]:
    """Return the versions of the software by name; several if runs used different ones."""
    found: dict[str, dict[str, None]] = {}
    for versions in (findings.record.versions, *(one.versions for one in findings.states.values())):
        for program, version in versions.items():
            found.setdefault(program, {})[version] = None
    return {program: " and ".join(versions) for program, versions in found.items()}


def _cohort(findings: Findings) -> str:
    cases = findings.record.cases.values()
    volumes = [case.target_ml for case in cases]
    target = findings.record.config.target
    what = "necrosis zones" if target == "reference" else "tumours"
    n_other = findings.n_other_masks
    corrected = f" Of {n_other} cases, corrected masks took the place of the cohort's." if n_other else ""
    n_unsigned = sum(case.target_from == "unsigned" for case in cases)
    if n_unsigned:
        corrected += f" Nobody had signed off the masks of {n_unsigned} cases."
    size = (
        f" Their volume was {median(volumes):.2f} mL in the median ({min(volumes):.2f} to "
        f"{max(volumes):.2f} mL)."
        if volumes
        else ""
    )
    return (
        f"Cohort. {findings.who} were studied; networks learned the reference masks of the "
        f"{what}.{size}{corrected} T2-weighted images were resampled onto the grid of the contrast-enhanced "
        "T1-weighted (ceT1) image where they had another. For the networks, stacks were interpolated to "
        f"{_slices(findings)} sagittal slices (cubic splines; masks linearly, cut at 0.5)."
    )


def _slices(findings: Findings) -> str:
    trainings = [findings.training(name) for name in findings.record.config.configurations]
    found = {training.dimension: training.slices for training in trainings}
    if len(set(found.values())) == 1:
        return str(next(iter(found.values())))
    return " and ".join(f"{slices} ({dimension.upper()})" for dimension, slices in found.items())


def _folds(findings: Findings) -> str:
    config = findings.record.config
    sizes = Counter(findings.record.folds.values())
    listed = ", ".join(str(sizes[fold]) for fold in range(1, config.folds + 1))
    stratified = f"stratified by the volume of the target, drawn with seed {config.fold_seed}"
    how = stratified if findings.has_drawn_folds else "as given in a table"
    different = "with different random draws" if config.start_from else "from different random weights"
    seeds = f"{config.seeds} times, {different}," if config.seeds > 1 else "once"
    return (
        f"Cross-validation. Patients were divided into {config.folds} folds ({listed} cases; {how}), all "
        f"cases of a patient in one. For each configuration and fold a network was trained {seeds} on the "
        "other folds, and applied to the one left out. There is no separate test set."
    )


def _network(findings: Findings, dimension: Dimension) -> str:
    config = findings.record.config
    names = [one for one in config.configurations if one.dimension == dimension]
    first = findings.training(names[0])
    words = training_in_words(first, WIDTHS)
    counts = [
        f"{parameters_of(training_of(config, Run(configuration=name, fold=1, seed=0)), WIDTHS):,} for "
        f"{'+'.join(name.sequences)}"
        for name in names
    ]
    start = _start(findings.record)
    return (
        f"{dimension.upper()} networks ({', '.join(name.heading for name in names)}). {words['network']}; "
        f"trained parameters: {', '.join(counts)}. Preset: {config.preset}. Loss: {words['loss']}. "
        f"Optimiser: {words['optimiser']}. Batch: {first.batch_size} {_UNITS[dimension]} of "
        f"{' x '.join(map(str, _patch(first)))} voxels ({_share(first)}), drawn anew for every iteration. "
        f"Iterations: {_iterations(findings, names)}; the last weights were kept. Augmentation: "
        f"{words['augmentation']}. Whitening: {words['whitening']}. Precision: {_precision(first)}.{start}"
    )


def _start(record: StudyRecord) -> str:
    if record.config.start_from is None:
        return ""
    return (
        f" Every network went on from the weights of one trained model (SHA-256 {record.start_from_sha256}), "
        "which has learned from none of the patients that it was scored on."
    )


def _share(config: TrainConfig) -> str:
    if config.target_share == 1.0:
        return "every patch shows the target"
    return f"{config.target_share:.0%} of the patches show the target".replace("%", " %")


def _patch(config: TrainConfig) -> tuple[int, ...]:
    shape = patch_shape_of(config)
    return shape[1:] if config.dimension == "2d" else shape


def _precision(config: TrainConfig) -> str:
    return "32 bits" if config.precision == "fp32" else "bfloat16 where the device has it, else 32 bits"


def _iterations(findings: Findings, names: Sequence[Configuration]) -> str:
    minutes = findings.training(next(iter(names))).minutes
    done = [
        state.iterations
        for state in findings.states.values()
        if state.state == "done" and state.configuration in set(names)
    ]
    if not done:
        return "none done yet"
    limit = f" (limited to {minutes:g} min a run)" if minutes else ""
    low, high = min(done), max(done)
    return (f"{low:,}" if low == high else f"{low:,} to {high:,}") + f" in {len(done)} runs{limit}"


def _prediction(findings: Findings) -> str:
    choices, names = findings.record.prediction, findings.record.config.configurations
    mirrored = (
        "Probabilities are means over the image and its mirror images in plane. " if choices.tta else ""
    )
    smoothed = (
        f"Those of 2D networks were blurred across slices (Gaussian, {choices.slice_smoothing_mm:g} mm). "
        if choices.slice_smoothing_mm and any(name.dimension == "2d" for name in names)
        else ""
    )
    removed = (
        f"components smaller than {choices.smallest_share:.0%} of the largest were removed".replace("%", " %")
        if choices.smallest_share
        else "nothing was filled or removed afterwards"
    )
    return (
        f"Prediction. {mirrored}{smoothed}Voxels with a probability of at least {choices.threshold:g} count "
        f"as inside; {removed}. Predictions of slices were merged and scored as volumes; "
        "probabilities were brought back from those slices to the acquired ones linearly. All scores are out "
        "of fold, on the grid of the ceT1 image."
    )


def _scores(findings: Findings) -> str:
    return (
        "Scores. Dice = 2 |R ∩ P| / (|R| + |P|), sensitivity = |R ∩ P| / |R|, specificity = |¬R ∩ ¬P| / "
        "|¬R|, with reference R and prediction P; specificity over three regions: the whole image "
        "(native), the reference's bounding box plus 10 mm (box), and 64 x 128 x 128 voxels about its "
        "centroid on the grid of 64 slices (patch). HD95: the larger of both directed 95th percentiles of "
        "the surface distances, weighted by area; ASSD: their mean; NSD: the share of both surfaces within "
        f"{_tolerance(findings)} mm of each other. A case that was missed counts with a Dice of 0 and "
        "infinite distances; cases with nothing to find are counted, not averaged."
    )


def _tolerance(findings: Findings) -> str:
    used = {one.scores.nsd_tolerance_mm for outcome in findings.outcomes for one in outcome.results}
    return " and ".join(f"{one:g}" for one in sorted(used or {findings.record.config.tolerance_mm}))


def _statistics(findings: Findings) -> str:
    seeds = (
        "Scores of a case were averaged over the seeds first. " if findings.record.config.seeds > 1 else ""
    )
    return (
        f"Statistics. The patient is the unit; cases of a patient were averaged. {seeds}Intervals: 95 %, "
        "bootstrap of the patients (2,000 resamples, percentile method). Differences between three or more "
        "configurations: Friedman's test on patients with all of them. Pairs: Wilcoxon's signed-rank test, "
        "two-sided, without equal pairs, corrected by Holm over all pairs within each score; a zone that "
        "only one of them missed ranks above all other differences of distances. Dice is the primary "
        "score; sensitivity, HD95, NSD and the absolute volume difference are secondary and not corrected "
        "for their number."
    )


def _software(findings: Findings) -> str:
    devices = sorted(
        {f"{one.device}, {one.threads} threads" for one in findings.states.values() if one.device}
    )
    seeds = ", ".join(map(str, range(findings.record.config.seeds)))
    versions = ", ".join(f"{name} {version}" for name, version in versions_of(findings).items())
    return (
        f"Software. {versions or 'versions not recorded'}. Computed on: "
        f"{'; '.join(devices) or 'not recorded'}. Seeds of the weights and of all random draws: {seeds}. "
        "SHA-256 of the weights of every run: appendix."
    )
