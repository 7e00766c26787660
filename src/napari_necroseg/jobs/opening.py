"""Opens whatever a person drops or chooses: a folder, a table, a pair of files, or several of them.

What only the person knows is asked by a `Question`, a plain value; the same call with the answer goes on.
"""

import os
import threading
from collections.abc import Generator, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_necroseg.core.case import CaseFiles, Cohort, Sequence
from napari_necroseg.core.case_names import name_key
from napari_necroseg.core.errors import CohortError, FileError, NecrosegError
from napari_necroseg.core.events import Event, Finished, Progress, Warned, run
from napari_necroseg.core.images.file_image import image_suffix
from napari_necroseg.core.language import said
from napari_necroseg.jobs.cases import OpenedCohort

if TYPE_CHECKING:
    from napari_necroseg.core.cohort.find import Pairing

TABLE_NAME = "cohort.csv"

# How far above a case's folder its project may be: my-study/site-1/case-01.
_MOST_FOLDERS_UP = 3

_HEADER_BYTES = 10_000


class Ask(StrEnum):
    """What a person is asked; the key under which the answer is given."""

    JOIN = "join"  # Whether a case joins a project or is opened alone.
    CET1 = "ceT1"  # Which of some files is the ceT1 image.
    T2 = "T2"  # Whether the other file is the T2 image.
    SWAPPED = "swapped"
    MASK = "mask"
    OTHER = "other patient"
    APART = "no overlap"
    PLACE = "place"  # Where the table goes, if not into the folder.


@dataclass(frozen=True, kw_only=True)
class Question:
    """Something to be asked before anything is opened.

    `choices`: the answers that may be given, a path for `Ask.CET1` and `Ask.T2` (or ``none``); none for
    `Ask.PLACE`, whose answer is the path of a new file. `values`: what the question is about.
    """

    ask: Ask
    case: str = ""
    choices: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)


class _AskedError(Exception):
    """Ends the search for what is to be opened with a question."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.ask)
        self.question = question


Answers = Mapping[Ask, str]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be opened, beside which project, and what the person answered so far."""

    paths: tuple[Path, ...]
    # The table of the project that is open.
    project: Path | None = None
    # The case that was open in a project last, by the project's folder.
    last: Mapping[Path, str] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)

    def answer(self, question: Question) -> str:
        """Return the answer to a question, which is asked if it was not answered yet."""
        if question.ask not in self.answers:
            raise _AskedError(question)
        return self.answers[question.ask]

    def answered(self, question: Question, answer: str) -> "Wish":
        """Return the wish with one more answer."""
        return replace(self, answers={**self.answers, question.ask: answer})


def is_wanted(paths: SequenceOf[Path]) -> bool:
    """Whether files that were dropped on the window are for this program; else they are left to napari.

    A folder is, unless its name is that of an image in napari's own formats; so is a table, and a NIfTI
    image that is not named like a mask. TIFF stacks are for everything: their names must tell a sequence.
    """
    from napari_necroseg.core.cohort.file_names import FileRole, role_of
    from napari_necroseg.core.images.file_image import image_stem, is_tiff

    folders = [path for path in paths if path.is_dir() and path.suffix not in (".zarr", ".n5", ".lsm")]
    tables = [path for path in paths if path.name.lower().endswith(".csv")]
    images = [path for path in paths if image_suffix(path) and not path.is_dir()]
    roles = {path: role_of(image_stem(path)) for path in images}
    if len(folders) + len(tables) + len(images) < len(paths) or (tables and len(paths) > 1):
        return False
    sequences = (FileRole.CET1, FileRole.T2, FileRole.NATIVE_T1)
    told = [path for path, role in roles.items() if role in sequences or (role is None and not is_tiff(path))]
    return bool(folders or told or (tables and _is_cohort(tables[0])))


def _is_cohort(table: Path) -> bool:

    from napari_necroseg.core.files import open_to_read

    try:
        with open_to_read(table) as file:
            first = file.read(_HEADER_BYTES).split(b"\n", 1)[0].decode("utf-8", "replace").casefold()
    except (NecrosegError, OSError):
        return False
    return "case" in first and "cet1" in first


