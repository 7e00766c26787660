"""The report as one HTML page that needs nothing else: no script, no network, no other file."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_necroseg.core.display import duration
from napari_necroseg.core.study.record import without_paths
from napari_necroseg.core.study.report.findings import Findings
from napari_necroseg.core.study.report.tables import (
    NOT_KNOWN,
    TextTable,
    cases_table,
    number,
    papers_table,
    table_1,
    table_2,
)
from napari_necroseg.core.study.report.wording import (
    PRIMARY,
    SECONDARY,
    conclusion,
    conclusions,
    methods,
    pairs_table,
    seeds_in_words,
    versions_of,
)
from napari_necroseg.core.study.run import Run

NOT_A_DEVICE = "Research software, not a medical device."
TEMPLATES = Path(__file__).with_name("templates")
_PHANTOMS = (
    "These are numerical phantoms, not patients. The scores say nothing about the accuracy of the method on "
    "patients."
)
_PHASES = ("reading", "training", "predicting", "scoring")
_STATE_TITLES = {"done": "done", "failed": "failed", "": "not done yet"}


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure of the page: its title, its caption, and the PNG."""

    title: str
    caption: str
    png: bytes

    @property
    def data(self) -> str:
        """The PNG in Base64."""
        return b64encode(self.png).decode("ascii")

    @property
    def width(self) -> int:
        """Width on the screen, in CSS pixels, of a figure of 150 dots per inch."""
        # The width follows the signature, and the length and name of the first chunk.
        return int.from_bytes(self.png[16:20]) * 96 // 150


def page(findings: Findings, figures: Sequence[PageFigure], *, notes: Sequence[str]) -> str:
    """Return the page.

    `notes`: sentences on what is missing or contradictory.
    """
    # Jinja takes time to load, and most importers of this module write no page.
    from napari_necroseg.core.templates import render

    outcomes = findings.outcomes
    are_compared = len(outcomes) > 1
    return render(
        TEMPLATES,
        "report.html",
        title=f"Study of {findings.cohort_name}",
        not_a_device=NOT_A_DEVICE,
        phantoms=_PHANTOMS if findings.is_phantom else "",
        is_complete=_is_complete(findings),
        status=_status(findings),
        remarks=[*_undone(findings), *notes],
        results=(table_1(findings), papers_table(findings), table_2(findings)) if outcomes else (),
        primary=conclusions(outcomes, PRIMARY),
        primary_pairs=pairs_table(outcomes, (PRIMARY,), title="Pairs of configurations: Dice (primary)"),
        secondary=[conclusion(outcomes, score) for score in SECONDARY] if are_compared else (),
        secondary_pairs=pairs_table(outcomes, SECONDARY, title="Pairs of configurations: secondary scores"),
        seeds=seeds_in_words(outcomes),
        figures=figures,
        cases=cases_table(findings),
        # Each paragraph begins with its subject, followed by a full stop.
        methods=[text.partition(". ") for text in methods(findings)],
        runs=_runs(findings),
        hashes=_hashes(findings),
        versions=_versions(findings),
    )


def _is_complete(findings: Findings) -> bool:
    return len(findings.runs_that_are("done")) == len(findings.runs)


def _status(findings: Findings) -> str:
    done, failed, waiting = (len(findings.runs_that_are(state)) for state in ("done", "failed", ""))
    sentence = f"{findings.who}. {done} of {len(findings.runs)} runs are done"
    if _is_complete(findings):
        return f"{sentence}."
    rest = [f"{failed} failed"] if failed else []
    rest += [f"{waiting} not done yet"] if waiting else []
    return f"{sentence}; {', '.join(rest)}. What follows is of the part that is done."


def _undone(findings: Findings) -> list[str]:
    """List the runs that failed, and those that are not done yet."""
    failed, waiting = findings.runs_that_are("failed"), findings.runs_that_are("")
    failures = [f"{run}: {without_paths(findings.states[run.key].reason)}" for run in failed]
    missing = [f"Not done yet: {', '.join(map(str, waiting))}."] if waiting else []
    return [*failures, *missing]


def _runs(findings: Findings) -> TextTable:
    seconds = [sum(state.seconds.values()) for state in findings.states.values()]
    total = f"Together {duration(sum(seconds))} of computing." if seconds else ""
    return TextTable(
        title="Runs",
        columns=("Run", "State", "Iterations", *_PHASES, "together", "Dice, %", "Device"),
        rows=tuple(_run_row(findings, run) for run in findings.runs),
        notes=("Wall time by phase; Dice: mean over the cases of the fold. " + total,),
    )


def _run_row(findings: Findings, run: Run) -> tuple[str, ...]:
    name = f"{run.configuration.heading}, fold {run.fold}, seed {run.seed}"
    title = _STATE_TITLES[findings.state_of(run)]
    if run.key not in findings.states:
        return (name, title, *(NOT_KNOWN for _ in range(len(_PHASES) + 4)))
    state = findings.states[run.key]
    times = (duration(state.seconds[phase]) if phase in state.seconds else NOT_KNOWN for phase in _PHASES)
    dice = NOT_KNOWN if state.mean_dice is None else number(state.mean_dice, "dice")
    together = duration(sum(state.seconds.values())) if state.seconds else NOT_KNOWN
    device = f"{state.device}, {state.threads} threads" if state.device else NOT_KNOWN
    return (name, title, f"{state.iterations:,}", *times, together, dice, device)


def _hashes(findings: Findings) -> TextTable:
    rows = (
        (run.key, findings.states[run.key].weights_sha256 or NOT_KNOWN)
        for run in findings.runs
        if run.key in findings.states
    )
    return TextTable(title="SHA-256 of the weights", columns=("Run", "weights.safetensors"), rows=tuple(rows))


def _versions(findings: Findings) -> TextTable:
    return TextTable(
        title="Versions", columns=("Program", "Version"), rows=tuple(versions_of(findings).items())
    )
