"""Writes the report of a study from what it saved; nothing is trained again."""

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from napari_necroseg.core.config import Dimension
from napari_necroseg.core.config.study import Configuration
from napari_necroseg.core.errors import NecrosegError, ResourceError
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import write_text
from napari_necroseg.core.output import check_out_folder
from napari_necroseg.core.scoring.figures import FORMATS, check_figures, save_figure
from napari_necroseg.core.study.cases import cohort_of
from napari_necroseg.core.study.record import without_paths
from napari_necroseg.core.study.report import figures as figures_module
from napari_necroseg.core.study.report.figures import Choice, choose, read_example
from napari_necroseg.core.study.report.findings import Findings, find
from napari_necroseg.core.study.report.page import NOT_A_DEVICE, PageFigure, page
from napari_necroseg.core.study.report.tables import (
    as_latex,
    as_markdown,
    csv_of,
    papers_table,
    table_1,
    table_2,
)
from napari_necroseg.core.study.results import seeds_table, statistics_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


REPORT_NAME = "report.html"
REPORT_NAMES = (REPORT_NAME, "table1.md", "table1.tex", "table1.csv", "statistics.csv", "seeds.csv")
FIGURES_NAME = "figures"


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """A report that was written."""

    folder: Path
    report: Path
    done: int
    total: int
    failed: int
    # Over the patients, by configuration.
    mean_dice: dict[Configuration, float]
    # How many cases, with something to find, each of these means is over.
    cases: dict[Configuration, int]
    # How many the study has.
    all_cases: int

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        lines = [f"{self.done} of {self.total} runs are done{failed}."]
        if self.mean_dice:
            lines.append("Mean Dice over the patients:")
        for configuration, dice in self.mean_dice.items():
            shown = "-" if math.isnan(dice) else f"{100 * dice:.1f} %"
            over = f"{self.cases[configuration]} of {self.all_cases} cases"
            lines.append(f"  {configuration.heading:<14}{shown:>8}  ({over})")
        return "\n".join([*lines, f"The report is {self.report}; tables and figures are beside it."])


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """A figure to draw, with its caption."""

    name: str
    title: str
    caption: str
    draw: "Callable[[], Figure]"


def write_report(folder: Path) -> Generator[Event, None, None]:
    """Write the tables, figures and page of a study, as far as it is done.

    `folder`: with ``study.json``, ``scores.csv``, ``runs`` and, for the examples, ``predictions``. It writes
    ``table1.md``, ``.csv`` and ``.tex``, ``statistics.csv``, ``seeds.csv``, ``figures`` and ``report.html``
    into it.
    Yields `Progress`; `Warned` for what is left out or contradictory; then `Finished` with a `StudyReport`.
    """
    findings = find(folder)
    check_out_folder(folder)
    done, failed = (len(findings.runs_that_are(state)) for state in ("done", "failed"))
    total = len(findings.runs)
    yield Started(message=f"Writing up {done} of {total} runs on {findings.who}.")
    notes = list(findings.mismatches())
    yield from (Warned(message=note) for note in notes)
    for name, text in _texts(findings).items():
        write_text(folder / name, text)
    yield Progress(done=1, total=3, message="tables")
    figures = yield from _figures(findings, notes)
    yield Progress(done=2, total=3, message="figures")
    report = folder / REPORT_NAME
    write_text(report, page(findings, figures, notes=[without_paths(note) for note in notes]))
    yield Progress(done=3, total=3, message="report")
    yield Finished(
        result=StudyReport(
            folder=folder,
            report=report,
            done=done,
            total=total,
            failed=failed,
            mean_dice=findings.mean_dice,
            cases={one.configuration: len(one.values["dice"]) for one in findings.outcomes},
            all_cases=len(findings.record.cases),
        )
    )


def _texts(findings: Findings) -> dict[str, str]:
    tables = (table_1(findings), papers_table(findings), table_2(findings))
    status = f"{len(findings.runs_that_are('done'))} of {len(findings.runs)} runs are done. {NOT_A_DEVICE}\n"
    return {
        "table1.md": "\n".join([status, *map(as_markdown, tables)]),
        "table1.tex": f"% {status}" + "\n".join(map(as_latex, tables)),
        "table1.csv": csv_of(findings),
        "statistics.csv": statistics_table(findings.outcomes),
        "seeds.csv": seeds_table(findings.outcomes),
    }


def _figures(findings: Findings, notes: list[str]) -> Generator[Event, None, list[PageFigure]]:
    """Draw all figures that can be drawn, report the others, and remove those of an earlier report."""
    drawn: dict[str, PageFigure] = {}
    folder = findings.folder / FIGURES_NAME
    for drawing in (yield from _possible(findings, notes)):
        try:
            png, *_ = save_figure(drawing.draw(), folder, name=drawing.name)
        except NecrosegError as error:
            notes.append(f"{drawing.title.partition('.')[0]} is left out: {error}")
            yield Warned(message=notes[-1])
            continue
        drawn[drawing.name] = PageFigure(title=drawing.title, caption=drawing.caption, png=png.read_bytes())
        yield Progress(done=1, total=3, message=drawing.name)
    for name in {"figure3", "figure4", "figure4_2d"} - set(drawn):
        for suffix in FORMATS:
            with suppress(PermissionError):
                # Another program may have it open.
                (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    return list(drawn.values())


def _possible(findings: Findings, notes: list[str]) -> Generator[Event, None, tuple[_Drawing, ...]]:
    """Return the figures to draw; none without matplotlib."""
    try:
        check_figures()
    except ResourceError as error:
        notes.append(f"Figures are left out. {error}")
        yield Warned(message=notes[-1])
        return ()
    return tuple(_drawings(findings))


def _drawings(findings: Findings) -> Iterator[_Drawing]:
    if not findings.outcomes:
        return
    n_patients = len(set(findings.record.patients.values()))
    yield _Drawing(
        name="figure3",
        title="Figure 3. Dice and sensitivity of each configuration.",
        caption=f"{findings.who}; at most {n_patients} patients per box. {figures_module.BOX_PLOTS_CAPTION}",
        draw=partial(figures_module.box_plots, findings.outcomes),
    )
    # As in the paper, the figure without a suffix shows the 3D networks.
    name = "figure4"
    for dimension in reversed(get_args(Dimension)):
        of_dimension = [one for one in findings.outcomes if one.configuration.dimension == dimension]
        choice = choose(of_dimension, dimension) if of_dimension else None
        if choice is not None:
            yield _Drawing(
                name=name,
                title=f"Figure 4. Examples, {dimension.upper()} networks.",
                caption=f"{choice.rule} {figures_module.FIGURE_4_CAPTION}",
                draw=partial(_gallery, findings, choice),
            )
            name = f"figure4_{get_args(Dimension)[0]}"


def _gallery(findings: Findings, choice: Choice) -> "Figure":
    cohort = cohort_of(findings.folder, findings.record)
    examples = [read_example(findings, cohort, choice=choice, rank=rank) for rank in choice.cases]
    return figures_module.figure_4(examples, [one.configuration for one in choice.outcomes])