def open_paths(wish: Wish, *, stop: threading.Event) -> Iterator[Event]:
    """Open folders, a table or files; the last event carries an `OpenedCohort` or a `Question`.

    A folder with a table is the project of that table. The table of another folder is written into it. A
    case that belongs to a project, by its folder or because one is open, joins it or is asked about. A pair
    that joins no project is a cohort without a table.

    Raises CohortError or FileError if nothing in it can be opened, in one sentence.
    """
    try:
        opened = yield from _opened(wish, stop)
    except _AskedError as asked:
        yield Finished(result=asked.question)
        return
    if opened is not None:
        yield Finished(result=opened)


def _opened(wish: Wish, stop: threading.Event) -> Generator[Event, None, OpenedCohort | None]:
    gone = next((path for path in wish.paths if not path.exists()), None)
    if gone is not None or not wish.paths:
        raise FileError(
            said("There is no file or folder {path}.", path=gone) if gone else said("Nothing was chosen.")
        )
    folders = [path for path in wish.paths if path.is_dir()]
    tables = [path for path in wish.paths if path.suffix.lower() == ".csv" and path not in folders]
    files = [path for path in wish.paths if path not in folders and path not in tables]
    if tables:
        if len(wish.paths) > 1:
            raise FileError(said("Open one table of cases at a time, without other files."))
        return read_project(tables[0], wish)
    strange = next((path for path in files if not image_suffix(path)), None)
    if strange is not None:
        raise FileError(
            said(
                "{name} cannot be opened: a case is a folder, a cohort.csv, or images as NIfTI or TIFF.",
                name=strange.name,
            )
        )
    if len(folders) == 1 and not files:
        return (yield from _of_folder(folders[0], wish, stop=stop))
    cases = list(_of_files(files, wish)) if files else []
    for folder in folders:
        cases += yield from _cases_in(folder)
    return _of_cases(cases, wish)


def _of_folder(
    folder: Path, wish: Wish, *, stop: threading.Event
) -> Generator[Event, None, OpenedCohort | None]:
    """Open a folder: its table, the project that it belongs to, or what is found in it."""
    from napari_necroseg.core.cohort.find import find_cases

    if (folder / TABLE_NAME).exists():
        return read_project(folder / TABLE_NAME, wish)
    pairing = yield from find_cases(folder)
    home = _table_around(folder)
    known = [name for case in pairing.cases if home is not None and (name := row_of(home, case))]
    if home is not None and known:
        return read_project(home, wish, case=known[0])
    is_one_case = len(pairing.cases) == 1 and _holds(folder, pairing.cases[0])
    if is_one_case and (home or wish.project):
        return _of_cases([_called(pairing.cases[0], folder)], wish)
    return (yield from _new_project(folder, pairing, wish=wish, stop=stop))


def _new_project(
    folder: Path, pairing: "Pairing", *, wish: Wish, stop: threading.Event
) -> Generator[Event, None, OpenedCohort | None]:
    """Check what was found in a folder, and write its table."""
    from napari_necroseg.core.cohort.prepare import prepare

    has_choice = any(gap.sequence is Sequence.CET1 and gap.candidates for gap in pairing.gaps)
    if not pairing.cases and not has_choice:
        # It says why there is no case.
        run(prepare(folder, out=folder / TABLE_NAME, pairing=pairing))
    table = folder / TABLE_NAME if os.access(folder, os.W_OK) else Path(wish.answer(_place(folder)))
    told = {sentence for gap in pairing.gaps for sentence in gap.told}
    if not pairing.cases:
        left = tuple(problem for problem in pairing.problems if problem not in told)
        nothing = Cohort(cases=())
        return OpenedCohort(cohort=nothing, path=None, problems=left, gaps=pairing.gaps, table=table)
    problems: tuple[str, ...] = ()
    for event in prepare(folder, out=table, pairing=pairing, compares=False):
        if stop.is_set():
            return None
        if isinstance(event, Finished):
            problems = tuple(str(problem) for problem in event.result.problems)
        elif not isinstance(event, Warned):
            yield event
    left = tuple(problem for problem in problems if problem not in told)
    return replace(read_project(table, wish), problems=left, gaps=pairing.gaps)


