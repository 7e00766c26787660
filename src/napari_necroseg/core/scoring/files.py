"""Scoring masks on disk: cases one by one, their summary, other sets beside them, what is written."""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from napari_necroseg.core.cohort.seen_cases import Known, known_in_words
from napari_necroseg.core.errors import FileError, NecrosegError, as_mistakes
from napari_necroseg.core.events import CaseFailed, Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import back_up, write_text
from napari_necroseg.core.output import check_out_file, check_out_folder
from napari_necroseg.core.project.provenance import MaskState, provenance_of
from napari_necroseg.core.scoring.figures import keep_foreign, write_figures
from napari_necroseg.core.scoring.mixed_settings import mixed_in_words
from napari_necroseg.core.scoring.pairs import MaskPair, MaskPairs, ReadPair, find_pairs, read_pair
from napari_necroseg.core.scoring.scores import DEFAULT_TOLERANCE_MM, Scores, score_masks
from napari_necroseg.core.scoring.summary import Summary, altered_in_words, compare, summarise
from napari_necroseg.core.scoring.tables import (
    ScoredCase,
    is_alike,
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
class ScoringOptions:
    """How masks are scored, what they are compared with, and what is written."""

    # Distance that counts as agreement of surfaces.
    tolerance_mm: float = DEFAULT_TOLERANCE_MM
    # Other sets of masks by name, scored against the same references and compared with the first set.
    against: Mapping[str, MaskPairs] = field(default_factory=dict)
    # Masks of a second reader: compared like another set, and the predictions are scored against them, too.
    second_reader: MaskPairs | None = None
    # Where to write a table with one row per case.
    csv: Path | None = None
    # Folder for ``cases.csv`` (one row per case), ``scores.csv`` (one row per number), ``scores.json`` (how
    # they were made) and ``scores.md`` (the summary).
    export: Path | None = None
    # Folder for figures of the cohort.
    figures: Path | None = None


SECOND_READER = "second reader"


def score_files(
    reference: str | Path,
    prediction: str | Path,
    *,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    against: Mapping[str, str | Path] | None = None,
    second_reader: str | Path | None = None,
    csv: str | Path | None = None,
    export: str | Path | None = None,
    figures: str | Path | None = None,
) -> Generator[Event]:
    """Score masks on disk against their references.

    Parameters
    ----------
    reference, prediction
        Two files; two folders, whose files are paired by equal names; or a ``cohort.csv`` (or its folder) and
        a folder with ``<case>.nii.gz`` for each of its cases.
    tolerance_mm
        Distance that counts as agreement of surfaces.
    against
        Further predictions of the same cases by name, each compared with the first.
    second_reader
        Masks of a second reader: compared likewise, and the predictions are scored against them, too.
    csv, export, figures
        Where to write a table with one row per case; a folder for all tables; a folder for figures.

    Yields
    ------
    Event
        `CaseScored` or `CaseFailed` for each case, `Progress` for those of other sets, then `Finished` with
        a `Summary`.

    Raises
    ------
    NecrosegError
        If nothing fits together, or a result cannot be written.
    """
    pairs = find_pairs(Path(reference), Path(prediction))

    def others(path: str | Path) -> MaskPairs:
        return other_pairs(pairs, Path(reference), other=Path(path))

    options = ScoringOptions(
        tolerance_mm=tolerance_mm,
        against={name: others(path) for name, path in (against or {}).items()},
        second_reader=None if second_reader is None else others(second_reader),
        csv=None if csv is None else Path(csv),
        export=None if export is None else Path(export),
        figures=None if figures is None else Path(figures),
    )
    yield from score_pairs(pairs, options)


def score_pairs(pairs: MaskPairs, options: ScoringOptions | None = None) -> Generator[Event]:
    """Score pairs of masks; a pair that cannot be read is reported and does not stop the others.

    `pairs`: from `find_pairs`. `options`: what they are compared with, and what is written.
    Yields `CaseScored` or `CaseFailed` for each case, `Progress` for those of other sets, then `Finished`
    with a `Summary`.
    Raises `FileError` if no case could be scored, and `NecrosegError` if a result cannot be written.
    """
    options = ScoringOptions() if options is None else options
    _check_out(options)
    yield Started(message=f"Scoring {len(pairs)} {'case' if len(pairs) == 1 else 'cases'}.")
    yield from (Warned(message=note) for note in pairs.notes)
    first = yield from _first(pairs, options)
    if not first.scored:
        raise FileError("No case could be scored; the lines above say why.")
    patients = {case.pair.case: case.pair.patient for case in first.scored}
    summary = replace(
        summarise(first.scores, patients),
        trained_on=first.known,
        changed_since_written=first.changed,
        corrected_by_hand=first.corrected,
        mixed_settings=mixed_in_words({one.pair.case: one.made.record for one in first.scored}),
        **_unscored(pairs, first),
    )
    summary = yield from _beside(first, summary, patients=patients, options=options)
    yield from _write(first.scored, summary, options=options)
    yield Finished(result=summary)


def _check_out(options: ScoringOptions) -> None:
    """Refuse output paths that cannot be written, before any mask is read."""
    for folder in (options.export, options.figures):
        if folder is not None:
            check_out_folder(folder)
    if options.csv is not None:
        check_out_file(options.csv)


def other_pairs(pairs: MaskPairs, reference: Path, *, other: Path) -> MaskPairs:
    """Find another set of masks of the same cases.

    `pairs`: those of the first set. `reference`, `other`: as in `find_pairs`.
    Raises `NecrosegError` if nothing fits together.
    """
    found = find_pairs(reference, other)
    # A single file names its case; here both files are of the same case.
    if len(pairs) == 1 == len(found) and reference.is_file() and other.is_file():
        return replace(found, pairs=(replace(found[0], case=pairs[0].case),))
    return found


@dataclass(frozen=True, kw_only=True)
class _ScoredSet:
    """The scored cases of a set of masks, and why others could not be scored."""

    scored: list[ScoredCase] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, Scores]:
        return {case.pair.case: case.scores for case in self.scored}

    @property
    def known(self) -> dict[str, Known | None]:
        return {case.pair.case: case.trained_on for case in self.scored}

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(one.pair.case for one in self.scored if one.made.state is MaskState.CHANGED)

    @property
    def corrected(self) -> tuple[str, ...]:
        return tuple(one.pair.case for one in self.scored if one.made.is_corrected)

    def remarks(self) -> Iterator[str]:
        """State what a reader should know of the masks of another set."""
        total = len(self.scored)
        if words := known_in_words(self.known, total):
            yield words
        yield from altered_in_words(self.changed, self.corrected, total=total)


