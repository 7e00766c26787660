"""Makes a table of cases from a folder: finds, pairs and checks images, and adds to an earlier table."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from napari_necroseg.core.case import CaseFiles, Sequence
from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.cohort.csv_table import Table
from napari_necroseg.core.cohort.duplicates import find_twins
from napari_necroseg.core.cohort.find import UNDERSTOOD, Pairing, find_cases, unused_sentence
from napari_necroseg.core.cohort.scan import relative_name
from napari_necroseg.core.cohort.table import (
    COLUMNS,
    CohortTable,
    Row,
    cohort_text,
    read_cohort_table,
    write_cohort_table,
)
from napari_necroseg.core.errors import CohortError, GeometryError, NecrosegError, ResourceError, as_mistakes
from napari_necroseg.core.events import Event, Finished, Progress, Started, Warned
from napari_necroseg.core.files import back_up
from napari_necroseg.core.grids.orient import has_position, working_grid
from napari_necroseg.core.images.file_image import is_tiff
from napari_necroseg.core.images.on_grid import LEAST_OVERLAP, fit_onto, outside_notes
from napari_necroseg.core.images.read import read_grid, read_mask
from napari_necroseg.core.output import check_out_file
from napari_necroseg.core.volume import Grid

TIFF_ADVICE = "Add a column spacing_mm to the table, with the spacing as slice x row x column: 4 x 0.7 x 0.7."


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Which files a case of the table has."""

    case: str
    has_t2: bool
    has_reference: bool
    has_tumour: bool


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The table of a cohort."""

    cohort: Path
    cases: int
    # A sentence for everything that is missing, ambiguous, doubtful or left out.
    problems: tuple[str, ...]
    # The files of each case, in the order of the table.
    listing: tuple[Listed, ...]
    # The copy of the earlier table, if this one replaced it.
    earlier: Path | None = None

    def __str__(self) -> str:
        width = max(4, *(len(one.case) for one in self.listing))
        lines = [f"{'case':{width}}  ceT1  T2   reference  tumour"]
        for one in self.listing:
            t2, reference, tumour = (
                "yes" if has else "-" for has in (one.has_t2, one.has_reference, one.has_tumour)
            )
            lines.append(f"{one.case:{width}}  yes   {t2:3}  {reference:9}  {tumour}".rstrip())
        problems = {0: "no problems", 1: "1 problem"}.get(
            len(self.problems), f"{len(self.problems)} problems"
        )
        n_cases = "1 case" if self.cases == 1 else f"{self.cases} cases"
        kept = f" The earlier table is now {self.earlier.name}." if self.earlier else ""
        return "\n".join([*lines, f"{n_cases}, {problems}. The table is {self.cohort}.{kept}"])


def prepare(
    folder: Path, *, out: Path | None = None, pairing: Pairing | None = None, compares: bool = True
) -> Generator[Event]:
    """Find, pair and check the images in a folder, and write the table of cases.

    New cases are added to an existing table, see `merge`; if that changes it, the earlier one is kept beside
    it as ``cohort.csv.bak-1``, ``.bak-2``, ...

    `folder`: see `find.find_cases` for the layouts that are understood. `out`: the table to write, or the
    folder for it; ``cohort.csv`` in `folder` if None. `pairing`: what `find_cases` found there, if that is
    known already. `compares`: whether to look for images that several cases share, which takes the longest.
    Yields `Progress` while searching and checking, `Warned` for each problem, then `Finished` with
    `Prepared`.
    Raises CohortError if no case is found, or an earlier table has a mistake; nothing is written then.
    """
    path = _table_path(folder, out)
    check_out_file(path)
    yield Started(message=f"Looking for cases in {folder}.")
    earlier = _read_earlier(path)
    if pairing is None:
        pairing = yield from find_cases(folder)
    problems = list(pairing.problems)
    yield from (Warned(message=problem) for problem in problems)
    twins: tuple[str, ...] = ()
    if compares:
        twins = yield from find_twins(_all_cases(earlier, pairing.cases))
    checked: list[CaseFiles] = []
    for done, case in enumerate(pairing.cases):
        yield Progress(done=done, total=len(pairing.cases), message=f"checking {case.name}")
        kept, found = check_case(case, root=folder)
        checked += [] if kept is None else [kept]
        problems += found
        yield from (Warned(message=problem) for problem in found)
    rows, notes = merge(earlier, checked)
    more = [*notes, *twins, *unused_sentence(pairing.unused, folder)]
    yield from (Warned(message=problem) for problem in more)
    if not checked:
        raise CohortError(_no_case(folder, problems))
    backup = _write(path, earlier, new=replace(earlier, rows=rows))
    yield Finished(result=_prepared(path, rows, problems=(*problems, *more), backup=backup))


def _all_cases(earlier: CohortTable, found: tuple[CaseFiles, ...]) -> tuple[CaseFiles, ...]:
    """Return the cases of the table, and those that were found and are not among them."""
    rows = earlier.cohort
    images = {_image(case) for case in rows}
    new = (case for case in found if _image(case) not in images)
    return (*rows, *(case for case in new if case.name not in rows))


def _table_path(folder: Path, out: Path | None) -> Path:
    if out is None:
        return folder / "cohort.csv"
    return out / "cohort.csv" if out.is_dir() else out


def _read_earlier(path: Path) -> CohortTable:
    """Return the earlier table, which must have no mistake: a cell that cannot be read would be lost."""
    if not path.exists():
        return CohortTable(rows=(), layout=Table(columns=COLUMNS, rows=()))
    try:
        return read_cohort_table(path)
    except CohortError as error:
        raise CohortError(
            f"There is a table already, and it cannot be added to. {error} Mend it, move it away, or choose "
            "another file with --out."
        ) from None


def _write(path: Path, earlier: CohortTable, *, new: CohortTable) -> Path | None:
    """Write the table if it has changed; return the copy of the earlier one."""
    if not earlier.rows:
        write_cohort_table(path, new)
        return None
    if cohort_text(path, new) == cohort_text(path, earlier):
        return None
    backup = back_up(path)
    write_cohort_table(path, new)
    return backup


def _prepared(
    path: Path, rows: tuple[Row, ...], *, problems: tuple[str, ...], backup: Path | None
) -> Prepared:
    listing = tuple(
        Listed(
            case=row.case.name,
            has_t2="T2" in row.case.paths,
            has_reference="reference" in row.case.paths,
            has_tumour="tumour" in row.case.paths,
        )
        for row in rows
    )
    return Prepared(cohort=path, cases=len(rows), problems=problems, listing=listing, earlier=backup)


def _no_case(folder: Path, problems: list[str]) -> str:
    shown = " ".join(problems[:3]) + (
        f" (And {len(problems) - 3} more problems.)" if len(problems) > 3 else ""
    )
    return f"No case with a ceT1 image was found in {folder}, so no table was written. {shown} {UNDERSTOOD}"


def check_case(case: CaseFiles, *, root: Path) -> tuple[CaseFiles | None, tuple[str, ...]]:
    """Open every file of a case, compare the grids, and return the case with the problems that were found.

    Of NIfTI images only the headers are read; masks are read whole, since they must have a single label, and
    so are TIFF stacks. The case comes back without the T2 image or masks that cannot be read, and as None if
    ceT1 cannot. A TIFF stack that only lacks its spacing is kept, since the table can state that, and so is a
    file for which memory does not suffice. Paths in messages are relative to `root`.
    """
    try:
        grid, notes = _image_grid(case, Sequence.CET1)
    except NecrosegError as error:
        if _lacks_spacing(case.sequences[Sequence.CET1], error):
            return case, (f"{case.name}: {error} {TIFF_ADVICE}",)
        return None, (f"{case.name}: {error} The case was left out.",)
    problems = list(notes)
    kept = case
    for column, path in case.paths.items():
        if column == Sequence.CET1:
            continue
        name = relative_name(path, root)
        try:
            if column == Sequence.T2:
                other, t2_notes = _image_grid(case, Sequence.T2)
                problems += [*t2_notes, *_compare(grid, other, name=name)]
            else:
                problems += _check_mask(case, path, grid=grid, name=name)
        except ResourceError as error:
            problems.append(f"{error} It could not be checked.")
        except NecrosegError as error:
            stays = _lacks_spacing(path, error)
            problems.append(f"{error} {TIFF_ADVICE if stays else 'It was left out of the case.'}")
            kept = kept if stays else kept.with_file(column, None)
    return kept, tuple(f"{case.name}: {problem}" for problem in dict.fromkeys(problems))


def _lacks_spacing(path: Path, error: NecrosegError) -> bool:
    """Whether a stack only lacks the spacing, which the table can state."""
    return isinstance(error, GeometryError) and is_tiff(path)


@as_mistakes()
def _image_grid(case: CaseFiles, sequence: Sequence) -> tuple[Grid, tuple[str, ...]]:
    """Return the working grid of an image, and notes on what its header leaves in doubt."""
    grid, notes = read_grid(
        case.sequences[sequence], spacing_mm=case.spacing_mm, channel=case.channel(sequence)
    )
    return working_grid(grid), notes


def _check_mask(case: CaseFiles, path: Path, *, grid: Grid, name: str) -> list[str]:
    """Return remarks on a mask, which may be smaller than the ceT1 image, but must lie in it."""
    mask = read_mask(path, spacing_mm=case.spacing_mm)
    other = working_grid(mask.volume.grid)
    is_placed = has_position(grid) and has_position(other)
    empty = () if mask.volume.voxels.any() else (f"{path.name}: the mask is empty.",)
    found = [*mask.notes, *empty, *_compare(grid, other, name=name, is_mask=True)]
    is_moved = is_placed and not grid.matches(other)
    return found + (list(outside_notes(mask.volume, grid, what=name)) if is_moved else [])


def _compare(grid: Grid, other: Grid, *, name: str, is_mask: bool = False) -> list[str]:
    """Return remarks on the position of an image or mask on the ceT1 image."""
    try:
        fit = fit_onto(other, grid, what=name)
    except GeometryError as error:
        if not (has_position(grid) and has_position(other)):
            return [str(error)]
        return [f"{name} does not overlap with the ceT1 image at all; are both of the same examination?"]
    if not fit.is_resampled:
        return [fit.note] if fit.note else []
    if is_mask:
        return [f"{name} is not on the grid of the ceT1 image and will be resampled onto it."]
    few = f"{name} covers only {fit.covered:.0%} of the ceT1 image; are both of the same examination?"
    return [few] if fit.covered < LEAST_OVERLAP else []


def merge(earlier: CohortTable, found: Iterable[CaseFiles]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Add the cases that were found to an earlier table; return its rows, and notes on what was changed.

    Every row of the earlier table stays, in its order and with its content. A found case belongs to the row
    with its ceT1 file, whatever its name there, and only fills empty cells for T2 and the masks. If only the
    name is the same, the row stays unchanged. Other found cases follow as new rows; one of a known patient
    gets the fold of that patient.
    """
    rows = list(earlier.rows)
    notes: list[str] = []
    fold_of_patient = {name_key(row.case.patient_or_name): row.case.fold for row in rows}
    index_of_image = {_image(row.case): index for index, row in reversed(list(enumerate(rows)))}
    names = {name_key(row.case.name) for row in rows}
    for case in found:
        index = index_of_image.get(_image(case))
        if index is not None:
            rows[index], filled = _filled(rows[index], case)
            notes += filled
        elif name_key(case.name) in names:
            notes.append(
                f"{case.name}: another ceT1 image was found than the table names; the row was left as it is."
            )
        else:
            fold = fold_of_patient.get(name_key(case.patient_or_name))
            rows.append(Row(number=_next_number(rows), case=replace(case, fold=fold)))
    return tuple(rows), tuple(notes)


def _filled(row: Row, found: CaseFiles) -> tuple[Row, list[str]]:
    case = row.case
    added = {column: path for column, path in found.paths.items() if column not in case.paths}
    filled = case
    for column, path in added.items():
        filled = filled.with_file(column, path)
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