def _place(folder: Path) -> Question:
    return Question(ask=Ask.PLACE, paths=(folder,))


def _holds(folder: Path, case: CaseFiles) -> bool:
    """Whether a folder is that of the case itself, not one of a project with a single case."""
    from napari_necroseg.core.cohort.file_names import is_role_name

    above = case.sequences[Sequence.CET1].parent
    return above == folder or (above.parent == folder and is_role_name(above.name))


def _called(case: CaseFiles, folder: Path) -> CaseFiles:
    from napari_necroseg.core.cohort.loose_files import name_of

    return case if case.name != folder.name else replace(case, name=name_of(case.sequences[Sequence.CET1]))


def _cases_in(folder: Path) -> Generator[Event, None, tuple[CaseFiles, ...]]:
    from napari_necroseg.core.cohort.find import find_cases

    pairing = yield from find_cases(folder)
    if not pairing.cases:
        raise CohortError(
            said(
                "No case with a ceT1 image was found in {folder}. {problems}",
                folder=folder,
                problems=" ".join(pairing.problems),
            )
        )
    return tuple(pairing.cases)


def _of_files(files: list[Path], wish: Wish) -> Iterator[CaseFiles]:
    """Yield the cases of files that were chosen one by one; what is doubtful about a pair is asked."""
    from napari_necroseg.core.cohort.loose_files import sort_files

    found = sort_files(files)
    if len(found.cases) > 1:
        yield from found.cases
        return
    case = found.cases[0] if found.cases else None
    if case is None:
        if not found.images:
            raise FileError(
                said(
                    "{name} is named like a mask: open it together with the images of its case.",
                    name=files[0].name,
                )
            )
        choices = tuple(str(path) for path in found.images)
        chosen = wish.answer(Question(ask=Ask.CET1, choices=choices, paths=found.images))
        case = found.with_cet1(Path(chosen))
        others = tuple(
            path for path in found.images if path != Path(chosen) and path not in case.paths.values()
        )
        if Sequence.T2 not in case.sequences and len(others) == 1:
            question = Question(ask=Ask.T2, case=case.name, choices=(str(others[0]), "none"), paths=others)
            t2 = wish.answer(question)
            case = case if t2 == "none" else case.with_file("T2", Path(t2))
    yield settled(case, wish)


def settled(case: CaseFiles, wish: Wish) -> CaseFiles:
    """Ask about what is doubtful in a pair that a person chose, and return it as they want it."""
    from napari_necroseg.core.cohort.doubts import DoubtKind, doubts_of

    asks: dict[DoubtKind, tuple[Ask, tuple[str, ...]]] = {
        DoubtKind.SWAPPED: (Ask.SWAPPED, ("swap", "keep")),
        DoubtKind.MASK: (Ask.MASK, ("without", "keep")),
        DoubtKind.OTHER_PATIENT: (Ask.OTHER, ("without", "keep")),
        DoubtKind.NO_OVERLAP: (Ask.APART, ("without", "keep")),
    }
    for doubt in doubts_of(case):
        ask, choices = asks[doubt.kind]
        if doubt.sequence is Sequence.CET1 and "without" in choices:
            choices = choices[1:]
        values = {"sequence": str(doubt.sequence), "names": doubt.names, "covered": doubt.covered}
        answer = wish.answer(
            Question(ask=ask, case=case.name, choices=choices, paths=(doubt.path,), values=values)
        )
        if answer == "without":
            case = case.with_file(str(doubt.sequence), None)
        elif answer == "swap":
            cet1, t2 = case.sequences[Sequence.CET1], case.sequences[Sequence.T2]
            case = case.with_file("ceT1", t2).with_file("T2", cet1)
    return case