def _unscored(pairs: MaskPairs, found: _ScoredSet) -> dict[str, Any]:
    """Return what has no scores, as the fields of a summary or a comparison."""
    return {
        "with_reference": pairs.with_reference,
        "without_prediction": pairs.without_prediction,
        "without_reference": pairs.without_reference,
        "failed": found.failed,
    }


def _first(pairs: MaskPairs, options: ScoringOptions) -> Generator[Event, None, _ScoredSet]:
    """Score the set that is asked for."""
    found = _ScoredSet(failed=dict(pairs.refused))
    total = len(pairs.refused) + len(pairs)
    for done, (case, reason) in enumerate(pairs.refused.items(), start=1):
        yield CaseFailed(case=case, done=done, total=total, reason=reason)
    for done, pair in enumerate(pairs, start=1 + len(pairs.refused)):
        started = time.perf_counter()
        try:
            scored, masks = _score_pair(pair, options.tolerance_mm)
        except NecrosegError as error:
            found.failed[pair.case] = str(error)
            yield CaseFailed(case=pair.case, done=done, total=total, reason=str(error))
            continue
        yield from (Warned(message=note) for note in (*masks.reference_notes, *masks.prediction_notes))
        seconds = time.perf_counter() - started
        found.scored.append(scored)
        yield CaseScored(case=pair.case, done=done, total=total, seconds=seconds, result=scored.scores)
    return found


