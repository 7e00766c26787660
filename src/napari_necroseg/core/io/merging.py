"""Preparing a folder again: what a person wrote into the table stays, and what is new is added."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.casename import name_key
from napari_necroseg.core.io.cohort import CohortTable, Row


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The rows of the table to be written, and a sentence for each row that was touched or contradicts."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def merge(earlier: CohortTable, found: Iterable[CaseFiles]) -> Merged:
    """Add what was found to an earlier table.

    Every row of the earlier table stays, in its order and with all that it says. A found case belongs to
    the row that names its ceT1 file, whatever the row calls the case; it only fills that row's empty
    cells for T2 and the masks. Where merely the name is the same, the row stays as it is. Other found
    cases follow as new rows; one of a patient that the table knows gets that patient's fold.
    """
    rows = list(earlier.rows)
    notes: list[str] = []
    fold_of_patient = {name_key(row.case.patient_or_name): row.case.fold for row in rows}
    place_of_image = {_image(row.case): place for place, row in reversed(list(enumerate(rows)))}
    names = {name_key(row.case.name) for row in rows}
    for case in found:
        place = place_of_image.get(_image(case))
        if place is not None:
            rows[place], filled = _filled(rows[place], case)
            notes += filled
        elif name_key(case.name) in names:
            notes.append(
                f"{case.name}: another ceT1 image was found than the table names; the row was left as it is."
            )
        else:
            fold = fold_of_patient.get(name_key(case.patient_or_name))
            rows.append(Row(number=_next_number(rows), case=replace(case, fold=fold)))
    return Merged(rows=tuple(rows), notes=tuple(notes))


def _filled(row: Row, found: CaseFiles) -> tuple[Row, list[str]]:
    case = row.case
    new = {
        "T2": (case.sequences.get(Sequence.T2), found.sequences.get(Sequence.T2)),
        "reference": (case.reference, found.reference),
        "tumour": (case.tumour, found.tumour),
    }
    added = {column: theirs for column, (ours, theirs) in new.items() if ours is None and theirs is not None}
    sequences = dict(case.sequences) | ({Sequence.T2: added["T2"]} if "T2" in added else {})
    filled = replace(
        case,
        sequences=sequences,
        reference=added.get("reference", case.reference),
        tumour=added.get("tumour", case.tumour),
    )
    notes = [
        f"{case.name}: {column} was empty in the table and is now {path.name}; empty it again if that was "
        "on purpose."
        for column, path in added.items()
    ]
    return replace(row, case=filled), notes


def _image(case: CaseFiles) -> Path:
    return case.sequences[Sequence.CET1].resolve()


def _next_number(rows: list[Row]) -> int:
    return rows[-1].number + 1 if rows else 2
