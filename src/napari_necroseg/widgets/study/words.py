"""What the dock Study says of a study before, while and after it runs."""

import math

from napari_necroseg.core.case import Cohort
from napari_necroseg.core.config.study import Configuration, StudyConfig
from napari_necroseg.core.plan import duration
from napari_necroseg.core.study.runs import Run, training_of
from napari_necroseg.widgets.study.board import RunStanding, Total

GOES_ON = "This study is there already: Go on does what is left, and what is greyed stays as it was."
_STATES = {
    "waiting": "waits for its turn",
    "running": "is running",
    "done": "is done",
    "failed": "failed",
    "interrupted": "was interrupted; Go on takes it up again",
}


def study_in_words(config: StudyConfig, cohort: Cohort) -> str:
    """Say how many runs on how many cases there are, and about how long they take.

    Raises
    ------
    SettingsError
        For choices that no training can have.
    """
    n_runs = len(config.configurations) * config.folds * config.seeds
    factors = [_count(len(config.configurations), "configuration"), f"{config.folds} folds"]
    factors += [f"{config.seeds} seeds"] if config.seeds > 1 else []
    least, rest = divmod(len(cohort), config.folds)
    size = f"{least}" if not rest else f"{least} or {least + 1}"
    return (
        f"{n_runs} trainings: {' × '.join(factors)}. Each network is scored on the cases of one fold "
        f"(about {size} of the {len(cohort)}) and learns from the others. {_length_in_words(config, n_runs)}"
    )


def _length_in_words(config: StudyConfig, n_runs: int) -> str:
    # Only the configuration decides how long a run is.
    runs = [Run(configuration=name, fold=1, seed=0) for name in config.configurations]
    minutes = [training_of(config, run).minutes for run in runs]
    known = [one for one in minutes if one is not None]
    if len(known) < len(minutes):
        return "Press Check to learn how long that takes here."
    a_run_s = 60.0 * sum(known) / len(known)
    if config.workers is None:
        whole = duration(a_run_s * n_runs)
        return f"They train for {whole} in all; Check says how many run at once and how long it takes here."
    at_once = min(config.workers, n_runs)
    rounds = math.ceil(n_runs / at_once)
    return f"They train for about {duration(a_run_s * rounds)}, {at_once} at a time."


def total_in_words(total: Total) -> str:
    """Say how far all runs are."""
    failed = f", {total.failed} failed" if total.failed else ""
    left = f"; about {duration(total.seconds_left)} left" if total.seconds_left is not None else ""
    return f"{total.done} of {_count(total.runs, 'run')} done{failed}{left}."


def title_of(run: Run) -> str:
    """Name a run as a heading."""
    seed = f", seed {run.seed}" if run.seed else ""
    return f"{Configuration.parse(run.configuration).title}, fold {run.fold}{seed}"


def standing_in_words(one: RunStanding) -> str:
    """Say all that is known of a run, in a few sentences."""
    parts = [f"{title_of(one.run)} {_STATES.get(one.state, one.state)}."]
    if one.state == "running" and one.phase:
        parts[0] = f"{title_of(one.run)}: {one.phase}, {one.share:.0%} of the run."
    if one.reason and one.state == "failed":
        parts.append(one.reason)
    if one.state == "done":
        parts.append(_dice_in_words(one))
    if one.iteration and one.state != "waiting":
        loss = "" if one.loss is None else f", loss {one.loss:.3f}"
        parts.append(f"Iteration {one.iteration}{loss}.")
    if one.seconds and one.state in ("running", "done"):
        parts.append(
            f"{duration(one.seconds)} so far." if one.state == "running" else f"Took {duration(one.seconds)}."
        )
    if one.seconds_left is not None:
        parts.append(f"About {duration(one.seconds_left)} left.")
    if one.plan is not None and one.state in ("waiting", "interrupted"):
        parts.append(_plan_in_words(one))
    return " ".join(part for part in parts if part)


def _plan_in_words(one: RunStanding) -> str:
    plan = one.plan
    if plan is None:
        return ""
    length = f"{plan.iterations} iterations" if plan.iterations else f"{plan.minutes or 0:g} min"
    if plan.estimated_iterations and not plan.iterations:
        length += f" (about {plan.estimated_iterations} iterations)"
    time = f" It takes about {duration(plan.estimated_s)}" if plan.estimated_s is not None else ""
    memory = (
        f"{' and' if time else ' It takes'} {plan.memory_gib:.1f} GiB" if plan.memory_gib is not None else ""
    )
    end = "." if time or memory else ""
    return f"{length} on {_count(plan.training, 'case')}, scored on {plan.validation}.{time}{memory}{end}"


def _dice_in_words(one: RunStanding) -> str:
    if one.mean_dice is None:
        return "Mean Dice undefined: none of the cases that it has not seen has anything to find."
    over = f" over {_count(one.scored, 'case')} that it has not seen" if one.scored else ""
    rest = one.validation - one.scored if one.scored else 0
    more = f"; {rest} more {'has' if rest == 1 else 'have'} nothing to find" if rest > 0 else ""
    return f"Mean Dice {100 * one.mean_dice:.1f} %{over}{more}."


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