def _beside(
    first: _ScoredSet, summary: Summary, *, patients: Mapping[str, str], options: ScoringOptions
) -> Generator[Event, None, Summary]:
    """Score the other sets, and add the comparisons to the summary."""
    sets = dict(options.against)
    if options.second_reader is not None:
        sets[SECOND_READER] = options.second_reader
    others: dict[str, _ScoredSet] = {}
    for name, pairs in sets.items():
        others[name] = yield from _other(pairs, name, options=options)
        yield from (Warned(message=f"{name}: {words}") for words in others[name].remarks())
    against_reader = None
    if options.second_reader is not None:
        against_reader = yield from _against_reader(
            first, options.second_reader, patients=patients, options=options
        )
    compared = compare(first.scores, {name: one.scores for name, one in others.items()}, patients=patients)
    return replace(
        summary,
        comparisons=tuple(replace(one, **_unscored(sets[one.other], others[one.other])) for one in compared),
        against_second_reader=against_reader,
    )


def _against_reader(
    first: _ScoredSet, reader: MaskPairs, *, patients: Mapping[str, str], options: ScoringOptions
) -> Generator[Event, None, Summary | None]:
    """Score the same predictions against the masks of a second reader."""
    masks = {pair.case: pair.prediction for pair in reader}
    scored = [case.pair for case in first.scored]
    pairs = MaskPairs(
        pairs=tuple(replace(pair, reference=masks[pair.case]) for pair in scored if pair.case in masks)
    )
    found = yield from _other(pairs, f"predictions against the {SECOND_READER}", options=options)
    if not found.scored:
        return None
    return replace(
        summarise(found.scores, patients),
        with_reference=len(masks),
        without_prediction=tuple(case for case in masks if case not in first.scores),
        without_reference=tuple(pair.case for pair in scored if pair.case not in masks),
        failed=found.failed,
    )


def _other(pairs: MaskPairs, name: str, *, options: ScoringOptions) -> Generator[Event, None, _ScoredSet]:
    """Score another set of masks of the same cases."""
    found = _ScoredSet(failed=dict(pairs.refused))
    yield from (Warned(message=f"{name}: {note}") for note in pairs.notes)
    for case, reason in pairs.refused.items():
        yield Warned(message=f"{name}, {case}: not done. {reason}")
    for done, pair in enumerate(pairs, start=1):
        yield Progress(done=done - 1, total=len(pairs), message=f"{name}: {pair.case}")
        try:
            scored, masks = _score_pair(pair, options.tolerance_mm)
        except NecrosegError as error:
            found.failed[pair.case] = str(error)
            yield Warned(message=f"{name}, {pair.case}: not done. {error}")
            continue
        # Notes on the references were reported with the first set.
        yield from (Warned(message=f"{name}, {note}") for note in masks.prediction_notes)
        found.scored.append(scored)
    return found


@as_mistakes()
def _score_pair(pair: MaskPair, tolerance_mm: float) -> tuple[ScoredCase, ReadPair]:
    masks = read_pair(pair)
    scores = score_masks(masks.reference, masks.prediction, masks.grid, tolerance_mm=tolerance_mm)
    made = provenance_of(pair.prediction)
    return ScoredCase(pair=pair, grid=masks.grid, scores=scores, made=made), masks


def _write(scored: list[ScoredCase], summary: Summary, *, options: ScoringOptions) -> Iterator[Event]:
    """Write the chosen files; a file of another program under such a name is renamed, with a warning."""
    scores = {case.pair.case: case.scores for case in scored}
    texts: dict[Path, str] = {}
    if options.csv is not None:
        texts[options.csv] = wide_table(scores)
    if options.export is not None:
        made = record(scored, summary, tolerance_mm=options.tolerance_mm)
        known = {one.pair.case: one.trained_on for one in scored}
        texts |= {
            options.export / "cases.csv": wide_table(scores, known=known),
            options.export / "scores.csv": tidy_table(scores),
            options.export / "scores.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
            options.export / "scores.md": markdown_table(summary),
        }
    for path, text in texts.items():
        if path.is_file() and not is_alike(path, text):
            yield Warned(message=f"{path} is of another kind; it is kept as {back_up(path).name}.")
        write_text(path, text)
    if options.figures is not None:
        yield from (Warned(message=note) for note in keep_foreign(options.figures))
        write_figures(scores, options.figures, n_unscored=summary.unscored.count)