def open_pair(files: CaseFiles, wish: Wish, *, stop: threading.Event) -> Iterator[Event]:
    """Open the files of one case that a person chose in a form; see `open_paths`."""
    from napari_necroseg.core.cohort.loose_files import name_of

    try:
        named = replace(files, name=name_of(files.sequences[Sequence.CET1]))
        yield Progress(done=0, total=1, message=said("Looking at {name} ...", name=named.name))
        opened = _of_cases([settled(named, wish)], wish)
    except _AskedError as asked:
        yield Finished(result=asked.question)
    else:
        yield Finished(result=opened)


def _of_cases(cases: list[CaseFiles], wish: Wish) -> OpenedCohort:
    """Open cases that were chosen one by one: in the project that they belong to, or alone."""
    from napari_necroseg.core.cohort.edit_table import add_to_table

    first = cases[0]
    home = _table_around(first.sequences[Sequence.CET1].parent) or wish.project
    if home is not None:
        known = [name for case in cases if (name := row_of(home, case))]
        new = [case for case in cases if not row_of(home, case)]
        if not new:
            return read_project(home, wish, case=known[0])
        names = tuple(case.name for case in new)
        question = Question(
            ask=Ask.JOIN,
            case=new[0].name,
            choices=("join", "alone"),
            paths=(home,),
            values={"project": home.parent.name, "names": names},
        )
        if wish.answer(question) == "join":
            joined = _with_free_names(new, home)
            add_to_table(home, joined)
            return read_project(home, wish, case=joined[0].name)
    if len(cases) == 1:
        return OpenedCohort(cohort=Cohort(cases=(first,)), path=None, first=first.name)
    return _as_project(cases, wish)


def _as_project(cases: list[CaseFiles], wish: Wish) -> OpenedCohort:
    """Open several cases as a project in the folder that holds them all."""
    from napari_necroseg.core.cohort.edit_table import add_to_table

    above = {case.sequences[Sequence.CET1].parent for case in cases}
    folder = Path(os.path.commonpath([path.parent if len(above) > 1 else path for path in above]))
    is_place = (
        os.access(folder, os.W_OK) and folder != Path(folder.anchor) and not (folder / TABLE_NAME).exists()
    )
    table = folder / TABLE_NAME if is_place else Path(wish.answer(_place(folder)))
    add_to_table(table, cases)
    return read_project(table, wish)


def _with_free_names(cases: list[CaseFiles], table: Path) -> list[CaseFiles]:
    taken = {name_key(name) for name in present(table)[0].names}
    free = []
    for case in cases:
        number, name = 2, case.name
        while name_key(name) in taken:
            number, name = number + 1, f"{case.name}-{number}"
        taken.add(name_key(name))
        free.append(replace(case, name=name))
    return free


def _table_around(folder: Path) -> Path | None:
    """Return the table of the project that a folder lies in; None if there is none near."""
    for above in folder.resolve().parents[:_MOST_FOLDERS_UP]:
        if (above / TABLE_NAME).is_file() and _is_cohort(above / TABLE_NAME):
            return above / TABLE_NAME
    return None


def row_of(table: Path, case: CaseFiles) -> str:
    """Return the name by which a table has a case: the one with its ceT1 file; empty if it has none."""
    image = case.sequences[Sequence.CET1].resolve()
    rows = (row for row in present(table)[0] if row.sequences[Sequence.CET1].resolve() == image)
    return next((row.name for row in rows), "")


def present(table: Path) -> tuple[Cohort, tuple[str, ...]]:
    """Read a table without the files that are gone, which are told in sentences."""
    from napari_necroseg.core.cohort.table import Gone, read_cohort_table

    gone: list[Gone] = []
    cohort = read_cohort_table(table, gone=gone).cohort
    return cohort, tuple(
        f"{one.case}: its {one.column} file is gone ({one.file})."
        + (" The case is left out until it is back." if one.column == "ceT1" else "")
        for one in gone
    )


def read_project(table: Path, wish: Wish, *, case: str = "") -> OpenedCohort:
    """Read a project, and choose the case to begin with."""
    from napari_necroseg.core.project.case_states import first_unsigned

    cohort, gone = present(table)
    wanted = case or wish.last.get(table.parent.absolute(), "")
    first = case or first_unsigned(cohort, table.parent, wanted=wanted)
    return OpenedCohort(cohort=cohort, path=table, problems=gone, first=first)
