"""The report as one HTML page that needs nothing else: no script, no network, no other file."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_necroseg.core.plan import duration
from napari_necroseg.core.study.record import without_places
from napari_necroseg.core.study.report.findings import Findings, title_of
from napari_necroseg.core.study.report.tables import (
    NOT_KNOWN,
    Html,
    TextTable,
    as_html,
    cases_table,
    element,
    joined,
    number,
    papers_table,
    png_image,
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
_PHASES = ("reading", "training", "predicting", "scoring")
_STATE_TITLES = {"done": "done", "failed": "failed", "": "not done yet"}
_STYLE = """
:root { color-scheme: light dark; --line: #c9ced6; --faint: #f2f4f7; --note: #545c68; --alarm: #fff4d6; }
@media (prefers-color-scheme: dark) {
  :root { --line: #454c57; --faint: #23282f; --note: #a9b1bd; --alarm: #4a3a10; }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; }
h2 { margin-top: 2.6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
.device, .note, figcaption { color: var(--note); font-size: .875rem; }
.device { margin: 0; font-weight: 600; }
.alarm { background: var(--alarm); border-radius: .4rem; padding: .6rem 1rem; }
.wide { overflow-x: auto; margin: 1.4rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { padding: .2rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 500; text-align: left; white-space: nowrap; }
th[scope=rowgroup] { white-space: normal; min-width: 7rem; overflow-wrap: anywhere; }
thead th { white-space: normal; background: var(--faint); font-weight: 600; vertical-align: bottom; }
td, .number { text-align: right; }
td { white-space: nowrap; }
.hashes td { font-family: ui-monospace, monospace; font-size: .75rem; }
figure { margin: 1.6rem 0; }
figure img { max-width: 100%; height: auto; background: white; border-radius: .3rem; }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { max-width: none; font-size: 10pt; padding: 0; }
  table { font-size: 8pt; } th, td { padding: .12rem .4rem; }
  .wide { overflow: visible; } figure { break-inside: avoid; } h2, caption { break-after: avoid; }
  figure img { max-height: 140mm; width: auto; }
}
"""


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure of the page: a PNG, what it shows, and by which rules."""

    title: str
    caption: str
    png: bytes


def page(findings: Findings, figures: Sequence[PageFigure], notes: Sequence[str]) -> str:
    """Return the page.

    Parameters
    ----------
    notes
        What is missing from it or contradicts itself, a sentence each.
    """
    title = f"Study of {findings.cohort_name}"
    body = joined(
        element("p", NOT_A_DEVICE, class_="device"),
        element("h1", title),
        _alarm(_PHANTOMS) if findings.is_phantom else Html(""),
        _status(findings, notes),
        _tables(findings),
        _statistics(findings),
        _figures(figures),
        element("h2", "Cases"),
        as_html(cases_table(findings)),
        element("h2", "Methods"),
        *map(_paragraph, methods(findings)),
        _runs(findings),
        _appendix(findings),
    )
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        Html(f"<style>{_STYLE}</style>"),
    )
    return f"<!doctype html>\n{element('html', element('head', head), element('body', body), lang='en')}\n"


_PHANTOMS = (
    "These are numerical phantoms, not patients. The scores say nothing about the accuracy of the method on "
    "patients."
)


def _paragraph(text: str) -> Html:
    """A paragraph whose first words, up to a full stop, say what it is about."""
    about, stop, rest = text.partition(". ")
    return element("p", element("strong", about + stop), rest)


def _alarm(text: str) -> Html:
    return element("p", text, class_="alarm")


def _status(findings: Findings, notes: Sequence[str]) -> Html:
    done, failed, waiting = (findings.runs_that_are(state) for state in ("done", "failed", ""))
    sentence = f"{findings.who}. {len(done)} of {len(findings.runs)} runs are done"
    is_complete = len(done) == len(findings.runs)
    rest = [f"{len(failed)} failed"] if failed else []
    rest += [f"{len(waiting)} not done yet"] if waiting else []
    sentence += "." if is_complete else f"; {', '.join(rest)}. What follows is of the part that is done."
    failures = [f"{run}: {without_places(findings.states[run.key].reason)}" for run in failed]
    missing = [f"Not done yet: {', '.join(map(str, waiting))}."] if waiting else []
    return joined(
        element("p", sentence) if is_complete else _alarm(sentence),
        _list([*failures, *missing, *notes]),
    )


def _list(texts: Sequence[str]) -> Html:
    return element("ul", *(element("li", text) for text in texts)) if texts else Html("")


def _tables(findings: Findings) -> Html:
    if not findings.outcomes:
        return joined(
            element("h2", "Results"), element("p", "No run is complete yet, so there are no scores.")
        )
    tables = (table_1(findings), papers_table(findings), table_2(findings))
    return joined(element("h2", "Results"), *map(as_html, tables))


def _statistics(findings: Findings) -> Html:
    outcomes = findings.outcomes
    parts = [element("h2", "Statistics"), _list(conclusions(outcomes, PRIMARY))]
    if len(outcomes) > 1:
        parts.append(as_html(pairs_table(outcomes, (PRIMARY,), "Pairs of configurations: Dice (primary)")))
        parts.append(element("h3", "Secondary scores"))
        parts.append(_list([conclusion(outcomes, score) for score in SECONDARY]))
        parts.append(as_html(pairs_table(outcomes, SECONDARY, "Pairs of configurations: secondary scores")))
    if outcomes:
        parts += [element("h3", "Seeds"), as_html(seeds_in_words(outcomes))]
    return joined(*parts)


def _figures(figures: Sequence[PageFigure]) -> Html:
    drawn = [
        element(
            "figure",
            png_image(one.png, alt=one.title),
            element("figcaption", element("strong", one.title), f" {one.caption}"),
        )
        for one in figures
    ]
    return joined(element("h2", "Figures"), *drawn) if drawn else Html("")


def _runs(findings: Findings) -> Html:
    seconds = [sum(state.seconds.values()) for state in findings.states.values()]
    total = f"Together {duration(sum(seconds))} of computing." if seconds else ""
    table = TextTable(
        title="Runs",
        columns=("Run", "State", "Iterations", *_PHASES, "together", "Dice, %", "Device"),
        rows=tuple(_run_row(findings, run) for run in findings.runs),
        notes=("Wall time by phase; Dice: mean over the cases of the fold. " + total,),
    )
    return joined(element("h2", "Time of each run"), as_html(table))


def _run_row(findings: Findings, run: Run) -> tuple[str, ...]:
    name = f"{title_of(run.configuration)}, fold {run.fold}, seed {run.seed}"
    title = _STATE_TITLES[findings.state_of(run)]
    if run.key not in findings.states:
        return (name, title, *(NOT_KNOWN for _ in range(len(_PHASES) + 4)))
    state = findings.states[run.key]
    times = (duration(state.seconds[phase]) if phase in state.seconds else NOT_KNOWN for phase in _PHASES)
    dice = NOT_KNOWN if state.mean_dice is None else number(state.mean_dice, "dice")
    together = duration(sum(state.seconds.values())) if state.seconds else NOT_KNOWN
    device = f"{state.device}, {state.threads} threads" if state.device else NOT_KNOWN
    return (name, title, f"{state.iterations:,}", *times, together, dice, device)


def _appendix(findings: Findings) -> Html:
    hashes = TextTable(
        title="SHA-256 of the weights",
        columns=("Run", "weights.safetensors"),
        rows=tuple(
            (run.key, findings.states[run.key].weights_sha256 or NOT_KNOWN)
            for run in findings.runs
            if run.key in findings.states
        ),
    )
    versions = TextTable(
        title="Versions", columns=("Program", "Version"), rows=tuple(versions_of(findings).items())
    )
    return joined(
        element("h2", "Appendix"), element("div", as_html(hashes), class_="hashes"), as_html(versions)
    )
