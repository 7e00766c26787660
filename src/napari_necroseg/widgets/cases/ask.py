"""Asks what only the person knows before something is opened, and puts it into words."""

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_necroseg.core.case_names import listed
from napari_necroseg.core.language import ntr, number, tr
from napari_necroseg.jobs.opening import Ask, Question
from napari_necroseg.widgets.shared import qt_parts


def ask(parent: QWidget, question: Question) -> str | None:
    """Return the answer, one of the question's choices or the path of a new table; None to open nothing."""
    if question.ask is Ask.PLACE:
        folder = question.paths[0].name
        title = tr("{folder} cannot be written to: where should the table go?", folder=folder)
        path = qt_parts.ask_where_to_save(parent, title, start="cohort.csv", kinds=qt_parts.TABLES)
        return None if path is None else str(path)
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    text, more = in_words(question)
    box.setWindowTitle(tr("Open"))
    box.setText(text)
    box.setInformativeText(more)
    buttons = {
        box.addButton(_label(question, choice), QMessageBox.ButtonRole.AcceptRole): choice
        for choice in question.choices
    }
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    # What is most probably a mistake is not opened by a careless Enter.
    box.setDefaultButton(cancel if question.choices == ("keep",) else next(iter(buttons)))
    box.exec()
    return next((choice for made, choice in buttons.items() if made is box.clickedButton()), None)


def in_words(question: Question) -> tuple[str, str]:
    """Return a question, and what should be known to answer it."""
    return _WORDS[question.ask](question)


def _join(question: Question) -> tuple[str, str]:
    names = question.values["names"]
    assert isinstance(names, tuple)
    project = question.values["project"]
    text = ntr(
        "Add {names} to the project {project}?",
        "Add {n} cases ({names}) to the project {project}?",
        len(names),
        names=listed(names),
        project=project,
    )
    return text, tr("Its table gets a row for it; the images stay where they are.")


def _cet1(question: Question) -> tuple[str, str]:
    names = _names(question)
    if len(question.choices) == 1:
        text = tr("Is {file} the ceT1 image, taken after contrast?", file=names)
    else:
        text = tr("Which of these is the ceT1 image, taken after contrast?")
    return text, tr("No name says it certainly. Masks are drawn and saved on the grid of ceT1.")


def _t2(question: Question) -> tuple[str, str]:
    return tr("Is {file} the T2 image of {case}?", file=_names(question), case=question.case), ""


def _swapped(question: Question) -> tuple[str, str]:
    text = tr("ceT1 and T2 of {case} seem to be exchanged.", case=question.case)
    told = tr(
        "{file} is taken for {sequence}, but is not named so.", file=_names(question), **_values(question)
    )
    return text, told


def _mask(question: Question) -> tuple[str, str]:
    text = tr("{file} seems to be a mask, not an image.", file=_names(question))
    return text, tr(
        "It is named like one, or has a few whole values only. It was chosen as {sequence}.",
        **_values(question),
    )


def _other(question: Question) -> tuple[str, str]:
    names = question.values["names"]
    assert isinstance(names, tuple)
    text = tr("Are both images of the same patient and examination?")
    return text, tr("By their names, ceT1 belongs to {one} and T2 to {other}.", one=names[0], other=names[1])


def _apart(question: Question) -> tuple[str, str]:
    covered = question.values["covered"]
    assert isinstance(covered, float)
    text = tr("Are both images of the same patient and examination?")
    if not covered:
        return text, tr("{file} does not lie on the ceT1 image at all.", file=_names(question))
    share = number(100 * covered)
    return text, tr("{file} covers only {share} % of the ceT1 image.", file=_names(question), share=share)


_WORDS: dict[Ask, Callable[[Question], tuple[str, str]]] = {
    Ask.JOIN: _join,
    Ask.CET1: _cet1,
    Ask.T2: _t2,
    Ask.SWAPPED: _swapped,
    Ask.MASK: _mask,
    Ask.OTHER: _other,
    Ask.APART: _apart,
}


def _label(question: Question, choice: str) -> str:
    if question.ask is Ask.CET1:
        return tr("Use {file}", file=Path(choice).name)
    if question.ask is Ask.T2 and choice != "none":
        return tr("Yes")
    labels = {
        "join": tr("Add to the project"),
        "alone": tr("Open alone"),
        "swap": tr("Exchange them"),
        "keep": tr("Open as it is"),
        "without": tr("Open without {sequence}", sequence=question.values.get("sequence", "")),
        "none": tr("No, open without T2"),
    }
    return labels[choice]


def _names(question: Question) -> str:
    return listed([path.name for path in question.paths])


def _values(question: Question) -> dict[str, object]:
    return {"sequence": question.values["sequence"]}
