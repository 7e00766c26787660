"""Scoring masks on disk: cases one by one, their summary, other sets beside them, what is written."""

import json
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from napari_necroseg.core.errors import FileError, NecrosegError
from napari_necroseg.core.events import CaseFailed, Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import make_folder, write_text
from napari_necroseg.core.io.made import Known, known_in_words, known_of
from napari_necroseg.core.scoring.compare import compare
from napari_necroseg.core.scoring.figures import write_figures
from napari_necroseg.core.scoring.pairs import MaskPair, find_pairs, read_pair
from napari_necroseg.core.scoring.scores import DEFAULT_TOLERANCE_MM, Scores, score_masks
from napari_necroseg.core.scoring.summary import Summary, summarise
from napari_necroseg.core.scoring.tables import (
    ScoredCase,
    markdown_table,
    record,
    tidy_table,
    wide_table,
)


@dataclass(frozen=True, kw_only=True)
class CaseScored(Event):
    """A case was scored, `done` of `total`."""

    event: ClassVar[str] = "case"
    case: str
    done: int
    total: int
    seconds: float
    result: Scores

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.case}: {self.result}"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a scoring beside the scores.

    Parameters
    ----------
    tolerance_mm
        Distance that counts as agreement of surfaces.
    against
        Other sets of masks by name, scored against the same references and compared with the first.
    second_reader
        Masks of a second reader: compared like another set, and the predictions are scored against them, too.
    csv
        Where to write a table with a row a case.
    export
        Folder for ``cases.csv`` (a row a case), ``scores.csv`` (a row a number), ``scores.json`` (how they
        were made) and ``scores.md`` (the summary).
    figures
        Folder for figures of the cohort.
    """

    tolerance_mm: float = DEFAULT_TOLERANCE_MM
    against: Mapping[str, tuple[MaskPair, ...]] = field(default_factory=dict)
    second_reader: tuple[MaskPair, ...] = ()
    csv: Path | None = None
    export: Path | None = None
    figures: Path | None = None


SECOND_READER = "second reader"


def score_files(pairs: tuple[MaskPair, ...], wanted: Wanted | None = None) -> Generator[Event]:
    """Score pairs of masks; one that cannot be read is reported and does not stop the others.

    Parameters
    ----------
    pairs
        From `find_pairs`.
    wanted
        What is compared with them, and what is written.

    Yields
    ------
    Event
        `CaseScored` or `CaseFailed` a case, `Progress` for those of other sets, then `Finished` with a
        `Summary`.
    """
    wanted = Wanted() if wanted is None else wanted
    if wanted.export is not None:
        make_folder(wanted.export)
    yield Started(message=f"Scoring {len(pairs)} {'case' if len(pairs) == 1 else 'cases'}.")
    scored: list[ScoredCase] = []
    for done, pair in enumerate(pairs, start=1):
        started = time.perf_counter()
        try:
            case, notes = _score_pair(pair, wanted.tolerance_mm)
        except NecrosegError as error:
            yield CaseFailed(case=pair.case, done=done, total=len(pairs), reason=str(error))
            continue
        yield from (Warned(message=note) for note in notes)
        seconds = time.perf_counter() - started
        scored.append(case)
        yield CaseScored(case=pair.case, done=done, total=len(pairs), seconds=seconds, result=case.scores)
    if not scored:
        raise FileError("No case could be scored; the lines above say why.")
    patients = {case.pair.case: case.pair.patient for case in scored}
    summary = summarise(_by_case(scored), patients)
    summary = yield from _beside(scored, summary, patients, wanted)
    _write(scored, summary, wanted)
    yield Finished(result=summary)


def other_pairs(pairs: tuple[MaskPair, ...], reference: Path, other: Path) -> tuple[MaskPair, ...]:
    """Find another set of masks of the same cases.

    Parameters
    ----------
    pairs
        Those of the first set.
    reference, other
        As in `find_pairs`.

    Raises
    ------
    NecrosegError
        If nothing fits together.
    """
    found = find_pairs(reference, other)
    # The case of a single file is named by that file; it is the same case all the same.
    return (replace(found[0], case=pairs[0].case),) if len(pairs) == 1 == len(found) else found


def _beside(
    scored: list[ScoredCase], summary: Summary, patients: Mapping[str, str], wanted: Wanted
) -> Generator[Event, None, Summary]:
    """Score the other sets, and add to the summary what comes of it."""
    sets = dict(wanted.against) | ({SECOND_READER: wanted.second_reader} if wanted.second_reader else {})
    others = {}
    for name, pairs in sets.items():
        found = yield from _scored(pairs, name, wanted)
        if words := known_in_words(_known(found), len(found)):
            yield Warned(message=f"{name}: {words}")
        others[name] = _by_case(found)
    first = _by_case(scored)
    against_reader = None
    if wanted.second_reader:
        masks = {pair.case: pair.prediction for pair in wanted.second_reader}
        pairs = tuple(
            replace(case.pair, reference=masks[case.pair.case]) for case in scored if case.pair.case in masks
        )
        found = yield from _scored(pairs, f"predictions against the {SECOND_READER}", wanted)
        against_reader = summarise(_by_case(found), patients) if found else None
    return replace(
        summary,
        trained_on=_known(scored),
        comparisons=compare(first, others, patients),
        against_second_reader=against_reader,
    )


def _scored(
    pairs: tuple[MaskPair, ...], name: str, wanted: Wanted
) -> Generator[Event, None, list[ScoredCase]]:
    scored = []
    for done, pair in enumerate(pairs, start=1):
        yield Progress(done=done - 1, total=len(pairs), message=f"{name}: {pair.case}")
        try:
            case, _ = _score_pair(pair, wanted.tolerance_mm)
        except NecrosegError as error:
            yield Warned(message=f"{name}, {pair.case}: not done. {error}")
            continue
        scored.append(case)
    return scored


def _known(scored: list[ScoredCase]) -> dict[str, Known | None]:
    return {case.pair.case: case.trained_on for case in scored}


def _score_pair(pair: MaskPair, tolerance_mm: float) -> tuple[ScoredCase, tuple[str, ...]]:
    masks = read_pair(pair)
    scores = score_masks(masks.reference, masks.prediction, masks.grid, tolerance_mm=tolerance_mm)
    known = known_of(pair.prediction)
    return ScoredCase(pair=pair, grid=masks.grid, scores=scores, trained_on=known), masks.notes


def _by_case(scored: list[ScoredCase]) -> dict[str, Scores]:
    return {case.pair.case: case.scores for case in scored}


def _write(scored: list[ScoredCase], summary: Summary, wanted: Wanted) -> None:
    scores = _by_case(scored)
    if wanted.csv is not None:
        write_text(wanted.csv, wide_table(scores))
    if wanted.export is not None:
        made = record(scored, summary, tolerance_mm=wanted.tolerance_mm)
        texts = {
            "cases.csv": wide_table(scores),
            "scores.csv": tidy_table(scores),
            "scores.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
            "scores.md": markdown_table(summary),
        }
        for name, text in texts.items():
            write_text(wanted.export / name, text)
    if wanted.figures is not None:
        write_figures(scores, wanted.figures)
